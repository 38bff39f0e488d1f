/**
 * The NATS subject of a taskflow's events: `<namespace>.taskflow.events.<taskflowId>`, without the
 * prefix if there is no namespace.
 * @param fullyQualified false (default): the part after the namespace
 * @param namespace the broker's; absent: `NAMESPACE` of the environment
 */
export function getEventsEndpoint(taskflowId: string, fullyQualified = false, namespace = process.env.NAMESPACE ?? ""): string {
  const subject = `taskflow.events.${taskflowId}`;
  return fullyQualified && namespace !== "" ? `${namespace}.${subject}` : subject;
}

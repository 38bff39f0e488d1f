/** Where the events of a taskflow are announced, and how a process without NATS hears of them. */
import { EventEmitter } from "node:events";
import type { ServiceBroker } from "moleculer";

/**
 * The NATS subject of a taskflow's events: `<namespace>.taskflow.events.<taskflowId>`, without the prefix where there is no namespace.
 *
 * @param fullyQualified false (default): the part after the namespace
 * @param namespace the broker's; absent: `NAMESPACE` of the environment
 */
export function getEventsEndpoint(taskflowId: string, fullyQualified = false, namespace = process.env.NAMESPACE ?? ""): string {
  const subject = `taskflow.events.${taskflowId}`;
  return fullyQualified && namespace !== "" ? `${namespace}.${subject}` : subject;
}

const emitters = new WeakMap<ServiceBroker, EventEmitter>();

/** The subjects of a broker's own process: the coordinator emits here what it publishes to NATS. */
export function localSubjects(broker: ServiceBroker): EventEmitter {
  let emitter = emitters.get(broker);
  if (!emitter) {
    emitter = new EventEmitter();
    emitter.setMaxListeners(0);
    emitters.set(broker, emitter);
  }
  return emitter;
}

/** What this project uses of a NATS connection. */
export interface NatsClient {
  publish(subject: string, data: Uint8Array): void;
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: { data: Uint8Array }) => void },
  ): { unsubscribe(): void };
}

/** The broker's NATS connection; undefined without a NATS transporter (Moleculer's own or the project's). */
export function natsClientOf(broker: ServiceBroker): NatsClient | undefined {
  const transporter: unknown = broker.transit?.tx;
  if (typeof transporter !== "object" || transporter === null || !("client" in transporter)) return undefined;
  const { client } = transporter;
  const isNats = typeof client === "object" && client !== null && "publish" in client && "jetstream" in client;
  return isNats ? (client as unknown as NatsClient) : undefined;
}

/** Bytes that the broker's NATS server takes in one message; no limit where there is no NATS, or it has not said so. */
export function maxMessageBytesOf(broker: ServiceBroker): number {
  const client: unknown = natsClientOf(broker);
  const info = (client as { info?: { max_payload?: unknown } } | undefined)?.info;
  return typeof info?.max_payload === "number" ? info.max_payload : Number.POSITIVE_INFINITY;
}

/** An event that has to fit into one message of the bus. */
type Json = Record<string, unknown>;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}

/** Tasks by status in place of the stages, as where a tree is over its limit. */
function withoutStages(tree: Json): void {
  const counts: Record<string, number> = {};
  for (const stage of Object.values((tree["stages"] ?? {}) as Record<string, { tasks: Record<string, { status: string }> }>)) {
    for (const { status } of Object.values(stage.tasks)) counts[status] = (counts[status] ?? 0) + 1;
  }
  delete tree["stages"];
  Object.assign(tree, { truncated: true, counts });
}

function omit(owner: Json, key: string): void {
  if (owner[key] !== undefined && bytesOf(owner[key]) > 64) owner[key] = { $omitted: bytesOf(owner[key]) };
}

/**
 * The event's text in at most that many bytes: without the stages of its tree, then without the answer, then without what its error and its
 * taskflow hold.
 */
export function truncateEvent(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const event = JSON.parse(text) as { data: Json };
  const { data } = event;
  const tree = isObject(data["taskflowObject"]) ? data["taskflowObject"] : {};
  const steps = [
    () => "stages" in tree && withoutStages(tree),
    () => omit(data, "taskResponse"),
    () => isObject(data["error"]) && (omit(data["error"], "data"), delete data["error"]["stack"]),
    () => (omit(tree, "context"), delete tree["error"]),
  ];
  let fitted = text;
  for (const step of steps) {
    step();
    fitted = JSON.stringify(event);
    if (Buffer.byteLength(fitted) <= maxBytes) break;
  }
  return fitted;
}

/** As many of the events, from the first on, as fit together; at least one. */
export function fitEvents(texts: readonly string[], maxBytes: number): string[] {
  const fitting: string[] = [];
  let left = maxBytes;
  for (const text of texts) {
    const fitted = truncateEvent(text, maxBytes);
    left -= Buffer.byteLength(fitted) + 1;
    if (left < 0 && fitting.length > 0) break;
    fitting.push(fitted);
  }
  return fitting;
}

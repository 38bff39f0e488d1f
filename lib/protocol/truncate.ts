/**
 * Truncates values and events that are too large for a message: `{ $omitted: bytes }` takes the
 * place of a value.
 */
import { isRecord, recordOf } from "../util/record.ts";
import { fits } from "./chunks.ts";

type Json = Record<string, unknown>;

/** Leaving out less than this gains nothing. */
export const WORTH_OMITTING = 64;
const WORTH_REFERRING = 1_024;

/** Of the JSON text; 0 if there is none. */
export function bytesOf(value: unknown): number {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? 0 : Buffer.byteLength(text);
}

/** A value as it stands where there is no room for it. */
export const omitted = (size: number): { $omitted: number } => ({ $omitted: size });

export function isOmitted(value: unknown): boolean {
  return isRecord(value) && "$omitted" in value && Object.keys(value).length === 1;
}

export interface Omission {
  readonly bytes: number;
  /** Leaves it out; answers the bytes of what stands in its place. */
  readonly omit: () => number;
}

/**
 * How a value is left out of its owner; undefined if that gains nothing.
 * @param standIn makes what stands in its place, by its JSON text; its size if absent
 */
export function omission(owner: Json, key: string, standIn?: (text: string) => unknown): Omission | undefined {
  const value = owner[key];
  if (value === undefined || isOmitted(value)) return undefined;
  const bytes = bytesOf(value);
  if (bytes < (standIn ? WORTH_REFERRING : WORTH_OMITTING)) return undefined;
  return {
    bytes,
    omit() {
      owner[key] = standIn ? standIn(JSON.stringify(value)) : omitted(bytes);
      return bytesOf(owner[key]);
    },
  };
}

/** Leaves out the largest first, until it is enough. Answers the bytes that are still too many. */
export function leaveOut(omissions: Omission[], tooMany: number): number {
  omissions.sort((a, b) => b.bytes - a.bytes);
  for (const { bytes, omit } of omissions) {
    if (tooMany <= 0) break;
    tooMany -= bytes - omit();
  }
  return tooMany;
}

/** Tasks by status in place of the stages, as where a tree is over its limit. */
function countTasks(tree: Json): void {
  const counts: Record<string, number> = {};
  for (const stage of Object.values((tree["stages"] ?? {}) as Record<string, { tasks: Record<string, { status: string }> }>)) {
    for (const { status } of Object.values(stage.tasks)) counts[status] = (counts[status] ?? 0) + 1;
  }
  delete tree["stages"];
  Object.assign(tree, { truncated: true, counts });
}

/**
 * The event's text in at most that many bytes: without the stages of its tree, then without the
 * response and output, then without the data of its error and its taskflow.
 */
export function truncateEvent(text: string, maxBytes: number): string {
  if (fits(text, maxBytes)) return text;
  const event = JSON.parse(text) as { data: Json };
  const { data } = event;
  // Both are changed where they stand.
  const tree = recordOf(data["taskflowObject"]) as Json;
  const error = recordOf(data["error"]) as Json;
  const steps = [
    () => "stages" in tree && countTasks(tree),
    () => (omission(data, "taskResponse")?.omit(), omission(data, "output")?.omit()),
    () => (omission(error, "data")?.omit(), delete error["stack"]),
    () => (omission(tree, "context")?.omit(), omission(tree, "output")?.omit(), delete tree["error"]),
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

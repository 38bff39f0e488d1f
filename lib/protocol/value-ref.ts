/**
 * References to values that do not fit into an answer. A reference names the task, the value's
 * field, and a digest of its text: once that has changed, the reference is void, so chunks of two
 * values are never joined. It costs no storage.
 */
import { digestOf, joinChunks, type Chunk } from "./chunks.ts";

/** Values of a task that are told by reference where they are too large. */
export const REFERABLE = ["response", "params", "resolvedParams", "meta", "error.data"] as const;
export type Referable = (typeof REFERABLE)[number];

/** As execution contexts have it (`lib/core/views/execution-context.ts`). */
export const PREVIOUS = /^([A-Za-z0-9_:-]+)\/([0-9a-f-]+)\/(previousStageRes)\/(\d+)$/;

export interface ValueRef {
  readonly taskflowId: string;
  readonly taskId: string;
  readonly field: Referable | "previousStageRes";
  /** Of the value's text; of `previousStageRes`, when its stage was changed last. */
  readonly digest: string;
}

/**
 * Takes the place of a value that is too large for an answer: `taskflow.getValue { ref: $ref }` has
 * the JSON text.
 */
export interface Referred {
  readonly $ref: string;
  /** Of the JSON text in UTF-8. */
  readonly bytes: number;
}

export function refer(taskflowId: string, taskId: string, field: Referable, text: string): Referred {
  const parts = [taskflowId, taskId, field, digestOf(text)];
  return { $ref: Buffer.from(JSON.stringify(parts)).toString("base64url"), bytes: Buffer.byteLength(text) };
}

/** Whether this is a reference to the task's value, and not a user's value that looks like one. */
export function isReferred(value: unknown, taskId: string, field: Referable): value is Referred {
  if (typeof value !== "object" || value === null || !("$ref" in value) || typeof value.$ref !== "string") return false;
  const parts = partsOf(value.$ref);
  return parts.length === 4 && parts[1] === taskId && parts[2] === field;
}

/** Puts a value together of its parts. @param fetch the part that begins at the offset */
export async function fetchValue(fetch: (offset: number) => Promise<Chunk>): Promise<unknown> {
  const next = ({ nextOffset }: Chunk) => (nextOffset === undefined ? undefined : fetch(nextOffset));
  return JSON.parse(await joinChunks(await fetch(0), next));
}

export function partsOf($ref: string): (string | undefined)[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from($ref, "base64url").toString());
    return Array.isArray(parts) && parts.every((part) => typeof part === "string") ? parts : [];
  } catch {
    return [];
  }
}

/**
 * Outcomes that do not fit into a message. The worker answers the call with a marker; the
 * coordinator then fetches the outcome's JSON text in chunks from the mixin's action
 * `taskflowOutcome`.
 */
import { digestOf, chunkAt, joinChunks, type Chunk } from "./chunks.ts";
import { recordOf } from "../util/record.ts";

/**
 * The longest JSON text of an outcome, in bytes. No ledger keeps a longer one (a document of
 * MongoDB holds 16 MiB), and no coordinator fetches it.
 */
export const LONGEST_OUTCOME = 15 * 1024 * 1024;

/** A part of an outcome's text. The first one also tells what all of them together are. */
export interface OutcomeChunk extends Chunk {
  /** Of the whole text, in UTF-8. */
  readonly bytes?: number;
  /** Of the whole text: parts of two outcomes are not put together. */
  readonly digest?: string;
}

export function outcomeChunk(text: string, offset: number, maxBytes: number): OutcomeChunk {
  const part = chunkAt(text, offset, maxBytes);
  return offset === 0 ? { ...part, bytes: Buffer.byteLength(text), digest: digestOf(text) } : part;
}

/** In place of an answer: it is to be fetched from the worker's ledger. */
export function toBeFetched(key: string): { readonly $taskflowOutcome: string } {
  return { $taskflowOutcome: key };
}

/** Nothing but the key of the very attempt makes it more than an answer of the handler's. */
export function isToBeFetched(answer: unknown, key: string): boolean {
  return recordOf(answer)["$taskflowOutcome"] === key;
}

/**
 * Puts an outcome together of its parts.
 * @throws Error if the worker says something else with each part, or more than it announced
 */
export async function joinOutcome(
  given: unknown,
  maxBytes: number,
  fetch: (offset: number) => Promise<unknown>,
): Promise<unknown> {
  const first = checked(given);
  const { bytes, digest } = first;
  if (!Number.isSafeInteger(bytes) || bytes === undefined || typeof digest !== "string")
    throw new Error("the outcome's first chunk is malformed");
  if (bytes > maxBytes) throw new Error(`it has ${bytes} bytes, more than ${maxBytes}`);
  const text = await joinChunks(first, ({ nextOffset }, { length }) => {
    if (length > bytes) throw new Error(`it is longer than the announced ${bytes} bytes`);
    if (nextOffset === undefined) return undefined;
    if (nextOffset !== length) throw new Error(`the chunk after ${length} claims to begin at ${nextOffset}`);
    return fetch(nextOffset).then(checked);
  });
  if (digestOf(text) !== digest) throw new Error("its chunks do not match the announced digest");
  return JSON.parse(text);
}

function checked(part: unknown): OutcomeChunk {
  const { chunk, nextOffset } = recordOf(part) as Partial<OutcomeChunk>;
  const isPart = typeof chunk === "string" && chunk !== "" && (nextOffset === undefined || Number.isSafeInteger(nextOffset));
  if (!isPart) throw new Error("a chunk of the outcome is malformed");
  return part as OutcomeChunk;
}

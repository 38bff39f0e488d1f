/**
 * Outcomes that do not fit into a message. The worker answers the call with a word that says so, and whoever asks for the outcome (the mixin's action
 * `taskflowOutcome`) is given its JSON text in parts, the first one in place of the outcome.
 */
import { digestOf, partOf, type TextPart } from "./text-part.ts";

/** A part of an outcome's text. */
export interface OutcomePart extends TextPart {
  /** Of the whole text, in UTF-8. */
  readonly bytes: number;
  /** Of the whole text: parts of two outcomes are not put together. */
  readonly digest: string;
}

export function outcomePart(text: string, offset: number, maxBytes: number): OutcomePart {
  return { ...partOf(text, offset, maxBytes), bytes: Buffer.byteLength(text), digest: digestOf(text) };
}

/** Parts of the outcome that is being fetched: it is read and measured once for all of them. What has ended never changes. */
export class OutcomeParts {
  #latest: { readonly key: string; readonly text: string; readonly bytes: number; readonly digest: string } | undefined;

  /** Undefined: another one, or none, was fetched last. */
  next(key: string, offset: number, maxBytes: number): OutcomePart | undefined {
    const latest = this.#latest;
    if (latest?.key !== key) return undefined;
    const part = { ...partOf(latest.text, offset, maxBytes), bytes: latest.bytes, digest: latest.digest };
    if (part.nextOffset === undefined) this.#latest = undefined;
    return part;
  }

  first(key: string, text: string, offset: number, maxBytes: number): OutcomePart {
    const part = outcomePart(text, offset, maxBytes);
    const { bytes, digest, nextOffset } = part;
    this.#latest = nextOffset === undefined ? undefined : { key, text, bytes, digest };
    return part;
  }
}

/** In place of an answer: it is to be fetched from the worker's ledger. */
export function toBeFetched(key: string): { readonly $taskflowOutcome: string } {
  return { $taskflowOutcome: key };
}

/** Nothing but the key of the very attempt makes it more than an answer of the handler's. */
export function isToBeFetched(answer: unknown, key: string): boolean {
  return typeof answer === "object" && answer !== null && "$taskflowOutcome" in answer && answer.$taskflowOutcome === key;
}

/**
 * Puts an outcome together of its parts.
 * @throws Error if the worker says something else with each part, or more than it announced
 */
export async function joinParts(given: unknown, maxBytes: number, next: (offset: number) => Promise<unknown>): Promise<unknown> {
  const first = checked(given);
  if (first.bytes > maxBytes) throw new Error(`it is of ${first.bytes} bytes, and at most ${maxBytes} are taken`);
  let text = first.chunk;
  for (let part = first; part.nextOffset !== undefined;) {
    if (part.nextOffset !== text.length) throw new Error(`the part behind ${text.length} is said to begin at ${part.nextOffset}`);
    part = checked(await next(part.nextOffset));
    if (part.digest !== first.digest) throw new Error("it has changed while it was fetched");
    text += part.chunk;
    if (text.length > first.bytes) throw new Error(`it is longer than the ${first.bytes} bytes that were announced`);
  }
  if (digestOf(text) !== first.digest) throw new Error("its parts do not make the text that was announced");
  return JSON.parse(text);
}

function checked(part: unknown): OutcomePart {
  const { chunk, nextOffset, bytes, digest } = (typeof part === "object" && part !== null ? part : {}) as Partial<OutcomePart>;
  const isPart =
    typeof chunk === "string" &&
    chunk !== "" &&
    (nextOffset === undefined || Number.isSafeInteger(nextOffset)) &&
    Number.isSafeInteger(bytes) &&
    typeof digest === "string";
  if (!isPart) throw new Error("it is no part of an outcome");
  return part as OutcomePart;
}

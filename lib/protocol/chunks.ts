/** Texts that are too long for one message, in parts. Offsets count UTF-16 units, as JavaScript's strings do. */
import { createHash } from "node:crypto";

/** Of a message, what an answer does not get: the packet's frame, and what an error says around it. */
export const MESSAGE_FRAME = 16 * 1024;

export interface Chunk {
  readonly chunk: string;
  /** Where the next part begins; absent: this is the last one. */
  readonly nextOffset?: number;
}

/** A unit takes at most so many bytes in a message; JSON text has no control characters that would take more. */
const MOST_BYTES_OF_A_UNIT = 3;

/** The part of a JSON text from there on that fits into so many bytes of a message. No pair of surrogates is cut. */
export function chunkAt(text: string, offset: number, maxBytes: number): Chunk {
  const least = Math.max(2, Math.floor(maxBytes / MOST_BYTES_OF_A_UNIT));
  for (let length = Math.max(least, Math.min(maxBytes, text.length - offset)); ; length = Math.floor(length * 0.7)) {
    let end = Math.min(text.length, offset + Math.max(least, length));
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
    const chunk = text.slice(offset, end);
    if (length <= least || bytesOf(chunk) <= maxBytes) return { chunk, ...(end < text.length ? { nextOffset: end } : {}) };
  }
}

/** A UTF-16 unit is at most three bytes: most texts need no counting. */
export function fits(text: string, maxBytes: number): boolean {
  return text.length * MOST_BYTES_OF_A_UNIT <= maxBytes || Buffer.byteLength(text) <= maxBytes;
}

/** Within a message: quotation marks and backslashes are escaped there. */
function bytesOf(chunk: string): number {
  return Buffer.byteLength(JSON.stringify(chunk)) - 2;
}

/** Tells texts apart. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** Does a part begin there? */
export function isBeginning(text: string, offset: number): boolean {
  return offset === 0 || (offset < text.length && !isHighSurrogate(text.charCodeAt(offset - 1)));
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

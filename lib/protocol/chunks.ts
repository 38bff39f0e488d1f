/**
 * Texts that are too long for one message, in chunks. Offsets count UTF-16 units, as JavaScript's
 * strings do.
 */
import { createHash } from "node:crypto";

/** The share of a message that is left for the packet's frame and an error around it. */
export const MESSAGE_FRAME = 16 * 1024;

export interface Chunk {
  readonly chunk: string;
  /** Where the next chunk begins; absent: this is the last one. */
  readonly nextOffset?: number;
}

/**
 * The most bytes that a UTF-16 unit takes in a message; JSON text has no control characters that
 * would take more.
 */
const MOST_BYTES_OF_A_UNIT = 3;

/**
 * The chunk of a JSON text from an offset on that fits into so many bytes of a message. Never cuts
 * a pair of surrogates.
 * @param text may be given in pieces, which together are longer than a string can be
 */
export function chunkAt(text: string | readonly string[], offset: number, maxBytes: number): Chunk {
  const pieces = [text].flat();
  const least = Math.max(2, Math.floor(maxBytes / MOST_BYTES_OF_A_UNIT));
  const most = Math.max(least, maxBytes);
  const rest = textFrom(pieces, offset, most + 1);
  for (let length = Math.min(most, Math.max(least, rest.length)); ; length = Math.max(least, Math.floor(length * 0.7))) {
    const chunk = rest.slice(0, wholeUntil(rest, length));
    if (length > least && bytesInMessage(chunk) > maxBytes) continue;
    const next = offset + chunk.length;
    return { chunk, ...(next < pieces.reduce((sum, piece) => sum + piece.length, 0) ? { nextOffset: next } : {}) };
  }
}

function textFrom(pieces: readonly string[], offset: number, most: number): string {
  let text = "";
  let start = 0;
  for (const piece of pieces) {
    if (text.length >= most) break;
    const from = Math.max(0, offset - start);
    if (from < piece.length) text += piece.slice(from, from + most - text.length);
    start += piece.length;
  }
  return text;
}

/**
 * Joins the chunks of a text.
 * @param next fetches the chunk after one, given the text so far; undefined: that was the last
 */
export async function joinChunks<Part extends { readonly chunk: string }>(
  first: Part,
  next: (part: Part, text: string) => Promise<Part> | undefined,
): Promise<string> {
  let text = "";
  for (let part: Part | undefined = first; part; part = await next(part, text)) text += part.chunk;
  return text;
}

/** A UTF-16 unit is at most three bytes: most texts need no counting. */
export function fits(text: string, maxBytes: number): boolean {
  return text.length * MOST_BYTES_OF_A_UNIT <= maxBytes || Buffer.byteLength(text) <= maxBytes;
}

/** Within a message: quotation marks and backslashes are escaped there. */
function bytesInMessage(chunk: string): number {
  return Buffer.byteLength(JSON.stringify(chunk)) - 2;
}

/** Tells texts apart. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** Does a chunk begin there? */
export function isBeginning(text: string, offset: number): boolean {
  return offset === 0 || (offset < text.length && wholeUntil(text, offset) === offset);
}

/** That far, or one unit less where a cut would divide a pair of surrogates. */
export function wholeUntil(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last < 0xdc00 ? end - 1 : end;
}

/** Splits entries that are too large for a document into chunks, and joins them again. */
import { wholeUntil } from "../../protocol/chunks.ts";
import { type EntryText, newName, type ChunkDocument, partId } from "./schema.ts";

/**
 * UTF-16 units of a document's text: at most 12 MiB in UTF-8, of the 16 MiB that a document may
 * have.
 */
const PART_LENGTH = 4 * 1024 * 1024;
/**
 * A new taskflow's row is rewritten at each change, so a large first entry is stored apart from it.
 */
const EMBEDDED_LENGTH = 64 * 1024;

/** The text of an entry as its document holds it, and the chunks to store before it. */
export function cut(journal: string, revision: number, entry: string): { text: EntryText; parts: ChunkDocument[] } {
  if (entry.length <= (revision === 1 ? EMBEDDED_LENGTH : PART_LENGTH)) return { text: { entry }, parts: [] };
  const { part, parts } = cutIntoParts(journal, revision, entry);
  return { text: { part, parts: parts.length }, parts };
}

export function cutIntoParts(journal: string, revision: number, text: string): { part: string; parts: ChunkDocument[] } {
  const part = newName();
  const parts: ChunkDocument[] = [];
  for (let start = 0; start < text.length;) {
    // Half a character would be lost.
    const end = wholeUntil(text, start + PART_LENGTH);
    parts.push({ _id: partId(journal, revision, part, parts.length), text: text.slice(start, end) });
    start = end;
  }
  return { part, parts };
}

/** Undefined if a chunk is missing. */
export function join(
  journal: string,
  revision: number,
  { entry, part, parts }: EntryText,
  texts: ReadonlyMap<string, string>,
): string | undefined {
  if (part === undefined || parts === undefined) return entry;
  let joined = "";
  for (let number = 0; number < parts; number++) {
    const text = texts.get(partId(journal, revision, part, number));
    if (text === undefined) return undefined;
    joined += text;
  }
  return joined;
}

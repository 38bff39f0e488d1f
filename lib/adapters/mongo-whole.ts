/**
 * A taskflow that is stored with all of its journal at once. Its entries come first, under a journal's name that nothing names yet; the row, which does, comes
 * last: before it is there, there is no such taskflow.
 */
import type { Collection } from "mongodb";
import type { TaskflowRow, WriteResult } from "../ports/store.ts";
import { MongoInserts } from "./mongodb/inserts.ts";
import type { MongoLink } from "./mongodb/client.ts";
import { cut } from "./mongodb/chunks.ts";
import { entryId, entryIds, newName, partIds, type RowDocument, type TaskflowDocument, toDocument } from "./mongodb/schema.ts";

/** Documents, and UTF-16 units of their texts, that are sent at once. */
const MOST_DOCUMENTS = 1_000;
const MOST_TEXT = 8 * 1024 * 1024;

export async function insertTaskflow(
  rows: Collection<RowDocument>,
  link: MongoLink,
  row: TaskflowRow,
  entries: readonly string[],
): Promise<WriteResult> {
  const _id = row.taskflowId;
  // Spares the writes that would be in vain; what comes in between is noticed below.
  if ((await link.persist(() => rows.findOne({ _id }, { projection: { _id: 1 } }))) !== null) return "conflict";
  const inserts = new MongoInserts(link);
  const journal = newName();
  const pieces = entries.map((entry, index) => cut(journal, index + 1, entry));
  const others = pieces.flatMap(({ text, parts }, index): TaskflowDocument[] =>
    index === 0 ? parts : [...parts, { _id: entryId(journal, index + 1), ...text }],
  );
  for (const { documents, length } of batches(others)) await inserts.insert(documents, length);
  const document = { ...toDocument(row, journal, pieces[0]?.text ?? {}), revision: entries.length };
  const [isStored] = await inserts.insert([document], JSON.stringify(document).length);
  if (isStored === true) return "stored";
  await link.persist(() => rows.deleteMany({ _id: entryIds(journal) }));
  await link.persist(() => rows.deleteMany({ _id: partIds(journal) }));
  return "conflict";
}

function* batches(documents: readonly TaskflowDocument[]): Generator<{ documents: TaskflowDocument[]; length: number }> {
  let batch: TaskflowDocument[] = [];
  let length = 0;
  for (const document of documents) {
    const own = lengthOf(document);
    if (batch.length >= MOST_DOCUMENTS || (batch.length > 0 && length + own > MOST_TEXT)) {
      yield { documents: batch, length };
      batch = [];
      length = 0;
    }
    batch.push(document);
    length += own;
  }
  if (batch.length > 0) yield { documents: batch, length };
}

function lengthOf(document: TaskflowDocument): number {
  if ("text" in document) return document.text.length;
  return document.entry?.length ?? 0;
}

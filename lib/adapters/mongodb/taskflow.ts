/**
 * Reads and deletes whole taskflows. Both may be repeated, and another coordinator may work on the
 * same taskflow.
 */
import type { Collection } from "mongodb";
import type { StoredTaskflow, WriteResult, TaskflowRow } from "../../ports/store.ts";
import { isDuplicateKey } from "./error.ts";
import type { Known, MongoJournal } from "./journal.ts";
import { cut, join } from "./chunks.ts";
import {
  type ChunkDocument,
  type EntryDocument,
  entryId,
  entryIds,
  type EntryText,
  journalOf,
  newName,
  partIds,
  revisionOf,
  ROW_PROJECTION,
  type RowDocument,
  type TaskflowDocument,
  toDocument,
  toRow,
} from "./schema.ts";
import type { MongoLink } from "./client.ts";
import { MongoInserts } from "./inserts.ts";

/** Documents of a journal per answer: decoding them blocks the engine. */
const MANY = 10_000;

export interface Found extends StoredTaskflow {
  readonly known: Known;
}

/**
 * The existing ones of these taskflows, in any order: always two queries. `halfGone`: the ids whose
 * deletion was begun and is not complete, perhaps for good. They no longer exist, except that their
 * id is taken.
 */
export async function readTaskflows(
  rows: Collection<RowDocument>,
  taskflowIds: readonly string[],
  missing?: string,
): Promise<{ found: Found[]; halfGone: string[] }> {
  const found = await rows.find({ _id: { $in: [...taskflowIds] } }, { batchSize: MANY }).toArray();
  const stored = found.filter(({ journal }) => journal !== undefined);
  if (stored.length === 0) return { found: [], halfGone: [] };
  const ranges = stored.map((row) => ({ _id: { ...entryIds(row.journal), $gt: entryId(row.journal, firstOf(row)) } }));
  const documents = await entriesOf(rows)
    .find(ranges.length === 1 ? ranges[0]! : { $or: ranges }, { batchSize: MANY })
    .toArray();
  const byJournal = Map.groupBy(documents, ({ _id }) => journalOf(_id));
  for (const entries of byJournal.values()) entries.sort((a, b) => (a._id < b._id ? -1 : 1));
  const isGone = ({ journal }: RowDocument): boolean => byJournal.get(journal)?.at(-1)?.gone !== undefined;
  const whole: Found[] = [];
  const halfGone = stored.filter(isGone).map(({ _id }) => _id);
  const readOne = async (row: RowDocument): Promise<void> => {
    try {
      whole.push(await putTogether(rows, row, byJournal.get(row.journal) ?? [], missing));
    } catch (error) {
      // It was compacted during the read: the row names another snapshot by now.
      const now = await rows.findOne({ _id: row._id });
      if (now?.journal === row.journal && firstOf(now) === firstOf(row)) throw error;
      const again = await readTaskflows(rows, [row._id], missing);
      whole.push(...again.found);
      halfGone.push(...again.halfGone);
    }
  };
  await Promise.all(stored.filter((row) => !isGone(row)).map(readOne));
  return { found: whole, halfGone };
}

/** The revision that the others follow. */
function firstOf({ snapshot }: RowDocument): number {
  return snapshot?.revision ?? 1;
}

/**
 * @param documents its entries after the first or the snapshot, in order
 * @param missing takes the place of a damaged entry; without it, a damaged entry throws
 */
async function putTogether(
  rows: Collection<RowDocument>,
  row: RowDocument,
  documents: readonly EntryDocument[],
  missing: string | undefined,
): Promise<Found> {
  const { journal, snapshot, fence, dueAt, open } = row;
  const first = firstOf(row);
  if (missing !== undefined) documents = withoutGaps(journal, documents, first);
  const hasParts = [row, ...documents].some(({ parts }) => parts !== undefined) || snapshot !== undefined;
  const texts = hasParts ? await readParts(rows, journal) : new Map<string, string>();
  const textOf = (revision: number, pieces: EntryText, isThere = true): string => {
    const text = isThere ? join(journal, revision, pieces, texts) : undefined;
    if (text !== undefined) return text;
    if (missing !== undefined) return missing;
    throw new RangeError(`its journal is damaged at entry ${revision}`);
  };
  const entries = [textOf(1, row)];
  if (snapshot) entries.push(...textOf(first, snapshot).split("\n"));
  for (const [index, document] of documents.entries()) {
    const revision = first + index + 1;
    entries.push(textOf(revision, document, revisionOf(document._id) === revision));
  }
  const revision = first + documents.length;
  const known = { journal, revision, fence, dueAt, isOpen: open === true };
  return { row: toRow(row), journal, entries, revision, known };
}

/** The entries after a revision; undefined if the whole taskflow must be read. */
export async function readEntriesOn(
  rows: Collection<RowDocument>,
  taskflowId: string,
  journal: string,
  revision: number,
): Promise<StoredTaskflow | undefined> {
  const row = await rows.findOne({ _id: taskflowId, journal }, { projection: ROW_PROJECTION });
  if (row === null) return undefined;
  const documents = await entriesOf(rows)
    .find({ _id: { ...entryIds(journal), $gt: entryId(journal, revision) } }, { batchSize: MANY })
    .sort({ _id: 1 })
    .toArray();
  const isWhole = documents.every(
    ({ _id, entry, gone }, index) => revisionOf(_id) === revision + index + 1 && entry !== undefined && gone === undefined,
  );
  if (!isWhole) return undefined;
  const entries = documents.map(({ entry = "" }) => entry);
  return { row: toRow(row), journal, entries, revision: revision + entries.length };
}

/**
 * First a tombstone takes the next number of the journal, at which a coordinator that knows of no
 * deletion may append. The tombstone or that append comes first: the other finds the number taken.
 *
 * A former owner may still append at the number that the next owner took, so those numbers stay
 * taken too.
 *
 * Interrupted after the tombstone, the deletion is completed by the next call.
 */
export async function deleteTaskflow(
  rows: Collection<RowDocument>,
  journal: MongoJournal,
  taskflowId: string,
  isForced = false,
): Promise<"deleted" | "missing" | "active"> {
  const entries = entriesOf(rows);
  for (;;) {
    const found = await rows.findOne({ _id: taskflowId }, { projection: { journal: 1 } });
    if (found?.journal === undefined) return "missing";
    const last = await journal.last(found.journal);
    // A coordinator that continues a finished taskflow reopens its row before it appends: `last`
    // saw that in the row.
    const row = await rows.findOne(
      { _id: taskflowId, journal: found.journal },
      { projection: { journal: 1, fence: 1, open: 1 } },
    );
    if (row === null) continue;
    if (row.open === true && !last.isGone && !isForced) return "active";
    const tombstone = entryId(row.journal, last.isGone ? last.revision : last.revision + 1);
    const gone = new Date();
    try {
      if (!last.isGone) await entries.insertOne({ _id: tombstone, gone });
    } catch (error) {
      // Another coordinator has appended or deletes it as well: look again.
      if (isDuplicateKey(error)) continue;
      throw error;
    }
    if (row.fence === 1) {
      await entries.deleteMany({ _id: { $gt: `${row.journal}.`, $lt: tombstone } });
    } else {
      await entries.deleteMany({ _id: partIds(row.journal) });
      await entries.updateMany(
        { _id: { $gt: entryIds(row.journal).$gt, $lt: tombstone } },
        { $set: { gone }, $unset: { entry: "", part: "", parts: "" } },
      );
    }
    await rows.deleteOne({ _id: taskflowId, journal: row.journal });
    return "deleted";
  }
}

/** Takes the place of missing entries. */
function withoutGaps(journal: string, documents: readonly EntryDocument[], first: number): EntryDocument[] {
  const byRevision = new Map(documents.map((document) => [revisionOf(document._id), document]));
  const last = documents.length === 0 ? first : revisionOf(documents.at(-1)!._id);
  return Array.from({ length: last - first }, (_, index) => {
    const revision = first + index + 1;
    return byRevision.get(revision) ?? { _id: entryId(journal, revision) };
  });
}

function entriesOf(rows: Collection<RowDocument>): Collection<EntryDocument> {
  return rows as unknown as Collection<EntryDocument>;
}

async function readParts(rows: Collection<RowDocument>, journal: string): Promise<Map<string, string>> {
  const parts = rows as unknown as Collection<ChunkDocument>;
  const documents = await parts
    .find({ _id: partIds(journal) }, { batchSize: MANY })
    .sort({ _id: 1 })
    .toArray();
  return new Map(documents.map(({ _id, text }) => [_id, text]));
}
/** Documents, and UTF-16 units of their texts, per command. */
const MOST_DOCUMENTS = 1_000;
const MOST_TEXT = 8 * 1024 * 1024;

/**
 * A taskflow that is stored with all of its journal at once. Its entries come first, under a
 * journal's name that nothing names yet; the row, which does, comes last: before it is there,
 * there is no such taskflow.
 */
export async function insertTaskflow(
  rows: Collection<RowDocument>,
  link: MongoLink,
  row: TaskflowRow,
  entries: readonly string[],
): Promise<WriteResult> {
  const _id = row.taskflowId;
  // Avoids writes that would be in vain; a taskflow created in between is noticed below.
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

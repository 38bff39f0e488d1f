/**
 * Compacts a journal: stores the chunks of the snapshot, then the row that names them, then deletes
 * the entries that it replaces.
 */
import type { Collection } from "mongodb";
import type { WriteResult } from "../../ports/store.ts";
import { cutIntoParts } from "./chunks.ts";
import type { MongoLink } from "./client.ts";
import { MongoInserts } from "./inserts.ts";
import { type ChunkDocument, type EntryDocument, entryId, entryIds, partId, partIdsOf, type RowDocument } from "./schema.ts";

export async function compactJournal(
  rows: Collection<RowDocument>,
  link: MongoLink,
  ...[taskflowId, journal, revision, texts]: [string, string, number, readonly string[]]
): Promise<WriteResult> {
  const entries = rows as unknown as Collection<EntryDocument>;
  const last = await link.persist(() =>
    entries.findOne({ _id: { ...entryIds(journal), $gt: entryId(journal, revision) } }, { projection: { _id: 1 } }),
  );
  if (last === null) return "conflict";
  const { part, parts } = cutIntoParts(journal, revision, texts.join("\n"));
  const inserts = new MongoInserts(link);
  for (const document of parts) await inserts.insert([document], document.text.length);
  const isValid = await link.persist(async () => {
    const isOlder = {
      $or: [{ snapshot: { $exists: false } }, { "snapshot.revision": { $lt: revision } }, { "snapshot.part": part }],
    };
    const snapshot = { revision, part, parts: parts.length };
    const { matchedCount } = await rows.updateOne({ _id: taskflowId, journal, ...isOlder }, { $set: { snapshot } });
    return matchedCount === 1;
  });
  await link.persist(() => (isValid ? removeReplaced(rows, journal, revision) : removeParts(rows, journal, revision, part)));
  return isValid ? "stored" : "conflict";
}

/** A former owner may still append at the number of a takeover entry, so the number stays taken. */
async function removeReplaced(rows: Collection<RowDocument>, journal: string, revision: number): Promise<void> {
  const entries = rows as unknown as Collection<EntryDocument>;
  const _id = { $gt: entryIds(journal).$gt, $lte: entryId(journal, revision) };
  await entries.deleteMany({ _id, takeover: { $exists: false }, gone: { $exists: false } });
  const change = { $set: { gone: new Date() }, $unset: { entry: "", part: "", parts: "", takeover: "" } } as const;
  await entries.updateMany({ _id, takeover: true }, change);
  const parts = rows as unknown as Collection<ChunkDocument>;
  // The chunks of entry 1 stay.
  await parts.deleteMany({ _id: { $gt: partId(journal, 2, "", 0), $lt: partId(journal, revision, "", 0) } });
}

async function removeParts(rows: Collection<RowDocument>, journal: string, revision: number, part: string): Promise<void> {
  const parts = rows as unknown as Collection<ChunkDocument>;
  await parts.deleteMany({ _id: partIdsOf(journal, revision, part) });
}

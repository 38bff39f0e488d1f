/**
 * Inserts with a certain outcome: sent again until the server has confirmed that each document is
 * stored, or that its id is taken.
 *
 * After a try without a certain answer, a document that meets its own id may be the one sent
 * before, so it is compared with the stored one. (The driver's answer to the second insert also
 * confirms that the existing document is as durable as requested.)
 */
import type { Collection } from "mongodb";
import { takenOf } from "./error.ts";
import type { MongoLink } from "./client.ts";
import { type EntryDocument, type ChunkDocument, type RowDocument, type TaskflowDocument, TASKFLOWS } from "./schema.ts";

/**
 * Fields of rows, entries and chunks, of which each has some; together they identify the writer of
 * a document.
 */
type Identity = Partial<Pick<RowDocument, "journal"> & Pick<EntryDocument, "entry" | "part"> & Pick<ChunkDocument, "text">>;

export class MongoInserts {
  readonly #link: MongoLink;

  constructor(link: MongoLink) {
    this.#link = link;
  }

  /**
   * For each document, in order: true if it is stored, false if its id belongs to another. Rejects
   * with STORE_UNAVAILABLE if that is unknown.
   */
  async insert(documents: readonly TaskflowDocument[], bytes: number): Promise<boolean[]> {
    if (documents.length === 0) return [];
    let tries = 0;
    const operations = documents.map((document) => ({ insertOne: { document } }));
    const taken = await this.#link.persist(async () => {
      const isRepeated = tries++ > 0;
      try {
        await this.#collection.bulkWrite(operations, { ordered: false });
        return new Set<number>();
      } catch (error) {
        const found = takenOf(error);
        if (found !== undefined) return isRepeated ? this.#others(documents, found) : found;
        throw error;
      }
    }, bytes);
    return documents.map((_, index) => !taken.has(index));
  }

  get #collection(): Collection<TaskflowDocument> {
    return this.#link.collection<TaskflowDocument>(TASKFLOWS);
  }

  /** The documents whose id belongs to another document. */
  async #others(documents: readonly TaskflowDocument[], taken: ReadonlySet<number>): Promise<Set<number>> {
    const ids = [...taken].map((index) => documents[index]!._id);
    const found = await this.#collection.find({ _id: { $in: ids } }).toArray();
    const byId = new Map(found.map((document) => [document._id, document]));
    return new Set([...taken].filter((index) => !isSame(documents[index]!, byId.get(documents[index]!._id))));
  }
}

/**
 * The names of the journal and of the parts belong to one write only, so only small entries are
 * compared by text.
 */
function isSame(ours: Identity, stored: Identity | undefined): boolean {
  if (stored === undefined) return false;
  if (ours.journal !== undefined) return ours.journal === stored.journal;
  return ours.entry === stored.entry && ours.part === stored.part && ours.text === stored.text;
}

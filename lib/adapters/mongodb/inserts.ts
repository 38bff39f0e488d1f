/**
 * Inserts that are certain: sent again until the server has said of each document that it is
 * there, or that its id was taken.
 *
 * After a try without a certain answer, a document that meets its own id may be the very one that
 * was sent before. It is compared with what is stored then. (A driver's answer to the second
 * insert also says that what it met is as durable as was asked for.)
 */
import type { Collection } from "mongodb";
import { takenOf } from "./error.ts";
import type { MongoLink } from "./client.ts";
import { type EntryDocument, type ChunkDocument, type RowDocument, type TaskflowDocument, TASKFLOWS } from "./schema.ts";

/** What a row, an entry and a part have, each some of it; all of it says whose a document is. */
type Identity = Partial<Pick<RowDocument, "journal"> & Pick<EntryDocument, "entry" | "part"> & Pick<ChunkDocument, "text">>;

export class MongoInserts {
  readonly #link: MongoLink;

  constructor(link: MongoLink) {
    this.#link = link;
  }

  /**
   * Of each document, in order: is it stored? Else its id is another's. Rejects with
   * STORE_UNAVAILABLE when nobody knows.
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

  /** Those of the documents that met another's, not their own. */
  async #others(documents: readonly TaskflowDocument[], taken: ReadonlySet<number>): Promise<Set<number>> {
    const ids = [...taken].map((index) => documents[index]!._id);
    const found = await this.#collection.find({ _id: { $in: ids } }).toArray();
    const byId = new Map(found.map((document) => [document._id, document]));
    return new Set([...taken].filter((index) => !isSame(documents[index]!, byId.get(documents[index]!._id))));
  }
}

/**
 * The journal's name and that of the parts are of one write only, so texts are compared for small
 * entries alone.
 */
function isSame(ours: Identity, stored: Identity | undefined): boolean {
  if (stored === undefined) return false;
  if (ours.journal !== undefined) return ours.journal === stored.journal;
  return ours.entry === stored.entry && ours.part === stored.part && ours.text === stored.text;
}

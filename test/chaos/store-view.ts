/** The store of a chaos run, seen past everything that is tested. */
import { MongoClient, type Collection } from "mongodb";
import { type EntryDocument, revisionOf, type RowDocument, TASKFLOWS } from "../../lib/adapters/mongodb/schema.ts";
import { taskflowDetails } from "../../lib/core/views/details.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import type { TaskflowDetails } from "../../lib/index.ts";

export type OwnedRow = Pick<RowDocument, "_id" | "owner" | "fence">;

export interface StoredFlow {
  /** Replayed from its journal. @throws Error if that is damaged */
  readonly details: () => TaskflowDetails;
  readonly isOpen: boolean;
  /** Ids of its row and its entries. */
  readonly documents: readonly string[];
}

const CALL_MS = 5_000;

const journalOf = (id: string): string => id.split(/[./]/)[0] ?? "";

export class StoreView {
  readonly #client: MongoClient;
  readonly #documents: Collection<RowDocument & EntryDocument>;

  constructor(storeUrl: string) {
    this.#client = new MongoClient(storeUrl, { serverSelectionTimeoutMS: CALL_MS, socketTimeoutMS: CALL_MS, retryWrites: false });
    this.#documents = this.#client.db().collection(TASKFLOWS);
  }

  /** The unfinished ones of these. */
  open(ids: readonly string[]): Promise<OwnedRow[]> {
    return this.#documents.find({ _id: { $in: [...ids] }, open: true }, { projection: { owner: 1, fence: 1 } }).toArray();
  }

  /** Every taskflow, in one go. */
  async readAll(): Promise<Map<string, StoredFlow>> {
    const all = await this.#documents.find({}, { batchSize: 100_000 }).toArray();
    const entries = Map.groupBy(
      all.filter(({ journal, gone }) => journal === undefined && gone === undefined),
      ({ _id }) => journalOf(_id),
    );
    const rows = all.filter(({ journal }) => journal !== undefined);
    return new Map(
      rows.map((row) => {
        const journal = [row, ...(entries.get(row.journal) ?? []).toSorted((one, other) => (one._id < other._id ? -1 : 1))];
        return [row._id, storedFlow(row, journal)];
      }),
    );
  }

  async remove(documents: readonly string[]): Promise<void> {
    if (documents.length > 0) await this.#documents.deleteMany({ _id: { $in: [...documents] } });
  }

  /** As a TTL index does, which the stand-in has not, but sooner. */
  async removeTombstones(olderThanMs: number): Promise<void> {
    await this.#documents.deleteMany({ gone: { $lt: new Date(Date.now() - olderThanMs) } });
  }

  /**
   * What must not be there once all is quiet.
   * @param removed taskflows that were deleted
   */
  async leftovers(removed: ReadonlySet<string>): Promise<string[]> {
    const all = await this.#documents.find({}, { projection: { journal: 1, open: 1, gone: 1 } }).toArray();
    const journals = new Set(all.map(({ journal }) => journal));
    return all.flatMap(({ _id, journal, open, gone }) => {
      if (journal !== undefined) {
        if (removed.has(_id)) return [`${_id} was deleted, and is there again`];
        return open ? [`${_id}: its row says that it goes on`] : [];
      }
      const isOrphan = gone === undefined && !journals.has(journalOf(_id));
      return isOrphan ? [`entry ${_id} is of a taskflow that is not there`] : [];
    });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function storedFlow(row: RowDocument, journal: readonly EntryDocument[]): StoredFlow {
  const details = (): TaskflowDetails => {
    for (const [index, { _id }] of journal.entries()) {
      if (index > 0 && revisionOf(_id) !== index + 1) throw new Error(`entry ${index + 1} of its journal is missing`);
    }
    const flow = replay(journal.map(({ entry = "" }) => decodeEntry(entry)));
    return JSON.parse(JSON.stringify(taskflowDetails(flow, () => "NO_WORKER"))) as TaskflowDetails;
  };
  return { details, isOpen: row.open === true, documents: journal.map(({ _id }) => _id) };
}

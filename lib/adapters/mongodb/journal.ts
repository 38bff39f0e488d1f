/**
 * The journals of a MongoDB store: creates and appends, and reading them back.
 *
 * The order of writes within a commit, each acknowledged before the next:
 * 1. the parts of large entries, which mean nothing until their entry names them;
 * 2. rows that must become more urgent: a taskflow that is to be woken earlier, or one that was
 *    finished and goes on, is found by `due` and `claim` from now on, entry or not. Where the row
 *    is another owner's by now, the entry is refused: that one has left it on disk, perhaps for
 *    ever;
 * 3. the entries and new taskflows, in one unordered bulk. Now they are stored;
 * 4. later, all other changes of rows (`mongo-rows.ts`).
 *
 * Nearly always there is only the third, and the fourth when a taskflow ends.
 */
import type { Collection, UpdateFilter } from "mongodb";
import { isFinished } from "../../core/model/flow.ts";
import type { RowChange, StoredTaskflow, TaskflowRow, Write, WriteResult } from "../../ports/store.ts";
import { storedEntry } from "../../ports/stored-entry.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import { MongoInserts } from "./inserts.ts";
import type { MongoLink } from "./client.ts";
import { cut } from "./chunks.ts";
import type { ProjectionWriter } from "./projection-writer.ts";
import {
  type ChunkDocument,
  type EntryDocument,
  entryId,
  entryIds,
  newName,
  revisionOf,
  type RowDocument,
  type TaskflowDocument,
  TASKFLOWS,
  toDocument,
} from "./schema.ts";

/** A taskflow in use, as of the last read or write. */
export interface Known {
  readonly journal: string;
  readonly revision: number;
  readonly fence: number;
  readonly dueAt: number;
  readonly isOpen: boolean;
}

type Append = Extract<Write, { kind: "append" }>;

interface UpdateOne {
  readonly updateOne: {
    readonly filter: { readonly _id: string; readonly [path: string]: unknown };
    readonly update: UpdateFilter<RowDocument>;
  };
}

/** A write, ready to be sent. */
interface Plan {
  readonly document: TaskflowDocument;
  readonly parts: readonly ChunkDocument[];
  readonly urgent: UpdateOne | undefined;
  /** The state of the taskflow once the write is stored. */
  readonly known: Known;
}

/** A commit without an answer, until the taskflow is read again. */
interface Uncertain {
  readonly append: Append;
  readonly known: Known;
}

/** Beyond this size the cache is cleared; a missing taskflow costs two queries. */
const KNOWN_LIMIT = 200_000;
/** The revision does not follow the known one, so the taskflow is looked up. */
const UNKNOWN = -1;

export class MongoJournal {
  readonly #link: MongoLink;
  readonly #rows: ProjectionWriter;
  readonly #inserts: MongoInserts;
  readonly #known = new BoundedMap<string, Known>(KNOWN_LIMIT);
  readonly #uncertain = new BoundedMap<string, Uncertain>(KNOWN_LIMIT);
  #last: Promise<unknown> = Promise.resolve();

  constructor(link: MongoLink, rows: ProjectionWriter) {
    this.#link = link;
    this.#rows = rows;
    this.#inserts = new MongoInserts(link);
  }

  /** One commit at a time: the next one's numbers follow from what this one stored. */
  commit(writes: readonly Write[]): Promise<WriteResult[]> {
    return this.between(() => this.#commit(writes));
  }

  /** While no commit is under way. */
  between<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Takes the result of reading a taskflow. A read older than the last claim is ignored. */
  remember(taskflowId: string, known: Known): void {
    const former = this.#known.get(taskflowId);
    if (former?.journal === known.journal && former.fence > known.fence) return;
    this.#known.set(taskflowId, known);
  }

  /** The taskflow has a new fence, and its former owner's last appends are not known. */
  claimed(taskflowId: string, fence: number): void {
    const former = this.#known.get(taskflowId);
    if (former !== undefined) this.#known.set(taskflowId, { ...former, fence, revision: UNKNOWN });
  }

  recall(taskflowId: string): Known | undefined {
    return this.#known.get(taskflowId);
  }

  forget(taskflowId: string): void {
    this.#known.delete(taskflowId);
  }

  /**
   * If this taskflow's last commit got no answer and these entries show that it was stored, its
   * change of the row is written now, like any other.
   */
  settle(taskflowId: string, stored: Pick<StoredTaskflow, "entries" | "revision">): RowChange | undefined {
    const uncertain = this.#uncertain.get(taskflowId);
    if (uncertain === undefined) return undefined;
    this.#uncertain.delete(taskflowId);
    const { append, known } = uncertain;
    if (append.row === undefined || storedEntry(stored, append.revision) !== append.entry) return undefined;
    this.#rows.defer({ taskflowId, fence: known.fence, revision: append.revision, change: append.row });
    return append.row;
  }

  /** The number of the last entry, and whether it is a tombstone. */
  async last(journal: string): Promise<{ revision: number; isGone: boolean }> {
    const [last] = await this.#entries
      .find({ _id: entryIds(journal) }, { projection: { gone: 1 } })
      .sort({ _id: -1 })
      .limit(1)
      .toArray();
    return last === undefined
      ? { revision: 1, isGone: false }
      : { revision: revisionOf(last._id), isGone: last.gone !== undefined };
  }

  async #commit(writes: readonly Write[]): Promise<WriteResult[]> {
    if (writes.length === 0) return [];
    await this.#getToKnow(writes);
    const plans = writes.map((write) => (write.kind === "create" ? planCreate(write.row, write.entry) : this.#planAppend(write)));
    const possible = plans.filter((plan) => plan !== undefined);
    try {
      const parts = possible.flatMap((plan) => plan.parts);
      if (parts.length > 0) await this.#inserts.insert(parts, sizeOf(writes));
      const refused = await this.#writeUrgent(writes, plans);
      const sent = possible.filter((plan) => !refused.has(plan));
      const isStored = await this.#inserts.insert(
        sent.map((plan) => plan.document),
        sizeOf(writes),
      );
      const stored = new Set(sent.filter((_, index) => isStored[index]));
      return writes.map((write, index) => this.#settled(write, plans[index], stored));
    } catch (error) {
      for (const [index, write] of writes.entries()) this.#doubt(write, plans[index]);
      throw error;
    }
  }

  /** Reads the taskflows to append to that are unknown or seem outdated. */
  async #getToKnow(writes: readonly Write[]): Promise<void> {
    const ids: string[] = [];
    for (const write of writes) {
      if (write.kind === "append" && this.#known.get(write.taskflowId)?.revision !== write.revision - 1)
        ids.push(write.taskflowId);
    }
    if (ids.length === 0) return;
    for (const id of ids) this.#known.delete(id);
    const projection = { journal: 1, fence: 1, dueAt: 1, open: 1 };
    await this.#link.persist(async () => {
      const rows = await this.#collection.find({ _id: { $in: ids } }, { projection }).toArray();
      const look = async ({ _id, journal, fence, dueAt, open }: RowDocument): Promise<void> => {
        if (journal === undefined) return;
        const { revision, isGone } = await this.last(journal);
        if (!isGone) this.remember(_id, { journal, revision, fence, dueAt, isOpen: open === true });
      };
      await Promise.all(rows.map(look));
    });
  }

  /**
   * Undefined if it cannot be stored: the number is taken, would leave a gap, or there is no such
   * taskflow.
   */
  #planAppend({ taskflowId, revision, entry, row, isTakeover }: Append): Plan | undefined {
    const known = this.#known.get(taskflowId);
    if (known === undefined || revision !== known.revision + 1) return undefined;
    const { journal, fence } = known;
    const { text, parts } = cut(journal, revision, entry);
    const next: Known = {
      ...known,
      revision,
      dueAt: row?.dueAt ?? known.dueAt,
      isOpen: row?.status === undefined ? known.isOpen : !isFinished(row.status),
    };
    const isUrgent = next.isOpen && (!known.isOpen || next.dueAt < known.dueAt);
    return {
      document: { _id: entryId(journal, revision), ...text, ...(isTakeover ? { takeover: true } : {}) },
      parts,
      known: next,
      urgent: isUrgent
        ? {
            updateOne: {
              filter: { _id: taskflowId, fence, revision: { $lt: revision } },
              // The revision before: a change of an older entry does not undo it, and this entry's
              // own change completes it.
              update: {
                $set: {
                  ...(row?.owner === undefined ? {} : { owner: row.owner }),
                  open: true,
                  dueAt: next.dueAt,
                  revision: revision - 1,
                },
              },
            },
          }
        : undefined,
    };
  }

  /** Returns those whose row has another owner. */
  async #writeUrgent(writes: readonly Write[], plans: readonly (Plan | undefined)[]): Promise<Set<Plan>> {
    const urgent = plans.filter((plan) => plan?.urgent !== undefined) as (Plan & { urgent: UpdateOne })[];
    if (urgent.length === 0) return new Set();
    const isDeferred = writes.some(
      (write, index) => write.kind === "append" && plans[index]?.urgent !== undefined && this.#rows.has(write.taskflowId),
    );
    if (isDeferred) await this.#rows.flush();
    const count = await this.#rows.write(urgent.map((plan) => plan.urgent));
    if (count === urgent.length) return new Set();
    const found = await this.#link.persist(() => {
      const _id = { $in: urgent.map((plan) => plan.urgent.updateOne.filter._id) };
      return this.#collection.find({ _id }, { projection: { fence: 1 } }).toArray();
    });
    const fences = new Map(found.map(({ _id, fence }) => [_id, fence]));
    return new Set(urgent.filter(({ urgent: { updateOne }, known }) => fences.get(updateOne.filter._id) !== known.fence));
  }

  #settled(write: Write, plan: Plan | undefined, stored: ReadonlySet<Plan>): WriteResult {
    const taskflowId = write.kind === "create" ? write.row.taskflowId : write.taskflowId;
    if (plan === undefined || !stored.has(plan)) {
      this.#known.delete(taskflowId);
      return "conflict";
    }
    const { known } = plan;
    if (write.kind === "append" && write.row !== undefined) {
      this.#rows.defer({ taskflowId, fence: known.fence, revision: write.revision, change: write.row });
    }
    this.remember(taskflowId, known);
    // Most are never appended to again once they are finished.
    if (!known.isOpen) this.#known.delete(taskflowId);
    return "stored";
  }

  #doubt(write: Write, plan: Plan | undefined): void {
    const taskflowId = write.kind === "create" ? write.row.taskflowId : write.taskflowId;
    this.#known.delete(taskflowId);
    if (write.kind === "append" && plan !== undefined) {
      this.#uncertain.set(taskflowId, { append: write, known: plan.known });
    }
  }

  get #collection(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }

  get #entries(): Collection<EntryDocument> {
    return this.#link.collection<EntryDocument>(TASKFLOWS);
  }
}

function planCreate(row: TaskflowRow, entry: string): Plan {
  const journal = newName();
  const { text, parts } = cut(journal, 1, entry);
  const { fence, dueAt } = row;
  return {
    document: toDocument(row, journal, text),
    parts,
    urgent: undefined,
    known: { journal, revision: 1, fence, dueAt, isOpen: !isFinished(row.status) },
  };
}

function sizeOf(writes: readonly Write[]): number {
  return writes.reduce((sum, { entry }) => sum + entry.length, 0);
}

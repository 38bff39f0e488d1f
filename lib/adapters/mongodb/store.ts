/**
 * The store on MongoDB, for any number of coordinators. `schema.ts` has the layout of documents,
 * `journal.ts` the order of writes. Only single documents are ever written atomically, so a
 * standalone server does as well as a replica set: no transactions, no pipelines, no change
 * streams.
 */
import type { Collection } from "mongodb";
import type {
  Claimed,
  DuePlace,
  KnownOwner,
  PauseRule,
  RawTaskflow,
  RowChange,
  Store,
  StoredTaskflow,
  StoreHealth,
  TaskflowPage,
  TaskflowQuery,
  TaskflowRow,
  Write,
  WriteResult,
} from "../../ports/store.ts";
import { Semaphore } from "../../util/semaphore.ts";
import { checkQuery } from "../../ports/list-cursor.ts";
import { STORE_FORMAT } from "../../ports/store-format.ts";
import { isDuplicateKey, messageOf } from "./error.ts";
import { MongoClaims } from "./claims.ts";
import { MongoJournal } from "./journal.ts";
import { MongoLink, type MongoLinkOptions } from "./client.ts";
import { MongoOwners } from "./owners.ts";
import { type MetaDocument, openStore } from "./open-store.ts";
import { MongoPauses } from "./pause-rules.ts";
import { compactJournal } from "./snapshots.ts";
import { deleteTaskflow, insertTaskflow, readEntriesOn, readTaskflows } from "./taskflow.ts";
import { listTaskflows } from "./query.ts";
import { ProjectionWriter, toUpdate } from "./projection-writer.ts";
import { INDEXES, META, type RowDocument, TASKFLOWS } from "./schema.ts";

/** Concurrent reads. */
const READS = 8;

export type MongoStoreOptions = MongoLinkOptions;

/** No entry is empty. */
const MISSING = "";

export class MongoStore implements Store {
  readonly name: string;
  /**
   * A coordinator may read all of its taskflows at once: the server still has to answer each in
   * time, and the lease renewals beside them.
   */
  readonly #reads = new Semaphore(READS);
  readonly #link: MongoLink;
  readonly #rows: ProjectionWriter;
  readonly #journal: MongoJournal;
  readonly #owners: MongoOwners;
  readonly #claims: MongoClaims;
  readonly #pauses: MongoPauses;
  readonly #active = new Set<Promise<unknown>>();
  #isOpen = false;

  constructor(options: MongoStoreOptions) {
    this.#link = new MongoLink(options);
    this.name = this.#link.name;
    this.#rows = new ProjectionWriter(this.#link);
    this.#journal = new MongoJournal(this.#link, this.#rows);
    this.#owners = new MongoOwners(this.#link);
    this.#claims = new MongoClaims(this.#link);
    this.#pauses = new MongoPauses(this.#link);
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    await openStore(this.#link, (isNew) => this.#prepare(isNew));
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await Promise.allSettled(this.#active);
    // A change that cannot be written now is repaired by the next owner.
    await this.#rows.flush().catch(() => undefined);
    this.#rows.stop();
    await this.#link.close();
  }

  async commit(writes: readonly Write[]): Promise<WriteResult[]> {
    return this.#run(() => this.#journal.commit(writes));
  }

  async insert(row: TaskflowRow, entries: readonly string[]): Promise<WriteResult> {
    return this.#run(() => insertTaskflow(this.#taskflows, this.#link, row, entries));
  }

  async read(taskflowId: string): Promise<StoredTaskflow | undefined> {
    const [stored] = await this.readMany([taskflowId]);
    return stored;
  }

  async readMany(taskflowIds: readonly string[]): Promise<StoredTaskflow[]> {
    return this.#run(async () => {
      if (taskflowIds.some((taskflowId) => this.#rows.has(taskflowId))) await this.#rows.flush();
      const { found, halfGone } = await this.#reads.run(() => {
        if (!this.#isOpen) throw this.#link.unavailable("it is not open");
        return this.#link.persist(() => readTaskflows(this.#taskflows, taskflowIds));
      });
      // The caller that began the deletion may be dead, and one that gets "not found" may want to
      // store a taskflow.
      for (const taskflowId of halfGone) await this.#delete(taskflowId);
      return found.map(({ known, ...stored }) => {
        const { taskflowId } = stored.row;
        this.#journal.remember(taskflowId, known);
        const change = this.#journal.settle(taskflowId, stored);
        return { ...stored, row: { ...stored.row, ...change } };
      });
    });
  }

  async readOn(taskflowId: string, journal: string, revision: number): Promise<StoredTaskflow | undefined> {
    return this.#run(async () => {
      if (this.#rows.has(taskflowId)) await this.#rows.flush();
      return this.#reads.run(() => this.#link.persist(() => readEntriesOn(this.#taskflows, taskflowId, journal, revision)));
    });
  }

  async compact(...given: Parameters<Store["compact"]>): Promise<WriteResult> {
    return this.#run(() => compactJournal(this.#taskflows, this.#link, ...given));
  }

  async claim(...given: Parameters<Store["claim"]>): Promise<Claimed[]> {
    return this.#run(async () => {
      await this.#rows.flush();
      const claimed = await this.#claims.claim(...given);
      for (const { taskflowId, fence } of claimed) this.#journal.claimed(taskflowId, fence);
      return claimed;
    });
  }

  async confirmOwnership(owner: string): Promise<void> {
    // No row moves in the index meanwhile, so none is skipped.
    const work = (): Promise<void> => this.#rows.flush().then(() => this.#owners.confirmOwnership(owner));
    return this.#run(() => this.#journal.between(work));
  }

  async due(owner: string, until: number, limit: number, after?: DuePlace): Promise<Claimed[]> {
    return this.#run(async () => {
      await this.#rows.flush();
      return this.#owners.due(owner, until, limit, after);
    });
  }

  async reopen(taskflowId: string, owner: string, fence: number): Promise<boolean> {
    return this.#run(async () => {
      await this.#rows.flush();
      const isTaken = await this.#claims.reopen(taskflowId, owner, fence);
      if (isTaken) this.#journal.claimed(taskflowId, fence + 1);
      return isTaken;
    });
  }

  async repair(taskflowId: string, fence: number, change: RowChange): Promise<void> {
    return this.#run(async () => {
      await this.#rows.flush();
      const known = this.#journal.recall(taskflowId);
      const revision = known?.fence === fence && known.revision > 0 ? known.revision : undefined;
      await this.#rows.write([{ updateOne: { filter: { _id: taskflowId, fence }, update: toUpdate(change, revision) } }]);
      this.#journal.forget(taskflowId);
    });
  }

  async release(owner: string, taskflowIds: readonly string[]): Promise<void> {
    return this.#run(async () => {
      await this.#rows.flush();
      return this.#owners.release(owner, taskflowIds);
    });
  }

  async lastFinished(owner: string | null, limit: number): Promise<string[]> {
    return this.#run(async () => {
      await this.#rows.flush();
      return this.#owners.lastFinished(owner, limit);
    });
  }

  async renewLease(owner: string): Promise<KnownOwner[]> {
    return this.#run(() => this.#owners.renewLease(owner));
  }

  async leave(owner: string): Promise<void> {
    return this.#run(() => this.#owners.leave(owner));
  }

  async timeOffset(): Promise<number> {
    return this.#run(() => this.#link.timeOffset());
  }

  async list(query: TaskflowQuery): Promise<TaskflowPage> {
    checkQuery(query);
    return this.#run(async () => {
      await this.#rows.flush();
      return listTaskflows(this.#taskflows, query).catch((error: unknown) => {
        throw this.#link.unavailable(messageOf(error), error);
      });
    });
  }

  async pauseRules(): Promise<PauseRule[]> {
    return this.#run(() => this.#pauses.all());
  }

  async addPauseRule(rule: PauseRule): Promise<void> {
    return this.#run(() => this.#pauses.add(rule));
  }

  async removePauseRules(pattern: string, coordinator?: string): Promise<number> {
    return this.#run(() => this.#pauses.remove(pattern, coordinator));
  }

  async readRaw(taskflowId: string): Promise<RawTaskflow | undefined> {
    return this.#run(async () => {
      await this.#rows.flush();
      const { found } = await this.#link.persist(() => readTaskflows(this.#taskflows, [taskflowId], MISSING));
      if (!found[0]) return undefined;
      const { row, entries, revision } = found[0];
      return { row, entries: entries.map((entry) => (entry === MISSING ? null : entry)), revision };
    });
  }

  async delete(taskflowId: string, isForced = false): Promise<"deleted" | "missing" | "active"> {
    return this.#run(async () => {
      await this.#rows.flush();
      return this.#delete(taskflowId, isForced);
    });
  }

  async expire(before: number, limit: number): Promise<number> {
    return this.#run(async () => {
      await this.#rows.flush();
      let removed = 0;
      for (const tree of await this.#owners.expired(before, limit)) {
        for (const taskflowId of tree) {
          const result = await this.#delete(taskflowId);
          // A coordinator continues it: its root, the last of them, has to stay.
          if (result === "active") break;
          if (result === "deleted") removed++;
        }
      }
      return removed;
    });
  }

  async #delete(taskflowId: string, isForced = false): Promise<"deleted" | "missing" | "active"> {
    const result = await this.#link.persist(() => deleteTaskflow(this.#taskflows, this.#journal, taskflowId, isForced));
    if (result === "deleted") this.#journal.forget(taskflowId);
    return result;
  }

  async health(): Promise<StoreHealth> {
    const kind = "mongodb";
    try {
      await this.#run(() => this.#link.once(() => this.#link.database.command({ ping: 1 })));
      return { ok: true, kind };
    } catch (error) {
      return { ok: false, kind, error: messageOf(error) };
    }
  }

  get #taskflows(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }

  /** Creates the missing collections and indexes. */
  async #prepare(isNew: boolean): Promise<void> {
    await this.#link.once(() => this.#taskflows.createIndexes([...INDEXES]));
    if (!isNew) return;
    try {
      await this.#link.collection<MetaDocument>(META).insertOne({ _id: "store", format: STORE_FORMAT });
    } catch (error) {
      // Another coordinator was opening it at the same time.
      if (!isDuplicateKey(error)) throw error;
    }
  }

  /** Every operation runs through here, so that `close` can wait for them. */
  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#isOpen) throw this.#link.unavailable("it is not open");
    const result = work();
    this.#active.add(result);
    try {
      return await result;
    } finally {
      this.#active.delete(result);
    }
  }
}

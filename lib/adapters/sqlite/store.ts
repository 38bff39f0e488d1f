/**
 * The store on SQLite (`node:sqlite`): the default, embedded, for one coordinator; and the store in
 * memory, which is the same on a database without a file. Writes and reads of single taskflows run
 * in the caller's thread, where SQLite answers in microseconds. `list` may scan every row, so it
 * runs in a thread of its own on a read-only connection (`reader.ts`); in memory it runs in the
 * caller's thread.
 */
import type { StatementSync } from "node:sqlite";
import { isFinished } from "../../core/model/flow.ts";
import { taskflowError } from "../../errors/errors.ts";
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
import { isLeaseExpired } from "../../ports/expired-lease.ts";
import { messageOf, primaryCode } from "./error.ts";
import { OutageLog, type OutageLogger } from "../../util/outage-log.ts";
import { openFile, openMemory, type SqliteFile } from "./file.ts";
import { SqliteJournal } from "./journal.ts";
import { SqliteOwners } from "./owners.ts";
import { SqlitePauses } from "./pause-rules.ts";
import { SqliteQueries } from "./query.ts";
import { SqliteReader } from "./reader.ts";
import { compactJournal, readJournal, readJournalOn, readRaw, SqliteSnapshots, type Steps } from "./snapshots.ts";
import { ROW_COLUMNS, type RowColumns } from "./schema.ts";

export interface SqliteStoreOptions {
  /**
   * Path of the file, created with its folder if missing. ":memory:" keeps everything in memory.
   */
  file: string;
  /** Logs when the database starts to fail and when it works again, at most once a minute. */
  logger?: OutageLogger;
}

/** The state of an open file. */
interface Opened {
  readonly file: SqliteFile;
  readonly journal: SqliteJournal;
  readonly owners: SqliteOwners;
  readonly pauses: SqlitePauses;
  /** Runs queries that may scan every row: in the reader's thread, or in this one for memory. */
  readonly queries: SqliteReader | SqliteQueries;
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: StatementSync;
  readonly readRow: StatementSync;
  readonly snapshots: SqliteSnapshots;
}

export class SqliteStore implements Store {
  readonly name: string;
  readonly #file: string;
  readonly #outages: OutageLog;
  #opened: Opened | undefined;
  readonly #steps: Steps = {
    read: (work) => this.#attempt(({ snapshots }) => work(snapshots)),
    write: (work) => this.#write(({ snapshots }) => work(snapshots)),
  };
  /** Only this process has the file, so no other needs to know its owners. */
  readonly #renewals = new Map<string, number>();
  /** Shared by all owners, so that no renewal repeats a number. */
  #renewalCount = 0;

  constructor(options: SqliteStoreOptions) {
    this.#file = options.file;
    this.#outages = new OutageLog(options.logger);
    this.name = options.file === ":memory:" ? "memory:" : `sqlite:${options.file}`;
  }

  async open(): Promise<void> {
    if (this.#opened !== undefined) return;
    const file = this.#file === ":memory:" ? openMemory() : openFile(this.#file);
    try {
      this.#opened = this.#prepare(file);
    } catch (error) {
      file.close();
      throw new Error(`The store ${this.name} is damaged (${messageOf(error)}): put back a backup.`, { cause: error });
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#opened = undefined;
    if (opened.queries instanceof SqliteReader) await opened.queries.close();
    opened.file.close();
  }

  commit(writes: readonly Write[]): WriteResult[] {
    return this.#write((opened) => {
      const results: WriteResult[] = [];
      for (const write of writes) results.push(opened.journal.write(write));
      return results;
    });
  }

  async insert(row: TaskflowRow, entries: readonly string[]): Promise<WriteResult> {
    return this.#write(({ journal }) => journal.insert(row, entries));
  }

  async read(taskflowId: string): Promise<StoredTaskflow | undefined> {
    return readJournal(this.#steps, taskflowId);
  }

  async readOn(taskflowId: string, journal: string, revision: number): Promise<StoredTaskflow | undefined> {
    return readJournalOn(this.#steps, taskflowId, journal, revision);
  }

  async compact(...given: Parameters<Store["compact"]>): Promise<WriteResult> {
    return compactJournal(this.#steps, ...given);
  }

  async readMany(taskflowIds: readonly string[]): Promise<StoredTaskflow[]> {
    const found = await Promise.all(taskflowIds.map((taskflowId) => this.read(taskflowId)));
    return found.filter((stored) => stored !== undefined);
  }

  async claim(
    owner: string,
    alive: readonly string[],
    dead: readonly KnownOwner[],
    limit: number,
    maxFormat: number,
  ): Promise<Claimed[]> {
    const isDead = (one: string): boolean => !alive.includes(one) && isLeaseExpired(one, dead, this.#renewals);
    return this.#write(({ owners }) => owners.claim(owner, isDead, limit, maxFormat));
  }

  /** A claim is one transaction: nothing happens between its look at the leases and its writes. */
  async confirmOwnership(): Promise<void> {
    this.#attempt(() => undefined);
  }

  async due(owner: string, until: number, limit: number, after?: DuePlace): Promise<Claimed[]> {
    return this.#attempt(({ owners }) => owners.due(owner, until, limit, after));
  }

  async reopen(taskflowId: string, owner: string, fence: number): Promise<boolean> {
    return this.#write((opened) => {
      const columns = opened.readRow.get(taskflowId) as (RowColumns & { number: number }) | undefined;
      if (columns?.fence !== fence || !isFinished(columns.status)) return false;
      opened.owners.take(owner, columns.number);
      opened.journal.changeRow(columns.number, { status: "RUNNING", finishedAt: null, dueAt: 0 });
      return true;
    });
  }

  async repair(taskflowId: string, fence: number, change: RowChange): Promise<void> {
    this.#write((opened) => {
      const columns = opened.readRow.get(taskflowId) as (RowColumns & { number: number }) | undefined;
      if (columns?.fence === fence) opened.journal.changeRow(columns.number, change);
    });
  }

  async release(owner: string, taskflowIds: readonly string[]): Promise<void> {
    this.#write(({ owners }) => owners.release(owner, taskflowIds));
  }

  async lastFinished(owner: string | null, limit: number): Promise<string[]> {
    return this.#attempt(({ owners }) => owners.lastFinished(owner, limit));
  }

  async renewLease(owner: string): Promise<KnownOwner[]> {
    return this.#attempt(() => {
      this.#renewals.set(owner, ++this.#renewalCount);
      return Array.from(this.#renewals, ([known, renewals]) => ({ owner: known, renewals }));
    });
  }

  async leave(owner: string): Promise<void> {
    this.#attempt(() => this.#renewals.delete(owner));
  }

  async timeOffset(): Promise<number> {
    return this.#attempt(() => 0);
  }

  async list(query: TaskflowQuery): Promise<TaskflowPage> {
    return this.#attempt(({ queries }) => queries.list(query));
  }

  async pauseRules(): Promise<PauseRule[]> {
    return this.#attempt(({ pauses }) => pauses.all());
  }

  async addPauseRule(rule: PauseRule): Promise<void> {
    this.#write(({ pauses }) => pauses.add(rule));
  }

  async removePauseRules(pattern: string, coordinator?: string): Promise<number> {
    return this.#write(({ pauses }) => pauses.remove(pattern, coordinator));
  }

  async readRaw(taskflowId: string): Promise<RawTaskflow | undefined> {
    return readRaw(this.#steps, taskflowId);
  }

  async delete(taskflowId: string, isForced = false): Promise<"deleted" | "missing" | "active"> {
    return this.#write((opened) => {
      const columns = opened.readRow.get(taskflowId) as RowColumns | undefined;
      if (columns === undefined) return "missing";
      if (!isForced && !isFinished(columns.status)) return "active";
      opened.journal.delete(taskflowId);
      return "deleted";
    });
  }

  async expire(before: number, limit: number): Promise<number> {
    return this.#write(({ owners, journal }) => {
      const expired = owners.expired(before, limit);
      for (const taskflowId of expired) journal.delete(taskflowId);
      return expired.length;
    });
  }

  async health(): Promise<StoreHealth> {
    const kind = this.#file === ":memory:" ? "memory" : "sqlite";
    try {
      this.#attempt((opened) => opened.readRow.get(""));
      return { ok: true, kind };
    } catch (error) {
      return { ok: false, kind, error: messageOf(error) };
    }
  }

  #prepare(file: SqliteFile): Opened {
    const { database, path } = file;
    return {
      file,
      journal: new SqliteJournal(database),
      owners: new SqliteOwners(database),
      pauses: new SqlitePauses(database),
      queries:
        path === undefined ? new SqliteQueries(database) : new SqliteReader({ path }, (message) => this.#unavailable(message)),
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      rollback: database.prepare("ROLLBACK"),
      readRow: database.prepare(`SELECT number, ${ROW_COLUMNS} FROM taskflows WHERE taskflow_id = ?`),
      snapshots: new SqliteSnapshots(database),
    };
  }

  #write<Result>(work: (opened: Opened) => Result): Result {
    return this.#attempt((opened) => {
      try {
        opened.begin.get();
        const result = work(opened);
        opened.commit.get();
        this.#outages.works(`The store ${this.name} works again.`);
        return result;
      } catch (error) {
        opened.journal.forget();
        // SQLite itself has rolled back after some errors, such as a full disk.
        if (opened.file.database.isTransaction) opened.rollback.get();
        throw error;
      }
    });
  }

  #attempt<Result>(work: (opened: Opened) => Result): Result {
    if (this.#opened === undefined) throw taskflowError("STORE_UNAVAILABLE", `The store ${this.name} is not open.`);
    try {
      return work(this.#opened);
    } catch (error) {
      // Other errors are bugs of the caller, and not retried.
      if (primaryCode(error) === undefined) throw error;
      this.#outages.failed(`The store ${this.name} failed: ${messageOf(error)}. Unstored changes are tried again.`);
      throw this.#unavailable(messageOf(error));
    }
  }

  #unavailable(message: string): Error {
    return taskflowError("STORE_UNAVAILABLE", `The store ${this.name} failed: ${message}.`);
  }
}

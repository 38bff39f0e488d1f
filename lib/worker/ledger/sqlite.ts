/**
 * A ledger in a SQLite file, for one process at a time; it survives a crash of that process. All
 * requests of one turn of the event loop share a transaction, so that a busy worker pays for few.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { BUSY, messageOf, primaryCode } from "../../adapters/sqlite/error.ts";
import {
  type Asked,
  type Begin,
  type Begun,
  type Finished,
  type Ledger,
  type LedgerLimits,
  UNFINISHED_FACTOR,
} from "./ledger.ts";
import { asked, begun, finished, type Change, type LedgerRecord } from "./rules.ts";

const FORMAT = 1;
/** "TFLL", kept in `application_id`. */
const APPLICATION_ID = 0x54_46_4c_4c;
/** A restarted worker may be faster than the end of its predecessor. */
const BUSY_TIMEOUT_MS = 2_000;
/** Old records go when so many have been written. */
const SWEEP_EVERY = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger (
    key TEXT PRIMARY KEY, state TEXT, delivery INTEGER, instance TEXT, token TEXT, outcome TEXT, asked INTEGER, since INTEGER, at INTEGER) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS ended ON ledger (at) WHERE state <> 'running';
  CREATE INDEX IF NOT EXISTS unfinished ON ledger (at) WHERE state = 'running';
  CREATE TABLE IF NOT EXISTS memory (forgotten INTEGER);`;

/** One query or change, executed with the others of its turn. */
interface Job {
  run(): void;
  /** The transaction is on the disk. */
  done(): void;
  failed(error: unknown): void;
}

interface Statements {
  readonly read: StatementSync;
  readonly write: StatementSync;
}

type Row = Omit<LedgerRecord, "asked"> & { readonly asked: number };

export class SqliteLedger implements Ledger {
  readonly isShared = false;
  readonly isDurable = true;
  readonly #file: string;
  readonly #limits: LedgerLimits;
  readonly #hasOwnClock: boolean;
  #now: () => number;
  #database: DatabaseSync | undefined;
  #statements: Statements | undefined;
  #jobs: Job[] = [];
  #written = 0;
  /** As in the table: records first seen before this time may have been forgotten. */
  #forgotten = 0;

  /** @param now in tests; absent: a clock that continues the one of the process before */
  constructor(file: string, limits: LedgerLimits, now?: () => number) {
    this.#file = file;
    this.#limits = limits;
    this.#hasOwnClock = now === undefined;
    this.#now = now ?? Date.now;
  }

  open(): Promise<void> {
    try {
      this.#open();
      return Promise.resolve();
    } catch (error) {
      this.#closeNow();
      return Promise.reject(explain(error, this.#file));
    }
  }

  #open(): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    const database = new DatabaseSync(this.#file, { timeout: BUSY_TIMEOUT_MS });
    this.#database = database;
    // Held until the end: a second process would take running attempts of this one for interrupted.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    const application = pragma(database, "application_id");
    const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
    if (application !== APPLICATION_ID && tables.count > 0) {
      throw new Error(`${this.#file} is a SQLite database, but not a worker's ledger: choose another file for TaskflowWorker.`);
    }
    const format = pragma(database, "user_version");
    if (format > FORMAT) {
      throw new Error(
        `The ledger ${this.#file} has format ${format}, and this version of moleculer-taskflow knows formats up to ${FORMAT}: use the version that wrote it, or a newer one.`,
      );
    }
    database.exec(
      `BEGIN IMMEDIATE; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; COMMIT;`,
    );
    if (this.#hasOwnClock) this.#now = continuedClock(database);
    const memory = database.prepare("SELECT forgotten FROM memory").get() as { forgotten: number } | undefined;
    this.#forgotten = memory?.forgotten ?? this.#now();
    if (!memory) database.prepare("INSERT INTO memory VALUES (?)").run(this.#forgotten);
    this.#statements = {
      read: database.prepare("SELECT * FROM ledger WHERE key = ?"),
      write: database.prepare(
        "INSERT OR REPLACE INTO ledger (key, state, delivery, instance, token, outcome, asked, since, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ),
    };
    this.#sweep(database);
  }

  async close(): Promise<void> {
    if (this.#jobs.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    this.#closeNow();
  }

  #closeNow(): void {
    if (this.#database?.isOpen) this.#database.close();
    this.#database = undefined;
    this.#statements = undefined;
  }

  begin(key: string, begin: Begin): Promise<Begun> {
    const token = randomUUID();
    return this.#change(key, (record, now) => begun(record, begin, token, now));
  }

  finish(key: string, outcome: string): Promise<Finished> {
    return this.#change(key, (record, now) => finished(record, outcome, now));
  }

  ask(key: string, delivery: number, ageMs: number): Promise<Asked> {
    return this.#change(key, (record, now) => asked(record, delivery, this.#forgotten < now - ageMs, now));
  }

  #change<CommandResult>(
    key: string,
    rule: (record: LedgerRecord | undefined, now: number) => Change<CommandResult>,
  ): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      let answer: CommandResult;
      this.#jobs.push({
        run: () => {
          const change = rule(this.#read(key), this.#now());
          if (change.next) this.#write(key, change.next);
          ({ answer } = change);
        },
        done: () => resolve(answer),
        failed: reject,
      });
      if (this.#jobs.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    const database = this.#database;
    try {
      if (!database) throw new Error(`The ledger ${this.#file} is closed.`);
      database.exec("BEGIN IMMEDIATE");
      for (const job of jobs) job.run();
      if (this.#written >= SWEEP_EVERY) this.#sweep(database);
      database.exec("COMMIT");
    } catch (error) {
      try {
        if (database?.isTransaction) database.exec("ROLLBACK");
      } catch {
        // The disk fails; the waiting calls get the first error.
      }
      for (const job of jobs) job.failed(explain(error, this.#file));
      return;
    }
    for (const job of jobs) job.done();
  }

  #read(key: string): LedgerRecord | undefined {
    const row = this.#statements?.read.get(key) as Row | undefined;
    return row && { ...row, asked: row.asked === 1 };
  }

  #write(key: string, record: LedgerRecord): void {
    const { state, delivery, instance, token, outcome, since, at } = record;
    this.#statements?.write.run(key, state, delivery, instance, token, outcome, record.asked ? 1 : 0, since, at);
    this.#written++;
  }

  #sweep(database: DatabaseSync): void {
    this.#written = 0;
    const { keepForMs, maxRecords } = this.#limits;
    const now = this.#now();
    const remove = (condition: string, ...values: number[]): void => {
      const found = database.prepare(`SELECT max(since) AS since FROM ledger WHERE ${condition}`).get(...values);
      const { since } = found as { since: number | null };
      if (since === null) return;
      database.prepare(`DELETE FROM ledger WHERE ${condition}`).run(...values);
      this.#forgotten = Math.max(this.#forgotten, since);
      database.prepare("UPDATE memory SET forgotten = ?").run(this.#forgotten);
    };
    remove("state = 'running' AND at <= ?", now - keepForMs * UNFINISHED_FACTOR);
    remove("state <> 'running' AND at <= ?", now - keepForMs);
    const border = database
      .prepare("SELECT at FROM ledger WHERE state <> 'running' ORDER BY at DESC LIMIT 1 OFFSET ?")
      .get(maxRecords);
    if (border) remove("state <> 'running' AND at <= ?", (border as { at: number }).at);
  }
}

function pragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get();
  return Number(row === undefined ? 0 : Object.values(row)[0]);
}

function explain(error: unknown, file: string): Error {
  if (error instanceof Error && primaryCode(error) === undefined && !("code" in error)) return error;
  const why = messageOf(error);
  const sentence =
    primaryCode(error) === BUSY
      ? `The ledger ${file} is held by another process: give every worker process a file of its own, or share a MongoDB ledger`
      : `The ledger ${file} cannot be used: let this user write it and its folder, make room on its disk, or give TaskflowWorker another file`;
  return new Error(`${sentence} (${why}).`, { cause: error });
}

/**
 * A clock that steps of the machine's clock do not move, so that no fresh record is swept. It
 * continues where the previous process left the records; the time between does not count.
 */
function continuedClock(database: DatabaseSync): () => number {
  const { latest } = database.prepare("SELECT max(at) AS latest FROM ledger").get() as { latest: number | null };
  const { forgotten } = (database.prepare("SELECT forgotten FROM memory").get() ?? {}) as { forgotten?: number };
  const known = Math.max(latest ?? 0, forgotten ?? 0);
  const base = known === 0 ? Date.now() : known;
  const openedAt = performance.now();
  return () => base + Math.round(performance.now() - openedAt);
}

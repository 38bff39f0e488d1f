/**
 * The hot path of the SQLite store: creates and appends inside the caller's transaction. Only this
 * process writes to the file (see `file.ts`), so the last revision of each taskflow in use is
 * cached and most writes are refused or accepted without a query. The unique index of the journal
 * guards them all the same. Statements are run with `get()`, which for a statement without rows is
 * cheaper than `run()`: it creates no result object.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { isFinished } from "../../core/model/flow.ts";
import type { RowChange, TaskflowRow, Write, WriteResult } from "../../ports/store.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import { isConstraint } from "./error.ts";

/** A taskflow in use. */
interface Known {
  readonly number: number;
  revision: number;
}

/** Beyond this size the cache is cleared; a missing taskflow costs one query. */
const KNOWN_LIMIT = 200_000;

/** The columns of a change, in the order of their parameters. */
const CHANGE_COLUMNS: readonly (readonly [keyof RowChange, string])[] = [
  ["status", "status"],
  ["owner", "owner"],
  ["dueAt", "due_at"],
  ["errorType", "error_type"],
  ["startedAt", "started_at"],
  ["finishedAt", "finished_at"],
  ["retryAttempt", "retry_attempt"],
  ["progress", "progress"],
  ["annotations", "annotations"],
];

export class SqliteJournal {
  readonly #database: DatabaseSync;
  readonly #known = new BoundedMap<string, Known>(KNOWN_LIMIT);
  #nextNumber: number;
  readonly #insertPlainRow: StatementSync;
  readonly #insertRow: StatementSync;
  readonly #insertEntry: StatementSync;
  readonly #findTaskflow: StatementSync;
  readonly #deleteRow: StatementSync;
  readonly #deleteEntries: StatementSync;
  readonly #deleteSnapshots: StatementSync;
  /**
   * Updates by the set of columns that they change: bit n stands for the nth of `CHANGE_COLUMNS`.
   */
  readonly #updates: (StatementSync | undefined)[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    const last = database.prepare("SELECT max(number) AS number FROM taskflows").get() as { number: number | null };
    this.#nextNumber = (last.number ?? 0) + 1;
    this.#insertPlainRow = database.prepare(
      `INSERT INTO taskflows (number, taskflow_id, name, status, owner, fence, due_at, created_at, started_at, retry_attempt, progress, format)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)`,
    );
    this.#insertRow = database.prepare(
      `INSERT INTO taskflows (number, taskflow_id, name, status, owner, fence, due_at, created_at, started_at, finished_at, retry_attempt, progress,
       format, root_id, parent_taskflow_id, tenant, template, tags, attributes, error_type, annotations) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertEntry = database.prepare("INSERT INTO journal (taskflow, revision, entry) VALUES (?, ?, ?)");
    this.#findTaskflow = database.prepare(
      `SELECT number, (SELECT max(revision) FROM journal WHERE taskflow = number) AS revision FROM taskflows WHERE taskflow_id = ?`,
    );
    this.#deleteRow = database.prepare("DELETE FROM taskflows WHERE number = ?");
    this.#deleteEntries = database.prepare("DELETE FROM journal WHERE taskflow = ?");
    this.#deleteSnapshots = database.prepare("DELETE FROM snapshots WHERE taskflow = ?");
  }

  write(write: Write): WriteResult {
    return write.kind === "create"
      ? this.#create(write.row, write.entry)
      : this.#append(write.taskflowId, write.revision, write.entry, write.row);
  }

  /** A taskflow with all of its entries. */
  insert(row: TaskflowRow, [first = "", ...others]: readonly string[]): WriteResult {
    const result = this.#create(row, first);
    if (result === "stored") others.forEach((entry, index) => this.#append(row.taskflowId, index + 2, entry, undefined));
    return result;
  }

  /** Clears the cached revisions: after a rollback they may be wrong. */
  forget(): void {
    this.#known.clear();
  }

  delete(taskflowId: string): void {
    const known = this.#find(taskflowId);
    if (known === undefined) return;
    this.#known.delete(taskflowId);
    this.#deleteEntries.get(known.number);
    this.#deleteSnapshots.get(known.number);
    this.#deleteRow.get(known.number);
  }

  changeRow(number: number, change: RowChange): void {
    let columns = 0;
    const values: (string | number | null)[] = [];
    for (let index = 0; index < CHANGE_COLUMNS.length; index++) {
      const value = change[CHANGE_COLUMNS[index]![0]];
      if (value === undefined) continue;
      columns |= 1 << index;
      values.push(typeof value === "object" && value !== null ? JSON.stringify(value) : value);
    }
    if (columns === 0) return;
    values.push(number);
    (this.#updates[columns] ?? this.#prepareUpdate(columns)).get(...values);
  }

  #create(row: TaskflowRow, entry: string): WriteResult {
    if (this.#known.has(row.taskflowId)) return "conflict";
    const number = this.#nextNumber;
    try {
      this.#storeRow(number, row);
    } catch (error) {
      // The statement was undone; the transaction continues.
      if (isConstraint(error)) return "conflict";
      throw error;
    }
    this.#nextNumber = number + 1;
    this.#insertEntry.get(number, 1, entry);
    this.#known.set(row.taskflowId, { number, revision: 1 });
    return "stored";
  }

  #storeRow(number: number, row: TaskflowRow): void {
    if (isPlain(row)) {
      this.#insertPlainRow.get(
        number,
        row.taskflowId,
        row.name,
        row.status,
        row.owner,
        row.fence,
        row.dueAt,
        row.createdAt,
        row.startedAt,
        row.format,
      );
      return;
    }
    this.#insertRow.get(
      number,
      row.taskflowId,
      row.name,
      row.status,
      row.owner,
      row.fence,
      row.dueAt,
      row.createdAt,
      row.startedAt,
      row.finishedAt,
      row.retryAttempt,
      row.progress,
      row.format,
      row.rootId === row.taskflowId ? null : row.rootId,
      row.parentTaskflowId,
      row.tenant,
      row.template,
      row.tags.length === 0 ? null : JSON.stringify(row.tags),
      isEmpty(row.attributes) ? null : JSON.stringify(row.attributes),
      row.errorType,
      row.annotations.length === 0 ? null : JSON.stringify(row.annotations),
    );
  }

  #append(taskflowId: string, revision: number, entry: string, change: RowChange | undefined): WriteResult {
    const known = this.#find(taskflowId);
    if (known === undefined || revision !== known.revision + 1) return "conflict";
    this.#insertEntry.get(known.number, revision, entry);
    known.revision = revision;
    if (change !== undefined) {
      this.changeRow(known.number, change);
      if (change.status !== undefined && isFinished(change.status)) this.#known.delete(taskflowId);
    }
    return "stored";
  }

  #prepareUpdate(columns: number): StatementSync {
    const assignments = CHANGE_COLUMNS.filter((_, index) => (columns & (1 << index)) !== 0).map(([, column]) => `${column} = ?`);
    return (this.#updates[columns] = this.#database.prepare(`UPDATE taskflows SET ${assignments.join(", ")} WHERE number = ?`));
  }

  #find(taskflowId: string): Known | undefined {
    const known = this.#known.get(taskflowId);
    if (known !== undefined) return known;
    const found = this.#findTaskflow.get(taskflowId) as Known | undefined;
    if (found !== undefined) this.#known.set(taskflowId, { number: found.number, revision: found.revision });
    return this.#known.get(taskflowId);
  }
}

/** Whether a row is the usual new one, which fits into the shorter insert. */
function isPlain(row: TaskflowRow): boolean {
  return (
    row.rootId === row.taskflowId &&
    row.parentTaskflowId === null &&
    row.tenant === null &&
    row.template === null &&
    row.errorType === null &&
    row.finishedAt === null &&
    row.retryAttempt === 0 &&
    row.progress === 0 &&
    row.tags.length === 0 &&
    row.annotations.length === 0 &&
    isEmpty(row.attributes)
  );
}

function isEmpty(record: object): boolean {
  for (const key in record) if (Object.hasOwn(record, key)) return false;
  return true;
}

/**
 * Opening and closing the file of a SQLite store. A store is one process's: it holds
 * `<file>.lock` for as long as it lives, by a transaction on a database of its own there, which
 * the operating system ends with the process, however it dies. (A lock on the file itself would
 * shut out our own reader, too.) The lock file stays behind and means nothing by itself.
 */
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { formatProblem, STORE_FORMAT } from "../../ports/store-format.ts";
import { BUSY, CANTOPEN, CORRUPT, FULL, messageOf, NOTADB, primaryCode, READONLY } from "./error.ts";
import { APPLICATION_ID, createSchema, readPragma } from "./schema.ts";

/**
 * How long a statement waits for a foreign process (a shell, a backup) that locks the file. It
 * blocks this thread.
 */
const BUSY_TIMEOUT_MS = 500;

export interface SqliteFile {
  readonly database: DatabaseSync;
  /** The file as it was opened; undefined for memory. */
  readonly path: string | undefined;
  /** Idempotent. */
  close(): void;
}

export function openMemory(): SqliteFile {
  const database = new DatabaseSync(":memory:");
  createSchema(database);
  return { database, path: undefined, close: () => closeDatabase(database) };
}

/** Throws an Error whose message says which file, what is wrong and what to do. */
export function openFile(file: string): SqliteFile {
  const path = preparePath(file);
  const lock = takeLock(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    checkIsOurs(database, path);
    setUp(database, path);
    createSchema(database);
    // Detects a file that is not writable now rather than at the first taskflow.
    database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${STORE_FORMAT}; COMMIT;`);
  } catch (error) {
    if (database !== undefined) closeDatabase(database);
    closeDatabase(lock);
    throw explain(error, path);
  }
  const opened = database;
  return {
    database,
    path,
    close() {
      closeDatabase(opened);
      closeDatabase(lock);
    },
  };
}

/**
 * Checks that a file can be read beside its coordinator, whose lock it leaves alone.
 * @returns its path
 * @throws Error that says which file, what is wrong and what to do
 */
export function checkFile(file: string): string {
  const path = resolve(file);
  if (!existsSync(path)) {
    throw new Error(`The store ${path} must exist: start a coordinator on it, or correct the path.`);
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    checkIsOurs(database, path);
    const isEmpty = readPragma(database, "user_version") === 0;
    if (isEmpty) throw new Error(`The store ${path} must not be empty: start a coordinator on it, or correct the path.`);
  } catch (error) {
    throw explain(error, path);
  } finally {
    if (database !== undefined) closeDatabase(database);
  }
  return path;
}

/** Creates the folder. All links to a file resolve to one name, because the lock depends on it. */
function preparePath(file: string): string {
  const path = resolve(file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    try {
      return realpathSync(path);
    } catch {
      return join(realpathSync(dirname(path)), basename(path));
    }
  } catch (error) {
    throw new Error(
      `The store cannot use the folder ${dirname(path)} (${messageOf(error)}): let this user create and write it, or set another file in TASKFLOW_STORE.`,
      { cause: error },
    );
  }
}

function takeLock(path: string): DatabaseSync {
  const file = `${path}.lock`;
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(file);
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    if (lock !== undefined) closeDatabase(lock);
    if (primaryCode(error) === BUSY) {
      throw new Error(
        `The store ${path} is held by another process: a SQLite file serves one coordinator at a time. Stop the other one, give this one a file of its own in TASKFLOW_STORE, or use MongoDB to share the work.`,
        { cause: error },
      );
    }
    throw new Error(
      `The store cannot lock ${file} (${messageOf(error)}): let this user write the folder ${dirname(path)}, or set another file in TASKFLOW_STORE.`,
      { cause: error },
    );
  }
}

/** Called before anything is written to it. */
function checkIsOurs(database: DatabaseSync, path: string): void {
  const version = Number(readPragma(database, "user_version"));
  const application = Number(readPragma(database, "application_id"));
  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get() as { count: number };
  if (application !== APPLICATION_ID && (tables.count > 0 || version !== 0)) {
    throw new Error(`${path} is a SQLite database, but not one of moleculer-taskflow: set another file in TASKFLOW_STORE.`);
  }
  const problem = version === 0 ? undefined : formatProblem(path, version);
  if (problem !== undefined) throw new Error(problem);
}

function setUp(database: DatabaseSync, path: string): void {
  const mode = readPragma(database, "journal_mode = WAL");
  if (mode !== "wal") {
    throw new Error(
      `${path} is on a file system without the shared memory and locks that SQLite's WAL needs: put it on a local disk.`,
    );
  }
  database.exec(
    "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;",
  );
}

function explain(error: unknown, path: string): Error {
  const sentence = sentenceOf(primaryCode(error), path);
  if (sentence === undefined) return error as Error;
  return new Error(`${sentence} (${messageOf(error)})`, { cause: error });
}

function sentenceOf(code: number | undefined, path: string): string | undefined {
  if (code === READONLY || code === CANTOPEN) {
    return `The store ${path} cannot be opened: let this user read and write it and its folder, or set another file in TASKFLOW_STORE.`;
  }
  if (code === NOTADB) return `${path} is not a SQLite database: move it away, or set another file in TASKFLOW_STORE.`;
  if (code === CORRUPT) return `The store ${path} is damaged: put back a backup, or repair it with "sqlite3 ${path} .recover".`;
  if (code === FULL) return `There is no space left for the store ${path}: make room on its disk.`;
  if (code === BUSY) return `Another program holds the store ${path}: close it and start again.`;
  if (code !== undefined)
    return `The store ${path} cannot be used: see to its disk and folder, or set another file in TASKFLOW_STORE.`;
  return undefined;
}

function closeDatabase(database: DatabaseSync): void {
  if (database.isOpen) database.close();
}

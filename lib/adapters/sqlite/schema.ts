/**
 * The tables of a SQLite store, and what its rows look like from outside.
 *
 * - `taskflows`: one row per taskflow. `number` is its short name inside this file (never shown):
 *   what belongs to a taskflow refers to it by that, so that neither journal nor index repeats a
 *   text of 36 to 128 characters.
 * - `journal`: entries in the order in which they were stored. New entries of all taskflows are
 *   written next to one another, so a group commit touches the last pages of the table and of its
 *   index only (clustered by taskflow it was a third slower).
 * - `snapshots`: the texts that replace the entries of a journal up to a revision. `snapshot` of
 *   its taskflow names the valid one.
 * - `documents`: small collections of JSON documents, such as the pause rules.
 *
 * What is the usual case is stored as NULL: the root of a root, no tags, no attributes.
 */
import type { DatabaseSync } from "node:sqlite";
import type { TaskflowStatus } from "../../core/model/values.ts";
import { STORE_FORMAT } from "../../ports/store-format.ts";
import type { RowAnnotation, TaskflowRow } from "../../ports/store.ts";

/** "TFLW", kept in `application_id`: tells our files from any other SQLite database. */
export const APPLICATION_ID = 0x54_46_4c_57;

/**
 * Part of every query that the index `unfinished` is to serve; it must stand there word for word.
 * Not `IN (…)`: for a list of three SQLite builds a table each time a row is written, which cost
 * a sixth of the throughput.
 */
export const UNFINISHED = "(status = 'RUNNING' OR status = 'WAITING' OR status = 'PAUSED')";

/**
 * The journal is in the order in which it was written: its last entries tell which taskflows
 * finished last. CROSS: else SQLite begins with all that are finished.
 */
export const LAST_FINISHED = `SELECT DISTINCT taskflow_id AS taskflowId FROM (SELECT taskflow FROM journal ORDER BY rowid DESC LIMIT ?)
  CROSS JOIN taskflows ON number = taskflow WHERE finished_at IS NOT NULL AND (? IS NULL OR owner = ?)`;

/**
 * node:sqlite throws for a number that is no safe integer, and one damaged row must not keep all
 * others from being read.
 */
function safe(column: string, name = column): string {
  return `min(${column}, ${Number.MAX_SAFE_INTEGER}) AS ${name}`;
}

/** The owner that follows another one; the index is searched, not scanned, by these four. */
export const NEXT_OWNER = `SELECT owner FROM taskflows WHERE ${UNFINISHED} AND owner > ? ORDER BY owner LIMIT 1`;
const PLACE = `taskflow_id AS taskflowId, ${safe("fence")}, ${safe("due_at", "dueAt")}`;
const FOUND = `number, ${PLACE}`;
export const OWNED_BY = `SELECT ${FOUND}, root_id AS rootId FROM taskflows
  WHERE ${UNFINISHED} AND owner IS ? AND format <= ? ORDER BY due_at, number LIMIT ?`;
export const DUE = `SELECT ${PLACE} FROM taskflows
  WHERE ${UNFINISHED} AND owner = ? AND due_at <= ? ORDER BY due_at, number LIMIT ?`;
export const DUE_AFTER = `SELECT ${PLACE} FROM taskflows WHERE ${UNFINISHED} AND owner = ? AND due_at <= ?
  AND (due_at, number) > (?, coalesce((SELECT number FROM taskflows WHERE taskflow_id = ?), 0)) ORDER BY due_at, number LIMIT ?`;

/** The roots with these numbers and all taskflows nested in them; numbers as JSON. */
export const NESTED_IN = `SELECT ${FOUND}, owner FROM taskflows WHERE root_id IN (SELECT value FROM json_each(?)) AND ${UNFINISHED} AND format <= ?`;
export const THESE = `SELECT ${FOUND}, owner FROM taskflows WHERE taskflow_id IN (SELECT value FROM json_each(?)) AND ${UNFINISHED} AND format <= ?`;

/** Roots that finished before a time, with nothing unfinished in them. */
export const EXPIRED = `SELECT taskflow_id AS taskflowId FROM taskflows AS root WHERE finished_at < ? AND root_id IS NULL AND NOT ${UNFINISHED}
  AND NOT EXISTS (SELECT 1 FROM taskflows WHERE root_id = root.taskflow_id AND ${UNFINISHED}) ORDER BY finished_at LIMIT ?`;

/** Indexes that guard nothing: created when a file is opened, if missing. */
export const INDEXES = `
  CREATE INDEX IF NOT EXISTS unfinished ON taskflows (owner, due_at) WHERE ${UNFINISHED};
  CREATE INDEX IF NOT EXISTS nested ON taskflows (parent_taskflow_id) WHERE parent_taskflow_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS tree ON taskflows (root_id) WHERE root_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS finished ON taskflows (finished_at) WHERE finished_at IS NOT NULL AND root_id IS NULL;`;

export const SCHEMA = `
  CREATE TABLE taskflows (
    number INTEGER PRIMARY KEY, taskflow_id TEXT NOT NULL UNIQUE, name TEXT, status TEXT, owner TEXT, fence INTEGER, due_at INTEGER,
    created_at INTEGER, started_at INTEGER, finished_at INTEGER, retry_attempt INTEGER, progress NUMERIC, format INTEGER,
    root_id TEXT, parent_taskflow_id TEXT, tenant TEXT, template TEXT, tags TEXT, attributes TEXT, error_type TEXT, annotations TEXT, snapshot INTEGER);
  CREATE TABLE journal (place INTEGER PRIMARY KEY, taskflow INTEGER, revision INTEGER, entry TEXT);
  CREATE UNIQUE INDEX journal_revision ON journal (taskflow, revision);
  CREATE TABLE snapshots (taskflow INTEGER, revision INTEGER, part INTEGER, text TEXT);
  CREATE UNIQUE INDEX snapshot_part ON snapshots (taskflow, revision, part);
  CREATE TABLE documents (collection TEXT, id TEXT, doc TEXT, PRIMARY KEY (collection, id)) WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};`;

/**
 * Creates the tables of a new file, and indexes that are missing. The caller has checked that the
 * file is new or ours.
 */
export function createSchema(database: DatabaseSync): void {
  const tables = Number(readPragma(database, "user_version")) === 0 ? SCHEMA : "";
  database.exec(`BEGIN IMMEDIATE; ${tables} ${INDEXES} PRAGMA user_version = ${STORE_FORMAT}; COMMIT;`);
}

export function readPragma(database: DatabaseSync, pragma: string): unknown {
  const row = database.prepare(`PRAGMA ${pragma}`).get();
  return row === undefined ? undefined : Object.values(row)[0];
}

/** The columns of a row, in the order that `toRow` takes them. */
export const ROW_COLUMNS = `taskflow_id, name, status, owner, ${safe("fence")}, ${safe("due_at")}, root_id, parent_taskflow_id, tenant, template, tags, attributes,
  annotations, error_type, ${safe("created_at")}, ${safe("started_at")}, ${safe("finished_at")}, ${safe("retry_attempt")}, progress, ${safe("format")}`;

/** A row of `ROW_COLUMNS` as node:sqlite gives it. */
export interface RowColumns {
  taskflow_id: string;
  name: string | null;
  status: TaskflowStatus;
  owner: string | null;
  fence: number;
  due_at: number;
  root_id: string | null;
  parent_taskflow_id: string | null;
  tenant: string | null;
  template: string | null;
  tags: string | null;
  attributes: string | null;
  annotations: string | null;
  error_type: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  retry_attempt: number;
  progress: number;
  format: number;
}

export function toRow(columns: RowColumns): TaskflowRow {
  return {
    taskflowId: columns.taskflow_id,
    name: columns.name,
    status: columns.status,
    owner: columns.owner,
    fence: columns.fence,
    dueAt: columns.due_at,
    rootId: columns.root_id ?? columns.taskflow_id,
    parentTaskflowId: columns.parent_taskflow_id,
    tenant: columns.tenant,
    template: columns.template,
    tags: parsed<string[]>(columns.tags, []),
    attributes: parsed<TaskflowRow["attributes"]>(columns.attributes, {}),
    annotations: parsed<RowAnnotation[]>(columns.annotations, []),
    errorType: columns.error_type,
    createdAt: columns.created_at,
    startedAt: columns.started_at,
    finishedAt: columns.finished_at,
    retryAttempt: columns.retry_attempt,
    progress: columns.progress,
    format: columns.format,
  };
}

/**
 * The value of a JSON column; the empty value also for damaged text, so that the other rows can be
 * read.
 */
export function parsed<Value>(text: unknown, empty: Value): Value {
  if (typeof text !== "string") return empty;
  try {
    return JSON.parse(text) as Value;
  } catch {
    return empty;
  }
}

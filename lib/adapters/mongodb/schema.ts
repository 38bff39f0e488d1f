/**
 * What a MongoDB store keeps, and what its rows look like from outside.
 *
 * The collection `taskflows` holds documents of three kinds, so that whatever a group commit
 * creates and appends is one `insert` command:
 *
 * - a row: `_id` is the taskflow's id. It holds entry 1 too (a new taskflow is one document), and
 *   the short name of its `journal`, new for each taskflow: what was left of a deleted one never
 *   gets in the way of another of the same id.
 * - an entry: `_id` is `<journal>/<revision>`. That it is unique is the guard of every append.
 * - a part: `_id` is `<journal>.<revision>.<part>.<number>`, a piece of an entry that is too
 *   large for a document.
 *
 * A snapshot is parts under its revision, named by the row; entries from 2 to that revision mean
 * nothing any more.
 *
 * A tombstone is an entry without text, with the time at which the taskflow was deleted, in
 * `gone`: it holds the number at which somebody with an outdated picture may still append, for a
 * day.
 *
 * What is the usual case is left out: no tags, no attributes, null.
 */
import type { IndexDescription } from "mongodb";
import { randomBytes } from "node:crypto";
import { isFinished } from "../../core/model/flow.ts";
import { type TaskflowStatus } from "../../core/model/values.ts";
import type { RowAnnotation, RowChange, TaskflowRow } from "../../ports/store.ts";
import { decodeKey, decodeText, encodeKey, encodeText, SEPARATOR } from "./text-codec.ts";

export const TASKFLOWS = "taskflows";
export const COORDINATORS = "taskflow_coordinators";
export const META = "taskflow_meta";
export const PAUSE_RULES = "taskflow_pause_rules";

/** How long a tombstone is kept: longer than any coordinator is frozen and then continues. */
const TOMBSTONE_SECONDS = 24 * 3_600;

/**
 * Only rows have a creation time, and every list asks for one: so entries are in none of these
 * indexes.
 */
const ROWS = { createdAt: { $gte: 0 } };

/** Nearly all rows are roots: queries by parent or root have indexes of their own. */
export const NESTED = { parentTaskflowId: { $gt: "" } };

export const INDEXES: readonly IndexDescription[] = [
  { name: "unfinished", key: { owner: 1, dueAt: 1, _id: 1 }, partialFilterExpression: { open: true } },
  { name: "finished", key: { owner: 1, finishedAt: -1 }, partialFilterExpression: { finishedAt: { $gte: 0 } } },
  { name: "created", key: { createdAt: 1, _id: 1 }, partialFilterExpression: ROWS },
  { name: "status", key: { status: 1, createdAt: 1, _id: 1 }, partialFilterExpression: ROWS },
  { name: "nested", key: { parentTaskflowId: 1, createdAt: 1 }, partialFilterExpression: NESTED },
  { name: "trees", key: { rootId: 1 }, partialFilterExpression: NESTED },
  {
    name: "tombstones",
    key: { gone: 1 },
    expireAfterSeconds: TOMBSTONE_SECONDS,
    partialFilterExpression: { gone: { $exists: true } },
  },
];

/** The text of an entry, or the name and number of its chunks. */
export interface EntryText {
  entry?: string;
  part?: string;
  parts?: number;
}

export interface EntryDocument extends EntryText {
  _id: string;
  gone?: Date;
  /** A new owner's first entry: compaction leaves a tombstone in its place. */
  takeover?: true;
}

/** The name and number of the chunks of a snapshot, whose texts are its lines. */
export interface SnapshotText {
  revision: number;
  part: string;
  parts: number;
}

export interface ChunkDocument {
  _id: string;
  text: string;
}

export interface RowDocument extends EntryText {
  _id: string;
  journal: string;
  /**
   * Revision of the last entry whose change of the row is in it: an older change that comes late
   * changes nothing.
   */
  revision: number;
  /** The snapshot that replaces the entries from 2 to its revision, if it was compacted. */
  snapshot?: SnapshotText;
  /** Only while it is unfinished. */
  open?: true;
  /**
   * The fields that `text` of a query searches: name, id, tags, values of annotations; in lower
   * case.
   */
  search: string;
  /** Identifies the call of `claim` that took it last. */
  claim?: string;
  /** Incremented by an owner that returns after a pause: a claim based on an earlier read fails. */
  secured?: number;
  name?: string;
  status: TaskflowStatus;
  owner: string | null;
  fence: number;
  dueAt: number;
  rootId: string;
  parentTaskflowId?: string;
  tenant?: string;
  template?: string;
  tags?: string[];
  attributes?: Record<string, string | number | boolean>;
  annotations?: RowAnnotation[];
  errorType?: string | null;
  createdAt: number;
  startedAt?: number | null;
  finishedAt?: number | null;
  retryAttempt: number;
  progress: number;
  format: number;
}

export type TaskflowDocument = RowDocument | EntryDocument | ChunkDocument;

export interface CoordinatorDocument {
  _id: string;
  /** Counted from `from`, which is drawn anew for each life of its document. */
  renewals: number;
  from?: number;
  /** By the server's clock. */
  at: Date;
}

/** A number that no other renewal of this coordinator has. */
export const renewalsOf = ({ from, renewals }: CoordinatorDocument): number => (from ?? 0) + renewals;

/** Omits what only the store needs, above all the large first entry. */
export const ROW_PROJECTION = { snapshot: 0, entry: 0, part: 0, parts: 0, search: 0, claim: 0, secured: 0 } as const;

/**
 * 16 characters, unique across processes and time. The time comes first, so that new keys are
 * adjacent in an index.
 */
export function newName(): string {
  const bytes = randomBytes(12);
  bytes.writeUInt32BE(Math.floor(Date.now() / 1_000) % 2 ** 32);
  return bytes.toString("base64url");
}

export function entryId(journal: string, revision: number): string {
  return `${journal}/${String(revision).padStart(8, "0")}`;
}

/** The id of an entry. */
export function journalOf(id: string): string {
  return id.slice(0, id.lastIndexOf("/"));
}

export function revisionOf(id: string): number {
  return Number(id.slice(id.lastIndexOf("/") + 1));
}

export function partId(journal: string, revision: number, part: string, number: number): string {
  return `${journal}.${String(revision).padStart(8, "0")}.${part}.${String(number).padStart(4, "0")}`;
}

/** The ids of all entries of a journal: "0" follows "/". */
export function entryIds(journal: string): { $gt: string; $lt: string } {
  return { $gt: `${journal}/`, $lt: `${journal}0` };
}

/** The ids of all chunks: "/" follows ".". */
export function partIds(journal: string): { $gt: string; $lt: string } {
  return { $gt: `${journal}.`, $lt: `${journal}/` };
}

/** The ids of the chunks of one entry or snapshot. */
export function partIdsOf(journal: string, revision: number, part: string): { $gte: string; $lte: string } {
  return { $gte: partId(journal, revision, part, 0), $lte: partId(journal, revision, part, 9_999) };
}

export function toDocument(row: TaskflowRow, journal: string, text: EntryText): RowDocument {
  const document: RowDocument = {
    _id: row.taskflowId,
    journal,
    revision: 1,
    status: row.status,
    owner: row.owner,
    fence: row.fence,
    dueAt: row.dueAt,
    rootId: row.rootId,
    createdAt: row.createdAt,
    retryAttempt: row.retryAttempt,
    progress: row.progress,
    format: row.format,
    search: searchOf(row),
    ...text,
  };
  if (!isFinished(row.status)) document.open = true;
  if (row.name !== null) document.name = encodeText(row.name);
  if (row.parentTaskflowId !== null) document.parentTaskflowId = row.parentTaskflowId;
  if (row.tenant !== null) document.tenant = encodeText(row.tenant);
  if (row.template !== null) document.template = encodeText(row.template);
  if (row.tags.length > 0) document.tags = row.tags.map(encodeText);
  const attributes = Object.entries(row.attributes);
  if (attributes.length > 0) {
    document.attributes = Object.fromEntries(attributes.map(([key, value]) => [encodeKey(key), encodeValue(value)]));
  }
  if (row.annotations.length > 0) document.annotations = row.annotations.map(encodeAnnotation);
  if (row.errorType !== null) document.errorType = encodeText(row.errorType);
  if (row.startedAt !== null) document.startedAt = row.startedAt;
  if (row.finishedAt !== null) document.finishedAt = row.finishedAt;
  return document;
}

/** The fields of a change, as they are set. */
export function toFields(change: RowChange): Partial<RowDocument> {
  const { errorType, annotations, ...fields } = change;
  return {
    ...fields,
    ...(annotations === undefined ? {} : { annotations: annotations.map(encodeAnnotation) }),
    ...(errorType === undefined ? {} : { errorType: encodeValue(errorType) }),
  };
}

const encodeAnnotation = ({ type, value }: RowAnnotation): RowAnnotation => ({
  type: encodeText(type),
  value: encodeText(value),
});

export function encodeValue<Value>(value: Value): Value | string {
  return typeof value === "string" ? encodeText(value) : value;
}

function searchOf({ name, taskflowId, tags, attributes }: TaskflowRow): string {
  const texts = [name ?? "", taskflowId, ...tags, ...Object.values(attributes).map(String)];
  return texts.map((text) => encodeText(text.toLowerCase())).join(SEPARATOR);
}

export function toRow(document: RowDocument): TaskflowRow {
  return {
    taskflowId: document._id,
    name: decodeOrNull(document.name),
    status: document.status,
    owner: document.owner,
    fence: document.fence,
    dueAt: document.dueAt,
    rootId: document.rootId,
    parentTaskflowId: document.parentTaskflowId ?? null,
    tenant: decodeOrNull(document.tenant),
    template: decodeOrNull(document.template),
    tags: document.tags?.map(decodeText) ?? [],
    attributes: Object.fromEntries(
      Object.entries(document.attributes ?? {}).map(([key, value]) => [
        decodeKey(key),
        typeof value === "string" ? decodeText(value) : value,
      ]),
    ),
    annotations: document.annotations?.map(({ type, value }) => ({ type: decodeText(type), value: decodeText(value) })) ?? [],
    errorType: decodeOrNull(document.errorType),
    createdAt: document.createdAt,
    startedAt: document.startedAt ?? null,
    finishedAt: document.finishedAt ?? null,
    retryAttempt: document.retryAttempt,
    progress: document.progress,
    format: document.format,
  };
}

function decodeOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : decodeText(text);
}

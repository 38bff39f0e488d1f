/**
 * moleculer-db's adapter interface over the file of a SQLite store, for services that use the DbService mixin and for what was written
 * for it. With a `collection` it keeps JSON documents; without one it shows the rows of the taskflows (`TaskflowRow`, its
 * `taskflowId` as `_id`) and refuses every write: taskflows change through the actions of the taskflow service only.
 *
 * Queries are in `document-query.ts`, updates in `document-update.ts`. They look at every document of the collection, in the reader's
 * thread; an id is looked up at once. A query by `_id` alone is no faster than another: use `findById`.
 */
import { Errors } from "moleculer";
import type { Service, ServiceBroker } from "moleculer";
import type { DatabaseSync } from "node:sqlite";
import { v7 } from "uuid";
import { toCount, toFind } from "./filters.ts";
import type { DocumentFilters } from "./filters.ts";
import { toCondition } from "./query.ts";
import type { DocumentQuery, SqlText } from "./query.ts";
import { applyUpdate } from "./update.ts";
import { isConstraint } from "../adapters/sqlite/error.ts";
import type { SqliteStore } from "../adapters/sqlite/store.ts";

/** A JSON object with its id, a string, in `_id`. */
export type StoredDocument = Record<string, unknown>;

export interface SqliteDocumentAdapterOptions {
  store: SqliteStore;
  /** Name of the collection; absent: the taskflows, to read only. */
  collection?: string;
}

const DOCUMENTS: string = "SELECT id, doc FROM documents WHERE collection = ?";
const TASKFLOWS: string = `SELECT taskflow_id AS id, json_object('name', name, 'status', status, 'owner', owner, 'fence', fence, 'dueAt', due_at,
  'rootId', coalesce(root_id, taskflow_id), 'parentTaskflowId', parent_taskflow_id, 'tenant', tenant, 'template', template,
  'tags', json(coalesce(tags, '[]')), 'attributes', json(coalesce(attributes, '{}')), 'annotations', json(coalesce(annotations, '[]')),
  'errorType', error_type, 'createdAt', created_at,
  'startedAt', started_at, 'finishedAt', finished_at, 'retryAttempt', retry_attempt, 'progress', progress, 'format', format) AS doc FROM taskflows`;

interface DocumentColumns {
  id: string;
  doc: string;
}

/**
 * Moleculer copies deeply what stands in a schema beside a mixin, adapters included: a copy has no `#private` members, and would have a
 * copy of the store. A function is handed on as it is, so the store is behind one.
 */
export class SqliteDocumentAdapter {
  private readonly store: () => SqliteStore;
  private readonly collection: string | undefined;
  private readonly source: SqlText;

  constructor(options: SqliteDocumentAdapterOptions) {
    const { store } = options;
    this.store = () => store;
    this.collection = options.collection;
    this.source =
      options.collection === undefined ? { sql: TASKFLOWS, values: [] } : { sql: DOCUMENTS, values: [options.collection] };
  }

  /** Called by the mixin; nothing of the broker or service is needed. */
  init(_broker: ServiceBroker, _service: Service): void {}

  /** Opens the store if nobody has yet. */
  async connect(): Promise<void> {
    await this.store().open();
  }

  /** The store is shared: who made it closes it. */
  async disconnect(): Promise<void> {}

  async find(filters: DocumentFilters = {}): Promise<StoredDocument[]> {
    const { sql, values } = toFind(this.source, filters);
    const rows = await this.store().select(sql, values);
    return (rows as unknown as DocumentColumns[]).map(toDocument);
  }

  async findOne(query: DocumentQuery): Promise<StoredDocument | null> {
    const [document] = await this.find({ query, limit: 1 });
    return document ?? null;
  }

  async findById(id: unknown): Promise<StoredDocument | null> {
    const [document] = await this.findByIds([id]);
    return document ?? null;
  }

  /** In the order of the ids; what is missing is left out. */
  async findByIds(ids: readonly unknown[]): Promise<StoredDocument[]> {
    const wanted = ids.map(checkId);
    return this.store().transaction((database) =>
      wanted.map((id) => this.get(database, id)).filter((document) => document !== undefined),
    );
  }

  async count(filters: DocumentFilters = {}): Promise<number> {
    const { sql, values } = toCount(this.source, filters);
    const [row] = await this.store().select(sql, values);
    return Number(row?.["count"]);
  }

  /** Gives it an id (UUID v7) if it has none. Throws `DUPLICATE_ID` if it is taken. */
  async insert(entity: object): Promise<StoredDocument> {
    const [document] = await this.insertMany([entity]);
    return document!;
  }

  /** All or none. */
  async insertMany(entities: readonly object[]): Promise<StoredDocument[]> {
    const collection = this.writable();
    return this.store().transaction((database) => {
      const statement = database.prepare("INSERT INTO documents VALUES (?, ?, ?)");
      return entities.map((entity) => {
        const { _id, ...rest } = entity as StoredDocument;
        const id = _id === undefined || _id === null ? v7() : checkId(_id);
        const doc = JSON.stringify(rest);
        try {
          statement.run(collection, id, doc);
        } catch (error) {
          if (!isConstraint(error)) throw error;
          throw new Errors.MoleculerClientError(`"${collection}" has a document with the _id "${id}".`, 409, "DUPLICATE_ID", {
            id,
          });
        }
        return toDocument({ id, doc });
      });
    });
  }

  /** How many were changed: all that match, or none and it throws. */
  async updateMany(query: DocumentQuery, update: object): Promise<number> {
    const collection = this.writable();
    return this.store().transaction((database) => {
      const ids = this.matching(database, query);
      for (const id of ids) this.change(database, collection, id, update);
      return ids.length;
    });
  }

  /** The document as it is now; null if there is none. */
  async updateById(id: unknown, update: object): Promise<StoredDocument | null> {
    const collection = this.writable();
    const wanted = checkId(id);
    return this.store().transaction((database) => this.change(database, collection, wanted, update));
  }

  /** How many were removed. */
  async removeMany(query: DocumentQuery): Promise<number> {
    const collection = this.writable();
    return this.store().transaction((database) => {
      const ids = this.matching(database, query);
      const statement = database.prepare("DELETE FROM documents WHERE collection = ? AND id = ?");
      for (const id of ids) statement.run(collection, id);
      return ids.length;
    });
  }

  /** The document that was removed; null if there was none. */
  async removeById(id: unknown): Promise<StoredDocument | null> {
    const collection = this.writable();
    const wanted = checkId(id);
    return this.store().transaction((database) => {
      const document = this.get(database, wanted);
      database.prepare("DELETE FROM documents WHERE collection = ? AND id = ?").run(collection, wanted);
      return document ?? null;
    });
  }

  /** How many were removed. */
  async clear(): Promise<number> {
    return this.removeMany({});
  }

  entityToObject(entity: StoredDocument): StoredDocument {
    return entity;
  }

  beforeSaveTransformID(entity: StoredDocument, idField: string): StoredDocument {
    if (idField === "_id" || entity[idField] === undefined) return { ...entity };
    const { [idField]: id, ...rest } = entity;
    return { ...rest, _id: id };
  }

  afterRetrieveTransformID(entity: StoredDocument, idField: string): StoredDocument {
    if (idField === "_id") return entity;
    const { _id, ...rest } = entity;
    return { ...rest, [idField]: _id };
  }

  private matching(database: DatabaseSync, query: DocumentQuery): string[] {
    const condition = toCondition(query);
    const statement = database.prepare(`SELECT id FROM (${this.source.sql}) WHERE ${condition.sql}`);
    return (statement.all(...this.source.values, ...condition.values) as unknown as { id: string }[]).map(({ id }) => id);
  }

  private get(database: DatabaseSync, id: string): StoredDocument | undefined {
    const statement = database.prepare(`SELECT id, doc FROM (${this.source.sql}) WHERE id = ?`);
    const columns = statement.get(...this.source.values, id) as DocumentColumns | undefined;
    return columns === undefined ? undefined : toDocument(columns);
  }

  private change(database: DatabaseSync, collection: string, id: string, update: object): StoredDocument | null {
    const document = this.get(database, id);
    if (document === undefined) return null;
    applyUpdate(document, update);
    const { _id, ...rest } = document;
    const doc = JSON.stringify(rest);
    database.prepare("UPDATE documents SET doc = ? WHERE collection = ? AND id = ?").run(doc, collection, id);
    return toDocument({ id, doc });
  }

  private writable(): string {
    if (this.collection !== undefined) return this.collection;
    throw new Errors.MoleculerClientError(
      "Taskflows are read-only here: change them through the actions of the taskflow service, such as cancelTaskflow.",
      405,
      "READ_ONLY",
    );
  }
}

function toDocument({ id, doc }: DocumentColumns): StoredDocument {
  return { _id: id, ...(JSON.parse(doc) as object) };
}

/** An object in place of an id would be a query in MongoDB: it is never taken for one. */
function checkId(id: unknown): string {
  if (typeof id === "string" && id !== "") return id;
  throw new Errors.MoleculerClientError("The id of a document is a string that is not empty.", 422, "INVALID_ID");
}

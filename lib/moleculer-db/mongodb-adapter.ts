/**
 * moleculer-db's adapter interface over the database of a MongoDB store, as `document-adapter-sqlite.ts` is over a SQLite file: for services
 * that use the DbService mixin, and for what was written for it. With a `collection` it keeps documents, in `taskflow_docs_<collection>`;
 * without one it shows the rows of the taskflows and refuses every write.
 *
 * Queries, updates and ids are checked by the same rules. Two things are as MongoDB has them: a condition on an array also looks at its
 * elements, and a write of several documents may be stored in part if the server fails in the middle.
 */
import { Errors } from "moleculer";
import type { Service, ServiceBroker } from "moleculer";
import type { Collection, Filter, Sort, UpdateFilter } from "mongodb";
import { v7 } from "uuid";
import type { DocumentFilters } from "./filters.ts";
import { type DocumentQuery, invalidQuery, splitPath, toCondition } from "./query.ts";
import { applyUpdate } from "./update.ts";
import { isDuplicateKey } from "../adapters/mongodb/error.ts";
import { ROW_PROJECTION, type RowDocument, TASKFLOWS, toRow } from "../adapters/mongodb/schema.ts";
import type { MongoStore } from "../adapters/mongodb/store.ts";

/** A JSON object with its id, a string, in `_id`. */
type StoredDocument = Record<string, unknown> & { _id: string };

export interface MongoDocumentAdapterOptions {
  store: MongoStore;
  /** Name of the collection; absent: the taskflows, to read only. */
  collection?: string;
}

/** The store stands behind a function: Moleculer copies deeply what is in a schema. */
export class MongoDocumentAdapter {
  private readonly store: () => MongoStore;
  private readonly collection: string | undefined;

  constructor(options: MongoDocumentAdapterOptions) {
    const { store } = options;
    this.store = () => store;
    this.collection = options.collection;
  }

  /** Called by the mixin; nothing of the broker or service is needed. */
  init(_broker: ServiceBroker, _service: Service): void {}

  /** Opens the store if nobody has yet. */
  async connect(): Promise<void> {
    await this.store().open();
  }

  /** The store is shared: who made it closes it. */
  async disconnect(): Promise<void> {}

  async find(filters: DocumentFilters = {}): Promise<Record<string, unknown>[]> {
    const filter = this.filterOf(filters);
    const isIn = searchOf(filters);
    const { limit, offset } = filters;
    const cursor = this.documents.find(filter, { projection: this.collection === undefined ? ROW_PROJECTION : {} });
    cursor.sort(sortOf(filters.sort));
    // What is searched in every field is searched here, so the page is cut here, too.
    if (isIn === undefined && isPositive(offset)) cursor.skip(offset);
    if (isIn === undefined && isPositive(limit)) cursor.limit(limit);
    const found = (await this.once(() => cursor.toArray())).map((document) => this.show(document));
    if (isIn === undefined) return found;
    const start = isPositive(offset) ? offset : 0;
    return found.filter(isIn).slice(start, isPositive(limit) ? start + limit : undefined);
  }

  async findOne(query: DocumentQuery): Promise<Record<string, unknown> | null> {
    const [document] = await this.find({ query, limit: 1 });
    return document ?? null;
  }

  async findById(id: unknown): Promise<Record<string, unknown> | null> {
    const [document] = await this.findByIds([id]);
    return document ?? null;
  }

  /** In the order of the ids; what is missing is left out. */
  async findByIds(ids: readonly unknown[]): Promise<Record<string, unknown>[]> {
    const wanted = ids.map(checkId);
    const found = await this.once(() => this.documents.find({ _id: { $in: wanted }, ...this.base }).toArray());
    const byId = new Map(found.map((document) => [document._id, this.show(document)]));
    return wanted.map((id) => byId.get(id)).filter((document) => document !== undefined);
  }

  async count(filters: DocumentFilters = {}): Promise<number> {
    const { query, search, searchFields } = filters;
    if (searchOf(filters) !== undefined) {
      return (await this.find({ query: query ?? null, search: search ?? null, searchFields: searchFields ?? null })).length;
    }
    const filter = this.filterOf(filters);
    return this.once(() => this.documents.countDocuments(filter));
  }

  /** Gives it an id (UUID v7) if it has none. Throws `DUPLICATE_ID` if it is taken. */
  async insert(entity: object): Promise<Record<string, unknown>> {
    const [document] = await this.insertMany([entity]);
    return document!;
  }

  /** All or none, unless the server fails in the middle. */
  async insertMany(entities: readonly object[]): Promise<Record<string, unknown>[]> {
    const collection = this.writable();
    const documents = entities.map((entity): StoredDocument => {
      const { _id, ...rest } = JSON.parse(JSON.stringify(entity)) as Record<string, unknown>;
      return { _id: _id === undefined || _id === null ? v7() : checkId(_id), ...rest };
    });
    if (documents.length === 0) return [];
    const ids = documents.map(({ _id }) => _id);
    const refuse = (id: string): never => {
      throw new Errors.MoleculerClientError(`"${collection}" has a document with the _id "${id}".`, 409, "DUPLICATE_ID", { id });
    };
    const [taken] = await this.findByIds(ids);
    if (taken !== undefined) refuse(String(taken["_id"]));
    try {
      await this.once(() => this.documents.insertMany(documents));
    } catch (error) {
      if (isDuplicateKey(error instanceof Error ? error.cause : error)) refuse(ids.join(", "));
      throw error;
    }
    return documents;
  }

  /** How many were changed. */
  async updateMany(query: DocumentQuery, update: object): Promise<number> {
    this.writable();
    return (await this.change(this.filterOf({ query }), update)).length;
  }

  /** The document as it is now; null if there is none. */
  async updateById(id: unknown, update: object): Promise<Record<string, unknown> | null> {
    this.writable();
    const [changed] = await this.change({ _id: checkId(id) }, update);
    return changed === undefined ? null : this.findById(changed);
  }

  /** How many were removed. */
  async removeMany(query: DocumentQuery): Promise<number> {
    this.writable();
    const filter = this.filterOf({ query });
    return (await this.once(() => this.documents.deleteMany(filter))).deletedCount;
  }

  /** The document that was removed; null if there was none. */
  async removeById(id: unknown): Promise<Record<string, unknown> | null> {
    this.writable();
    const _id = checkId(id);
    return this.once(() => this.documents.findOneAndDelete({ _id }));
  }

  /** How many were removed. */
  async clear(): Promise<number> {
    return this.removeMany({});
  }

  entityToObject(entity: Record<string, unknown>): Record<string, unknown> {
    return entity;
  }

  beforeSaveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown> {
    if (idField === "_id" || entity[idField] === undefined) return { ...entity };
    const { [idField]: id, ...rest } = entity;
    return { ...rest, _id: id };
  }

  afterRetrieveTransformID(entity: Record<string, unknown>, idField: string): Record<string, unknown> {
    if (idField === "_id") return entity;
    const { _id, ...rest } = entity;
    return { ...rest, [idField]: _id };
  }

  private get documents(): Collection<StoredDocument> {
    const name = this.collection === undefined ? TASKFLOWS : `taskflow_docs_${this.collection}`;
    return this.store().link.collection<StoredDocument>(name);
  }

  /** What only rows of taskflows have, beside their entries. */
  private get base(): Filter<StoredDocument> {
    return this.collection === undefined ? { createdAt: { $gte: 0 } } : {};
  }

  private filterOf({ query, search, searchFields }: DocumentFilters): Filter<StoredDocument> {
    // Throws for all that is not known, here as there.
    toCondition(query);
    const conditions: Filter<StoredDocument>[] = [this.base, query ?? {}];
    const fields = wordsOf(searchFields);
    if (typeof search === "string" && search !== "" && fields.length > 0) {
      const $regex = search.replace(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
      conditions.push({
        $or: fields.map((field) => ({ [checkPath(field)]: { $regex, $options: "i" } })),
      });
    }
    return { $and: conditions };
  }

  private show(document: StoredDocument): Record<string, unknown> {
    if (this.collection !== undefined) return document;
    const { taskflowId, ...fields } = toRow(document as unknown as RowDocument);
    return { _id: taskflowId, ...fields };
  }

  /** The ids of what was changed. Tried on copies first: a change that one of them cannot take is made in none. */
  private async change(filter: Filter<StoredDocument>, update: object): Promise<string[]> {
    applyUpdate({}, Object.fromEntries(Object.entries(update).filter(([operator]) => operator !== "$inc")));
    const found = await this.once(() => this.documents.find(filter).toArray());
    const ids = found.map(({ _id }) => _id);
    for (const document of found) applyUpdate(document, update);
    if (ids.length === 0) return [];
    await this.once(() => this.documents.updateMany({ _id: { $in: ids } }, update as UpdateFilter<StoredDocument>));
    return ids;
  }

  /** Not repeated: a number that was counted up and not answered for would be counted up again. */
  private async once<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.collection === undefined) await this.store().flush();
    return this.store().link.once(work);
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

/** Looks into the id and every value at the top, where no fields are named. */
function searchOf({ search, searchFields }: DocumentFilters): ((document: Record<string, unknown>) => boolean) | undefined {
  if (search === null || search === undefined || search === "") return undefined;
  if (typeof search !== "string") throw invalidQuery("`search` is a string.");
  if (wordsOf(searchFields).length > 0) return undefined;
  const text = search.toLowerCase();
  const isIn = (value: unknown): boolean =>
    (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toLowerCase().includes(text);
  return (document) => Object.values(document).some(isIn);
}

function sortOf(sort: DocumentFilters["sort"]): Sort {
  const paths = wordsOf(sort).map((word): [string, 1 | -1] =>
    word.startsWith("-") ? [checkPath(word.slice(1)), -1] : [checkPath(word), 1],
  );
  return Object.fromEntries([...paths, ...(paths.some(([path]) => path === "_id") ? [] : [["_id", 1] as const])]);
}

function wordsOf(words: string | readonly string[] | null | undefined): readonly string[] {
  return typeof words === "string" ? words.split(/[,\s]+/).filter((word) => word !== "") : (words ?? []);
}

function checkPath(path: string): string {
  splitPath(path);
  return path;
}

function isPositive(value: number | null | undefined): value is number {
  return typeof value === "number" && value > 0;
}

/** An object in place of an id would be a query: it is never taken for one. */
function checkId(id: unknown): string {
  if (typeof id === "string" && id !== "") return id;
  throw new Errors.MoleculerClientError("The id of a document is a string that is not empty.", 422, "INVALID_ID");
}

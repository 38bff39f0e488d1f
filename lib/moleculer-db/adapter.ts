/**
 * moleculer-db's adapter for the taskflows of a store, read-only: beside their coordinators, or
 * without one. A taskflow changes only through its owner, which holds the fence.
 */
import type { DbAdapter } from "moleculer-db";
import { readEnvironment } from "../config/environment.ts";
import { checkSettings } from "../config/settings.ts";
import { taskflowError } from "../errors/errors.ts";
import type { TaskflowRow } from "../ports/store.ts";
import { describeValue } from "../util/describe-value.ts";
import { valuesOf } from "../util/setting.ts";
import { invalidFilter, type TaskflowDocument } from "./fields.ts";
import { type DocumentFilters, parseFilters } from "./filters.ts";
import { sourceOf } from "./open-source.ts";
import type { DocumentQuery } from "./query.ts";
import { ADAPTER_SETTINGS, type TaskflowAdapterOptions } from "./settings.ts";
import type { TaskflowSource } from "./source.ts";

export type { TaskflowAdapterOptions } from "./settings.ts";

const MAX_IDS = 1_000;

/**
 * For services with moleculer-db's mixin: `{ mixins: [DbService], adapter: new TaskflowAdapter({
 * store }) }`. Shows the taskflows of a store as documents, and refuses every write with
 * `TASKFLOW_READ_ONLY`.
 */
export class TaskflowAdapter implements DbAdapter {
  // Moleculer deeply copies what stands in a schema, and a copy has no #private members. It keeps
  // functions as they are: so all copies have one source.
  private readonly source: () => TaskflowSource;

  /**
   * @throws TASKFLOW_VALIDATION_ERROR for options that are wrong, Error with the line that
   * installs a missing driver
   */
  constructor(options: TaskflowAdapterOptions = {}) {
    checkSettings("The options of TaskflowAdapter", ADAPTER_SETTINGS, options);
    const given = options.store === undefined ? readEnvironment(ADAPTER_SETTINGS) : options;
    const source = sourceOf(valuesOf(ADAPTER_SETTINGS, given).store);
    this.source = () => source;
  }

  /** Called by the mixin; the adapter needs nothing of it. */
  init(): void {}

  /** @throws Error that says what to do; it can be called again */
  async connect(): Promise<void> {
    await this.source().open();
  }

  async disconnect(): Promise<void> {
    await this.source().close();
  }

  async find(filters: DocumentFilters = {}): Promise<TaskflowDocument[]> {
    const rows = await this.source().find(parseFilters(filters));
    return rows.map(toDocument);
  }

  /** Null if there is none, which moleculer-db's declarations leave out. */
  async findOne(query: DocumentQuery): Promise<TaskflowDocument> {
    const [document = null] = await this.find({ query, limit: 1 });
    return document as TaskflowDocument;
  }

  /** Null if there is none, which moleculer-db's declarations leave out. */
  async findById(id: unknown): Promise<TaskflowDocument> {
    const [document = null] = await this.findByIds([id]);
    return document as TaskflowDocument;
  }

  /** In the order of the ids, without those that are missing. */
  async findByIds(ids: readonly unknown[]): Promise<TaskflowDocument[]> {
    if (ids.length > MAX_IDS) throw invalidFilter("/id", `must be at most ${MAX_IDS} ids, got ${ids.length}`);
    const wanted = ids.map(checkId);
    const rows = await this.source().withIds(wanted);
    const byId = new Map(rows.map((row) => [row.taskflowId, row]));
    return wanted.flatMap((id) => {
      const row = byId.get(id);
      return row === undefined ? [] : [toDocument(row)];
    });
  }

  async count(filters: DocumentFilters = {}): Promise<number> {
    return this.source().count(parseFilters(filters));
  }

  /** The same as `find`: there is no cursor to add to. */
  async createCursor(filters: DocumentFilters): Promise<TaskflowDocument[]> {
    return this.find(filters);
  }

  async insert(): Promise<never> {
    throw readOnly();
  }

  async insertMany(): Promise<never> {
    throw readOnly();
  }

  async updateMany(): Promise<never> {
    throw readOnly();
  }

  async updateById(): Promise<never> {
    throw readOnly();
  }

  async removeMany(): Promise<never> {
    throw readOnly();
  }

  async removeById(): Promise<never> {
    throw readOnly();
  }

  async clear(): Promise<never> {
    throw readOnly();
  }

  entityToObject(entity: object): object {
    return entity;
  }

  beforeSaveTransformID(entity: object): object {
    return entity;
  }

  afterRetrieveTransformID(entity: object, idField: string): object {
    if (idField === "_id" || !("_id" in entity)) return entity;
    const { _id, ...rest } = entity;
    return { [idField]: _id, ...rest };
  }
}

function toDocument({ taskflowId, fence: _fence, dueAt: _dueAt, format: _format, ...fields }: TaskflowRow): TaskflowDocument {
  return { _id: taskflowId, ...fields };
}

/** MongoDB would take an object in place of an id for a query. */
function checkId(id: unknown): string {
  if (typeof id === "string") return id;
  throw invalidFilter("/id", `must be the id of a taskflow, a string, got ${describeValue(id)}`);
}

function readOnly(): Error {
  return taskflowError(
    "TASKFLOW_READ_ONLY",
    "Taskflows must not be written through moleculer-db: call the actions of the service taskflow, such as taskflow.cancelTaskflow.",
  );
}

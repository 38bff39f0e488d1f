/**
 * Reads the database of a MongoDB store, and writes nothing to it: a user with the role `read`
 * will do.
 */
import type { Collection, Filter, Sort } from "mongodb";
import { MongoLink } from "../adapters/mongodb/client.ts";
import { openStore, StoreRefused } from "../adapters/mongodb/open-store.ts";
import { patternOf } from "../adapters/mongodb/query.ts";
import { encodeValue, ROW_PROJECTION, type RowDocument, TASKFLOWS, toRow } from "../adapters/mongodb/schema.ts";
import { encodeKey } from "../adapters/mongodb/text-codec.ts";
import type { TaskflowRow } from "../ports/store.ts";
import type { Field } from "./fields.ts";
import type { Filters, Search } from "./filters.ts";
import type { Condition } from "./query.ts";
import type { TaskflowSource } from "./source.ts";

/** How long one read may take. */
const READ_MS = 30_000;

/** Only rows have it: entries of journals are in the same collection. */
const IS_ROW: Filter<RowDocument> = { createdAt: { $gte: 0 } };
const NONE: Filter<RowDocument> = { _id: { $in: [] } };

export class MongoSource implements TaskflowSource {
  readonly #link: MongoLink;
  #isOpen = false;

  /** @throws Error with the line that installs the driver, if it is missing */
  constructor(url: string) {
    this.#link = new MongoLink({ url, attemptMs: READ_MS });
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    await openStore(this.#link, async (isNew) => {
      if (!isNew) return;
      throw new StoreRefused(`The store ${this.#link.name} must exist: start a coordinator on it, or correct its URL.`);
    });
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#link.close();
  }

  async find(filters: Filters): Promise<TaskflowRow[]> {
    const sort: Sort = new Map(filters.order.map(({ field, isDescending }) => [pathOf(field), isDescending ? -1 : 1]));
    return this.#rows(whereOf(filters), (cursor) =>
      cursor
        .sort(sort)
        .skip(filters.offset)
        .limit(filters.limit ?? 0),
    );
  }

  async withIds(ids: readonly string[]): Promise<TaskflowRow[]> {
    return this.#rows({ $and: [IS_ROW, { _id: { $in: [...ids] } }] });
  }

  async count(filters: Filters): Promise<number> {
    return this.#link.once(() => this.#taskflows.countDocuments(whereOf(filters), { maxTimeMS: READ_MS }));
  }

  async #rows(
    where: Filter<RowDocument>,
    page: (cursor: ReturnType<Collection<RowDocument>["find"]>) => unknown = () => undefined,
  ): Promise<TaskflowRow[]> {
    const documents = await this.#link.once(() => {
      const cursor = this.#taskflows.find(where, { projection: ROW_PROJECTION, maxTimeMS: READ_MS });
      page(cursor);
      return cursor.toArray();
    });
    return documents.map(toRow);
  }

  get #taskflows(): Collection<RowDocument> {
    return this.#link.collection<RowDocument>(TASKFLOWS);
  }
}

function whereOf({ condition, searches }: Filters): Filter<RowDocument> {
  return { $and: [IS_ROW, filterOf(condition), ...searches.map(searchOf)] };
}

function filterOf(condition: Condition): Filter<RowDocument> {
  switch (condition.kind) {
    case "all":
      return condition.of.length === 0 ? {} : { $and: condition.of.map(filterOf) };
    case "any":
      return condition.of.length === 0 ? NONE : { $or: condition.of.map(filterOf) };
    case "not":
      return { $nor: [filterOf(condition.of)] };
    case "in":
      return { [pathOf(condition.field)]: { $in: condition.values.map(encodeValue) } };
    case "compare":
      return { [pathOf(condition.field)]: { [condition.operator]: encodeValue(condition.value) } };
    case "absent":
      return { [pathOf(condition.field)]: null };
  }
}

function searchOf({ text, fields }: Search): Filter<RowDocument> {
  const $regex = patternOf(text);
  if (fields === undefined) return { search: { $regex } };
  return {
    $or: fields.map((field) => ({
      $and: [{ [pathOf(field)]: { $type: "string" } }, { [pathOf(field)]: { $regex, $options: "i" } }],
    })),
  };
}

function pathOf(field: Field): string {
  return field.kind === "attribute" ? `attributes.${encodeKey(field.key)}` : field.path;
}

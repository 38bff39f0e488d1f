/**
 * Checks the filters of moleculer-db's `find`, `list` and `count`, and makes them ready to be
 * translated.
 */
import { describeValue } from "../util/describe-value.ts";
import { type Field, fieldOf, invalidFilter } from "./fields.ts";
import { type Condition, type DocumentQuery, parseQuery } from "./query.ts";

/** The params of `find` and `count`; `count` omits limit, offset and sort. */
export interface DocumentFilters {
  query?: DocumentQuery | null;
  /** Part of a text, in upper or lower case. */
  search?: string | null;
  /** The same as `search`, which never tells upper from lower case. */
  iSearch?: string | null;
  /** Where to search. Default: id, name, tags and the values of attributes. */
  searchFields?: string | readonly string[] | null;
  /** Paths, with "-" in front for descending. Ties are ordered by id. */
  sort?: string | readonly string[] | null;
  /** 0: no limit. */
  limit?: number | string | null;
  offset?: number | string | null;
}

export interface Search {
  readonly text: string;
  /** Undefined: id, name, tags and the values of attributes. */
  readonly fields: readonly Field[] | undefined;
}

export interface Order {
  readonly field: Exclude<Field, { kind: "list" }>;
  readonly isDescending: boolean;
}

export interface Filters {
  readonly condition: Condition;
  readonly searches: readonly Search[];
  readonly order: readonly Order[];
  /** Undefined: no limit. */
  readonly limit: number | undefined;
  readonly offset: number;
}

const MAX_WORDS = 16;

/** @throws TASKFLOW_VALIDATION_ERROR */
export function parseFilters(filters: DocumentFilters): Filters {
  return {
    condition: parseQuery(filters.query),
    searches: [...searchesOf("search", filters), ...searchesOf("iSearch", filters)],
    order: orderOf(filters.sort),
    limit: numberOf(filters.limit, "/limit") || undefined,
    offset: numberOf(filters.offset, "/offset"),
  };
}

function searchesOf(name: "search" | "iSearch", filters: DocumentFilters): Search[] {
  const text: unknown = filters[name];
  if (text === null || text === undefined || text === "") return [];
  if (typeof text !== "string") throw invalidFilter(`/${name}`, `must be a string, got ${describeValue(text)}`);
  const fields = wordsOf(filters.searchFields, "/searchFields").map((path) => {
    const field = fieldOf(path, "/searchFields");
    if (field.type === "number") throw invalidFilter("/searchFields", `must name fields that hold text, got "${path}"`);
    return field;
  });
  return [{ text, fields: fields.length === 0 ? undefined : fields }];
}

function orderOf(sort: DocumentFilters["sort"]): Order[] {
  const byPath = new Map<string, Order>();
  for (const word of wordsOf(sort, "/sort")) {
    const isDescending = word.startsWith("-");
    const field = fieldOf(isDescending ? word.slice(1) : word, "/sort");
    if (field.kind === "list") throw invalidFilter("/sort", `must name fields with one value, got "${field.path}"`);
    if (!byPath.has(field.path)) byPath.set(field.path, { field, isDescending });
  }
  if (!byPath.has("_id")) byPath.set("_id", { field: { kind: "column", path: "_id", type: "string" }, isDescending: false });
  return [...byPath.values()];
}

function wordsOf(given: unknown, place: string): readonly string[] {
  const words: unknown = typeof given === "string" ? given.split(/[,\s]+/).filter((word) => word !== "") : (given ?? []);
  if (!Array.isArray(words) || words.length > MAX_WORDS || !words.every((word) => typeof word === "string")) {
    throw invalidFilter(place, `must be the names of up to ${MAX_WORDS} fields`);
  }
  return words;
}

function numberOf(given: unknown, place: string): number {
  const number = given === null || given === undefined ? 0 : Number(given);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw invalidFilter(place, `must be a whole number of 0 or more, got ${describeValue(given)}`);
}

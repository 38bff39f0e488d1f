/** What moleculer-db's `find`, `list` and `count` filter by, as SELECTs over a source with the columns `id` and `doc`. */
import { invalidQuery, toCondition, toOperand } from "./query.ts";
import type { DocumentQuery, SqlText } from "./query.ts";

/** What `find` and `count` take; `count` leaves out limit, offset and sort. */
export interface DocumentFilters {
  query?: DocumentQuery | null;
  /** Text that any of `searchFields` contains, or any value of the document; case-insensitive in ASCII. */
  search?: string | null;
  searchFields?: string | readonly string[] | null;
  /** Paths, "-" in front for descending. */
  sort?: string | readonly string[] | null;
  limit?: number | null;
  offset?: number | null;
}

export function toFind(source: SqlText, filters: DocumentFilters): SqlText {
  const order = orderOf(filters.sort);
  // A limit of 0 is none, as in moleculer-db's own adapter.
  const limit = isPositive(filters.limit) ? filters.limit : -1;
  const offset = isPositive(filters.offset) ? filters.offset : 0;
  return join("SELECT id, doc FROM", source, whereOf(filters), order, { sql: "LIMIT ? OFFSET ?", values: [limit, offset] });
}

export function toCount(source: SqlText, filters: DocumentFilters): SqlText {
  return join("SELECT count(*) AS count FROM", source, whereOf(filters));
}

function join(head: string, source: SqlText, ...rest: readonly SqlText[]): SqlText {
  return {
    sql: `${head} (${source.sql}) ${rest.map(({ sql }) => sql).join(" ")}`,
    values: [source, ...rest].flatMap(({ values }) => values),
  };
}

function whereOf(filters: DocumentFilters): SqlText {
  const condition = toCondition(filters.query);
  const search = searchOf(filters);
  return { sql: `WHERE ${condition.sql} AND ${search.sql}`, values: [...condition.values, ...search.values] };
}

function isPositive(value: number | null | undefined): value is number {
  return typeof value === "number" && value > 0;
}

function wordsOf(words: string | readonly string[] | null | undefined): readonly string[] {
  return typeof words === "string" ? words.split(/[,\s]+/).filter((word) => word !== "") : (words ?? []);
}

function orderOf(sort: DocumentFilters["sort"]): SqlText {
  const fields = wordsOf(sort).map((field) =>
    field.startsWith("-") ? { ...toOperand(field.slice(1)), direction: "DESC" } : { ...toOperand(field), direction: "ASC" },
  );
  const terms = [...fields.map(({ sql, direction }) => `${sql} ${direction}`), "id"];
  return { sql: `ORDER BY ${terms.join(", ")}`, values: fields.flatMap(({ values }) => values) };
}

function searchOf(filters: DocumentFilters): SqlText {
  const { search } = filters;
  if (search === null || search === undefined || search === "") return { sql: "TRUE", values: [] };
  if (typeof search !== "string") throw invalidQuery("`search` is a string.");
  const pattern = `%${search.replace(/[\\%_]/g, "\\$&")}%`;
  const fields = wordsOf(filters.searchFields).map(toOperand);
  if (fields.length === 0) {
    return {
      sql: `(id LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM json_each(doc) WHERE value LIKE ? ESCAPE '\\'))`,
      values: [pattern, pattern],
    };
  }
  const terms = fields.map(({ sql }) => `${sql} LIKE ? ESCAPE '\\'`);
  return { sql: `(${terms.join(" OR ")})`, values: fields.flatMap(({ values }) => [...values, pattern]) };
}

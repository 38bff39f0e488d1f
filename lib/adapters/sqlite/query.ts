/**
 * Lists of taskflows, and other SELECTs that may scan every row. They run on a connection of their
 * own in the reader's thread (`reader-thread.ts`), or on the only connection of a store in memory.
 * SQL compares where it can. Text, tags and annotations are compared by our function `matches`,
 * which SQLite calls for each remaining row: it is exact for every character, has no wildcards, and
 * ignores case beyond ASCII, which LIKE does not.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import { TASKFLOW_STATUSES } from "../../../schemas/statuses.ts";
import { isFinished } from "../../core/model/flow.ts";
import type { RowAnnotation, TaskflowPage, TaskflowQuery } from "../../ports/store.ts";
import { checkQuery, decodeCursor, encodeCursor } from "../../ports/list-cursor.ts";
import { parsed, ROW_COLUMNS, type RowColumns, toRow, UNFINISHED } from "./schema.ts";

interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** Columns of a row as `matches` gets them: texts, or null. */
interface Columns {
  readonly name: SQLOutputValue;
  readonly tags: SQLOutputValue;
  readonly attributes: SQLOutputValue;
  readonly annotations: SQLOutputValue;
}

type Matcher = (taskflowId: string, columns: Columns) => boolean;

export class SqliteQueries {
  readonly #database: DatabaseSync;
  /** The conditions that `matches` checks in the running query. */
  #matcher: Matcher = () => true;

  constructor(database: DatabaseSync) {
    this.#database = database;
    // All by name: SQLite takes their number from the function.
    database.function("matches", (taskflowId, name, tags, attributes, annotations) => {
      const columns = { name, tags, attributes, annotations };
      return this.#matcher(String(taskflowId), columns) ? 1 : 0;
    });
    database.function("contains", { deterministic: true }, (value, text) =>
      value !== null && String(value).toLowerCase().includes(String(text).toLowerCase()) ? 1 : 0,
    );
  }

  list(query: TaskflowQuery): TaskflowPage {
    checkQuery(query);
    const conditions = conditionsOf(query);
    const matcher = matcherOf(query);
    if (matcher !== undefined) {
      this.#matcher = matcher;
      // Last, so that it is called only for rows that pass all other conditions.
      conditions.push({ sql: "matches(taskflow_id, name, tags, attributes, annotations)", values: [] });
    }
    // One transaction: page and counts are of the same moment.
    this.#database.exec("BEGIN");
    try {
      return { ...this.#page(query, conditions), counts: this.#counts(conditions) };
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  select(sql: string, values: readonly SQLInputValue[]): Record<string, SQLOutputValue>[] {
    return this.#database.prepare(sql).all(...values);
  }

  #page(query: TaskflowQuery, conditions: readonly Condition[]): Pick<TaskflowPage, "rows" | "nextCursor"> {
    const descending = query.sort === "-createdAt";
    const direction = descending ? "DESC" : "ASC";
    const all = [...conditions];
    if (query.cursor !== undefined) {
      const { createdAt, taskflowId } = decodeCursor(query.cursor);
      // The first comparison comes before `matches` and narrows the scan.
      all.unshift({ sql: `(created_at, taskflow_id) ${descending ? "<" : ">"} (?, ?)`, values: [createdAt, taskflowId] });
    }
    const sql = `SELECT ${ROW_COLUMNS} FROM taskflows ${whereOf(all)} ORDER BY created_at ${direction}, taskflow_id ${direction} LIMIT ?`;
    const found = this.select(sql, [...valuesOf(all), query.pageSize + 1]) as unknown as RowColumns[];
    const rows = found.slice(0, query.pageSize).map(toRow);
    const last = rows.at(-1);
    return found.length > query.pageSize && last !== undefined ? { rows, nextCursor: encodeCursor(last) } : { rows };
  }

  #counts(conditions: readonly Condition[]): TaskflowPage["counts"] {
    // One pass over the rows; GROUP BY would sort them first.
    const columns = TASKFLOW_STATUSES.map((status) => `count(*) FILTER (WHERE status = '${status}') AS ${status}`);
    const [row] = this.select(`SELECT ${columns.join(", ")} FROM taskflows ${whereOf(conditions)}`, valuesOf(conditions));
    const counts: TaskflowPage["counts"] = {};
    for (const status of TASKFLOW_STATUSES) {
      const count = Number(row?.[status] ?? 0);
      if (count > 0) counts[status] = count;
    }
    return counts;
  }
}

function conditionsOf(query: TaskflowQuery): Condition[] {
  const conditions: Condition[] = [];
  const equal = (column: string, value: string | undefined): void => {
    if (value !== undefined) conditions.push({ sql: `${column} = ?`, values: [value] });
  };
  const anyOf = (column: string, values: readonly string[] | undefined): void => {
    if (values !== undefined) conditions.push({ sql: `${column} IN (${values.map(() => "?").join(", ")})`, values });
  };
  equal("parent_taskflow_id", query.parentTaskflowId);
  equal("name", query.name);
  equal("tenant", query.tenant);
  equal("template", query.template);
  anyOf("status", query.status);
  // Lets SQLite take the small index of what is not finished.
  if (query.status !== undefined && !query.status.some(isFinished)) conditions.push({ sql: UNFINISHED, values: [] });
  anyOf("error_type", query.errorType);
  if (query.createdAfter !== undefined) conditions.push({ sql: "created_at > ?", values: [query.createdAfter] });
  if (query.createdBefore !== undefined) conditions.push({ sql: "created_at < ?", values: [query.createdBefore] });
  return conditions;
}

function whereOf(conditions: readonly Condition[]): string {
  return conditions.length === 0 ? "" : `WHERE ${conditions.map(({ sql }) => sql).join(" AND ")}`;
}

function valuesOf(conditions: readonly Condition[]): SQLInputValue[] {
  return conditions.flatMap(({ values }) => values);
}

/** Undefined if the query has no such condition. */
function matcherOf(query: TaskflowQuery): Matcher | undefined {
  const tags = query.tags ?? [];
  const attributes = Object.entries(query.attributes ?? {});
  const text = query.text?.toLowerCase() ?? "";
  const { annotations } = query;
  if (tags.length === 0 && attributes.length === 0 && !annotations && text === "") return undefined;
  return (taskflowId, columns) => {
    const name = textOrNull(columns.name);
    const tagsText = textOrNull(columns.tags);
    const attributesText = textOrNull(columns.attributes);
    const annotationsText = textOrNull(columns.annotations);
    if (annotations && (annotationsText === null || !hasAnnotation(annotationsText, annotations))) return false;
    if (tags.length > 0 && (tagsText === null || !hasTags(tagsText, tags))) return false;
    if (attributes.length > 0 && (attributesText === null || !hasAttributes(attributesText, attributes))) return false;
    return text === "" || hasText(text, taskflowId, name, tagsText, attributesText);
  };
}

function hasTags(tagsText: string, wanted: readonly string[]): boolean {
  const tags = parsed<string[]>(tagsText, []);
  return wanted.every((tag) => tags.includes(tag));
}

function hasAttributes(attributesText: string, wanted: readonly (readonly [string, unknown])[]): boolean {
  const attributes = parsed<Record<string, unknown>>(attributesText, {});
  return wanted.every(([key, value]) => Object.hasOwn(attributes, key) && attributes[key] === value);
}

function hasAnnotation(annotationsText: string, { type, value }: NonNullable<TaskflowQuery["annotations"]>): boolean {
  const annotations = parsed<RowAnnotation[]>(annotationsText, []);
  return annotations.some((one) => one.type === type && (value === undefined || one.value === value));
}

function hasText(
  text: string,
  taskflowId: string,
  name: string | null,
  tagsText: string | null,
  attributesText: string | null,
): boolean {
  const includes = (value: unknown): boolean => String(value).toLowerCase().includes(text);
  if (includes(taskflowId) || (name !== null && includes(name))) return true;
  if (tagsText !== null && parsed<string[]>(tagsText, []).some(includes)) return true;
  return attributesText !== null && Object.values(parsed<object>(attributesText, {})).some(includes);
}

function textOrNull(value: SQLOutputValue): string | null {
  return typeof value === "string" ? value : null;
}

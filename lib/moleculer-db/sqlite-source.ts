/**
 * Reads the file of a SQLite store on a connection that only reads, in a thread of its own; its
 * lock stays its coordinator's.
 */
import type { SQLInputValue } from "node:sqlite";
import { checkFile } from "../adapters/sqlite/file.ts";
import { SqliteReader } from "../adapters/sqlite/reader.ts";
import { ROW_COLUMNS, type RowColumns, toRow } from "../adapters/sqlite/schema.ts";
import { taskflowError } from "../errors/errors.ts";
import type { TaskflowRow } from "../ports/store.ts";
import type { Column, Field, Scalar } from "./fields.ts";
import type { Filters, Order, Search } from "./filters.ts";
import { type Condition, sqlOf } from "./query.ts";
import type { TaskflowSource } from "./source.ts";

const COLUMNS: Readonly<Record<Column, string>> = {
  _id: "taskflow_id",
  name: "name",
  status: "status",
  owner: "owner",
  rootId: "coalesce(root_id, taskflow_id)",
  parentTaskflowId: "parent_taskflow_id",
  tenant: "tenant",
  template: "template",
  errorType: "error_type",
  createdAt: "created_at",
  startedAt: "started_at",
  finishedAt: "finished_at",
  retryAttempt: "retry_attempt",
  progress: "progress",
};

/** The elements of each list, and the text of one. */
const LISTS = {
  tags: { elements: "json_each(tags)", text: "value" },
  "annotations.type": { elements: "json_each(annotations)", text: "value ->> '$.type'" },
  "annotations.value": { elements: "json_each(annotations)", text: "value ->> '$.value'" },
} as const;

export class SqliteSource implements TaskflowSource {
  readonly #file: string;
  #reader: SqliteReader | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async open(): Promise<void> {
    if (this.#reader !== undefined) return;
    const path = checkFile(this.#file);
    const failure = (message: string): Error =>
      taskflowError("STORE_UNAVAILABLE", `The store sqlite:${this.#file} failed: ${message}.`);
    this.#reader = new SqliteReader({ path }, failure);
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  async find(filters: Filters): Promise<TaskflowRow[]> {
    const sql = new SqlText();
    const where = sql.whereOf(filters);
    const order = filters.order.flatMap((one) => sql.orderOf(one)).join(", ");
    const page = `LIMIT ${sql.bind(filters.limit ?? -1)} OFFSET ${sql.bind(filters.offset)}`;
    return this.#rows(`SELECT ${ROW_COLUMNS} FROM taskflows WHERE ${where} ORDER BY ${order} ${page}`, sql.values);
  }

  async withIds(ids: readonly string[]): Promise<TaskflowRow[]> {
    const sql = `SELECT ${ROW_COLUMNS} FROM taskflows WHERE taskflow_id IN (${ids.map(() => "?").join(", ")})`;
    return this.#rows(sql, ids);
  }

  async count(filters: Filters): Promise<number> {
    const sql = new SqlText();
    const where = sql.whereOf(filters);
    const [row] = await this.#open.select(`SELECT count(*) AS count FROM taskflows WHERE ${where}`, sql.values);
    return Number(row?.["count"]);
  }

  async #rows(sql: string, values: readonly SQLInputValue[]): Promise<TaskflowRow[]> {
    const rows = await this.#open.select(sql, values);
    return (rows as unknown as RowColumns[]).map(toRow);
  }

  get #open(): SqliteReader {
    if (this.#reader !== undefined) return this.#reader;
    throw taskflowError("STORE_UNAVAILABLE", `The store sqlite:${this.#file} is not open.`);
  }
}

/** Writes SQL from left to right, with the values of its question marks. */
class SqlText {
  readonly values: SQLInputValue[] = [];

  bind(value: SQLInputValue): string {
    this.values.push(value);
    return "?";
  }

  whereOf({ condition, searches }: Filters): string {
    return [this.#condition(condition), ...searches.map((search) => this.#search(search))].join(" AND ");
  }

  orderOf({ field, isDescending }: Order): string[] {
    const direction = isDescending ? "DESC" : "ASC";
    if (field.kind === "column") return [`${COLUMNS[field.path]} ${direction}`];
    // As in MongoDB: none, numbers, texts, false, true.
    const rank = "CASE type WHEN 'text' THEN 1 WHEN 'true' THEN 2 WHEN 'false' THEN 2 ELSE 0 END";
    return [rank, "value"].map(
      (column) => `(SELECT ${column} FROM json_each(attributes) WHERE key = ${this.bind(field.key)}) ${direction}`,
    );
  }

  #condition(condition: Condition): string {
    switch (condition.kind) {
      case "all":
      case "any": {
        const parts = condition.of.map((part) => this.#condition(part));
        if (parts.length === 0) return condition.kind === "all" ? "TRUE" : "FALSE";
        return `(${parts.join(condition.kind === "all" ? " AND " : " OR ")})`;
      }
      case "not":
        // NULL, too, is what does not hold.
        return `(${this.#condition(condition.of)} IS NOT TRUE)`;
      case "in":
        return this.#any(condition.field, (operand) => this.#in(condition.field, operand, condition.values));
      case "compare": {
        const { field, operator, value } = condition;
        const type =
          field.kind === "attribute" ? `type IN ${typeof value === "string" ? "('text')" : "('integer', 'real')"} AND ` : "";
        return this.#any(field, (operand) => `${type}${operand} ${sqlOf(operator)} ${this.bind(value)}`);
      }
      case "absent":
        return condition.field.kind === "column"
          ? `${COLUMNS[condition.field.path]} IS NULL`
          : `NOT ${this.#any(condition.field, () => "TRUE")}`;
    }
  }

  /** That a test holds for a column, for an attribute, or for one of a list. */
  #any(field: Field, test: (operand: string) => string): string {
    if (field.kind === "column") return `(${test(COLUMNS[field.path])})`;
    const exists = (elements: string, condition: string): string => `EXISTS (SELECT 1 FROM ${elements} WHERE ${condition})`;
    if (field.kind === "attribute")
      return exists("json_each(attributes)", `key = ${this.bind(field.key)} AND (${test("value")})`);
    const { elements, text } = LISTS[field.path];
    return exists(elements, test(text));
  }

  #in(field: Field, operand: string, values: readonly Scalar[]): string {
    const anyOf = (of: readonly (string | number)[]): string =>
      `${operand} IN (${of.map((value) => this.bind(value)).join(", ")})`;
    const texts = values.filter((value) => typeof value === "string");
    const numbers = values.filter((value) => typeof value === "number");
    if (field.kind !== "attribute") return anyOf([...texts, ...numbers]);
    // JSON's true and false are 1 and 0 as values.
    const words = values.filter((value) => typeof value === "boolean").map(String);
    return [
      `type = 'text' AND ${anyOf(texts)}`,
      `type IN ('integer', 'real') AND ${anyOf(numbers)}`,
      `type IN (${words.map((word) => this.bind(word)).join(", ")})`,
    ].join(" OR ");
  }

  #search({ text, fields }: Search): string {
    const contains = (operand: string): string => `contains(${operand}, ${this.bind(text)})`;
    if (fields !== undefined) {
      const isText = (field: Field): string => (field.kind === "attribute" ? "type = 'text' AND " : "");
      return `(${fields.map((field) => this.#any(field, (operand) => isText(field) + contains(operand))).join(" OR ")})`;
    }
    const anyValue = "CASE WHEN type IN ('true', 'false') THEN type ELSE value END";
    const attributes = `EXISTS (SELECT 1 FROM json_each(attributes) WHERE ${contains(anyValue)})`;
    const others = ["taskflow_id", "name"].map(contains);
    return `(${[attributes, ...others, `EXISTS (SELECT 1 FROM json_each(tags) WHERE ${contains("value")})`].join(" OR ")})`;
  }
}

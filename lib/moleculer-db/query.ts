/**
 * The part of MongoDB's query language that documents in SQLite are found by, as SQL with bound values.
 *
 * - `{ path: value }`, `$eq`, `$ne`, `$in`, `$nin`: strings, numbers, booleans and null; null also finds what is missing, as in MongoDB.
 * - `$gt`, `$gte`, `$lt`, `$lte`: strings or numbers, each compared with its own kind only.
 * - `$exists: true | false`.
 * - `$and`, `$or`: arrays of queries. Conditions beside one another must all hold.
 *
 * A path is a name or names joined by dots ("address.city"), each a key of an object: there are no positions in arrays, and a condition on
 * an array does not look at its elements. `_id` is the document's id. Anything else is refused with a sentence, never ignored.
 */
import { Errors } from "moleculer";
import type { SQLInputValue } from "node:sqlite";

const MAX_DEPTH = 16;
/** Keys of one query, nested ones included. */
const MAX_CONDITIONS = 1_000;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
const COMPARISONS: Readonly<Record<string, string>> = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" };

export interface DocumentQuery {
  readonly [pathOrOperator: string]: unknown;
}

/** SQL with its values in the order of its question marks. */
export interface SqlText {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** A condition over the columns `id` and `doc`. */
export function toCondition(query: DocumentQuery | null | undefined): SqlText {
  if (query === null || query === undefined) return { sql: "TRUE", values: [] };
  return new QueryTranslation().translate(query);
}

/** The value at a path, for ORDER BY. */
export function toOperand(path: string): SqlText {
  return path === "_id" ? { sql: "id", values: [] } : { sql: "json_extract(doc, ?)", values: [toJsonPath(path)] };
}

/** Splits a dotted path and refuses what could reach anything but a plain key. */
export function splitPath(path: string): string[] {
  const keys = path.split(".");
  for (const key of keys) {
    if (key === "" || key.startsWith("$") || FORBIDDEN_KEYS.has(key) || /["\\\u0000-\u001f]/.test(key)) {
      throw invalidQuery(`"${path}" is not a path: names joined by dots, without quotes, backslashes or a leading $.`);
    }
  }
  return keys;
}

export function invalidQuery(message: string): Error {
  return new Errors.MoleculerClientError(message, 422, "INVALID_QUERY");
}

function toJsonPath(path: string): string {
  return `$${splitPath(path)
    .map((key) => `."${key}"`)
    .join("")}`;
}

class QueryTranslation {
  readonly #values: SQLInputValue[] = [];
  #conditions = 0;

  translate(query: DocumentQuery): SqlText {
    const sql = this.#all(query, 0);
    return { sql, values: this.#values };
  }

  #all(query: unknown, depth: number): string {
    if (depth > MAX_DEPTH) throw invalidQuery(`A query may be nested ${MAX_DEPTH} levels deep.`);
    const parts = Object.entries(asObject(query, "A query")).map(([key, value]) => {
      if (++this.#conditions > MAX_CONDITIONS) throw invalidQuery(`A query may have ${MAX_CONDITIONS} conditions.`);
      if (key === "$and" || key === "$or") return this.#group(key, value, depth);
      if (key.startsWith("$")) throw invalidQuery(`The operator ${key} is not known here: use $and or $or.`);
      return this.#field(key, value);
    });
    return parts.length === 0 ? "TRUE" : `(${parts.join(" AND ")})`;
  }

  #group(operator: "$and" | "$or", queries: unknown, depth: number): string {
    if (!Array.isArray(queries) || queries.length === 0) throw invalidQuery(`${operator} takes an array of queries.`);
    return `(${queries.map((query) => this.#all(query, depth + 1)).join(operator === "$and" ? " AND " : " OR ")})`;
  }

  #field(path: string, value: unknown): string {
    if (value === null || typeof value !== "object") return this.#equals(path, value);
    const operators = Object.entries(asObject(value, `The condition on "${path}"`));
    if (operators.length === 0)
      throw invalidQuery(`The condition on "${path}" is empty: compare with a value or an operator such as $in.`);
    return `(${operators.map(([operator, operand]) => this.#operator(path, operator, operand)).join(" AND ")})`;
  }

  #operator(path: string, operator: string, operand: unknown): string {
    if (operator === "$eq") return this.#equals(path, operand);
    if (operator === "$ne") return `(${this.#equals(path, operand)} IS NOT TRUE)`;
    if (operator === "$in") return this.#anyOf(path, operator, operand);
    if (operator === "$nin") return `(${this.#anyOf(path, operator, operand)} IS NOT TRUE)`;
    if (operator === "$exists") {
      if (typeof operand !== "boolean") throw invalidQuery(`$exists of "${path}" takes true or false.`);
      return `(${this.#type(path)} IS ${operand ? "NOT " : ""}NULL)`;
    }
    const comparison = Object.hasOwn(COMPARISONS, operator) ? COMPARISONS[operator] : undefined;
    if (comparison === undefined) {
      throw invalidQuery(
        `The operator ${operator} on "${path}" is not known here: use $eq, $ne, $in, $nin, $gt, $gte, $lt, $lte or $exists.`,
      );
    }
    if (typeof operand !== "string" && typeof operand !== "number") {
      throw invalidQuery(`${operator} of "${path}" takes a string or a number.`);
    }
    return this.#compare(path, comparison, operand);
  }

  #anyOf(path: string, operator: string, operands: unknown): string {
    if (!Array.isArray(operands)) throw invalidQuery(`${operator} of "${path}" takes an array.`);
    this.#conditions += operands.length;
    if (this.#conditions > MAX_CONDITIONS) throw invalidQuery(`A query may have ${MAX_CONDITIONS} conditions.`);
    return operands.length === 0 ? "FALSE" : `(${operands.map((operand) => this.#equals(path, operand)).join(" OR ")})`;
  }

  #equals(path: string, value: unknown): string {
    // The type null is that of a stored null; NULL that of what is missing.
    if (value === null) return `(coalesce(${this.#type(path)}, 'null') = 'null')`;
    if (typeof value === "boolean") return `(${this.#type(path)} IS '${value}')`;
    if (typeof value === "string" || typeof value === "number") return this.#compare(path, "=", value);
    throw invalidQuery(`"${path}" is compared with ${describe(value)}: only strings, numbers, booleans and null can be.`);
  }

  #compare(path: string, comparison: string, value: string | number): string {
    const ofKind = typeof value === "string" ? `${this.#type(path)} = 'text'` : `${this.#type(path)} IN ('integer', 'real')`;
    const operand = toOperand(path);
    this.#values.push(...operand.values, value);
    return `(${ofKind} AND ${operand.sql} ${comparison} ?)`;
  }

  #type(path: string): string {
    if (path === "_id") return "'text'";
    this.#values.push(toJsonPath(path));
    return "json_type(doc, ?)";
  }
}

function asObject(value: unknown, what: string): object {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw invalidQuery(`${what} is ${describe(value)}: an object is expected.`);
  }
  return value;
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}

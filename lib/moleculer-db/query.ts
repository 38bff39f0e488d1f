/**
 * The part of MongoDB's query language by which taskflows are found, as a tree that each store
 * translates:
 *
 * - `{ field: value }`, `$eq`, `$ne`, `$in`, `$nin`; null is the value of a field that has none.
 * - `$gt`, `$gte`, `$lt`, `$lte`: strings and numbers, compared with their own type only.
 * - `$exists: true | false`, of attributes; every other field exists.
 * - `$and`, `$or`: arrays of queries. Conditions beside one another must all hold.
 *
 * A condition on `tags` or `annotations` holds if it holds for one of them, and `$ne` and `$nin`
 * if it holds for all, as in MongoDB. Everything else is refused: a filter that was ignored would
 * match everything.
 */
import { describeValue } from "../util/describe-value.ts";
import { pointerStep } from "../util/problem.ts";
import { type Field, fieldOf, invalidFilter, type Scalar } from "./fields.ts";

const MAX_DEPTH = 16;
/** Of one query, the values of `$in` counted. */
const MAX_CONDITIONS = 1_000;

const COMPARISONS = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" } as const;
const OPERATORS = ["$eq", "$ne", "$in", "$nin", ...Object.keys(COMPARISONS), "$exists"];

export type Comparison = keyof typeof COMPARISONS;

/** A query by which taskflows are found: paths or `$and` and `$or`, with their conditions. */
export interface DocumentQuery {
  readonly [pathOrOperator: string]: unknown;
}

export type Condition =
  | { readonly kind: "all" | "any"; readonly of: readonly Condition[] }
  | { readonly kind: "not"; readonly of: Condition }
  /** Its value is one of these. */
  | { readonly kind: "in"; readonly field: Field; readonly values: readonly Scalar[] }
  | { readonly kind: "compare"; readonly field: Field; readonly operator: Comparison; readonly value: string | number }
  /** Its value is null, or there is none. */
  | { readonly kind: "absent"; readonly field: Field };

const ALWAYS: Condition = { kind: "all", of: [] };
const NEVER: Condition = { kind: "any", of: [] };
const not = (of: Condition): Condition => ({ kind: "not", of });

/** SQL of a comparison; MongoDB has the operator itself. */
export function sqlOf(operator: Comparison): string {
  return COMPARISONS[operator];
}

/** @throws TASKFLOW_VALIDATION_ERROR for anything unknown */
export function parseQuery(query: unknown): Condition {
  return query === null || query === undefined ? ALWAYS : new QueryParser().parse(query, "/query", 0);
}

class QueryParser {
  #conditions = 0;

  parse(query: unknown, place: string, depth: number): Condition {
    if (depth > MAX_DEPTH) throw invalidFilter("/query", `must not be nested deeper than ${MAX_DEPTH} levels`);
    const of = entriesOf(query, place, "fields and values").map(([key, value]) => {
      const inner = place + pointerStep(key);
      this.#count(1);
      if (key === "$and" || key === "$or") return this.#group(key, value, inner, depth);
      if (key.startsWith("$")) throw invalidFilter(inner, "must be a field, $and or $or");
      return this.#field(fieldOf(key, inner), value, inner);
    });
    return of.length === 1 ? of[0]! : { kind: "all", of };
  }

  #group(operator: "$and" | "$or", queries: unknown, place: string, depth: number): Condition {
    if (!Array.isArray(queries) || queries.length === 0) {
      throw invalidFilter(place, `must be an array of queries, got ${describeValue(queries)}`);
    }
    const of = queries.map((query, index) => this.parse(query, place + pointerStep(index), depth + 1));
    return { kind: operator === "$and" ? "all" : "any", of };
  }

  #field(field: Field, value: unknown, place: string): Condition {
    if (value === null || typeof value !== "object") return this.#oneOf(field, [value], place);
    const operators = entriesOf(value, place, "operators");
    if (operators.length === 0) throw invalidFilter(place, `must be a value or have an operator such as $in`);
    const of = operators.map(([operator, operand]) => this.#operator(field, operator, operand, place + pointerStep(operator)));
    return of.length === 1 ? of[0]! : { kind: "all", of };
  }

  #operator(field: Field, operator: string, operand: unknown, place: string): Condition {
    switch (operator) {
      case "$eq":
        return this.#oneOf(field, [operand], place);
      case "$ne":
        return not(this.#oneOf(field, [operand], place));
      case "$in":
        return this.#oneOf(field, arrayOf(operand, place), place);
      case "$nin":
        return not(this.#oneOf(field, arrayOf(operand, place), place));
      case "$exists": {
        if (typeof operand !== "boolean") throw invalidFilter(place, `must be true or false, got ${describeValue(operand)}`);
        const exists = field.kind === "attribute" ? not({ kind: "absent", field }) : ALWAYS;
        return operand ? exists : not(exists);
      }
      default:
        if (!Object.hasOwn(COMPARISONS, operator)) {
          throw invalidFilter(place, `must be an operator that is known here: ${OPERATORS.join(", ")}`);
        }
        return { kind: "compare", field, operator: operator as Comparison, value: boundOf(field, operand, place) };
    }
  }

  #oneOf(field: Field, values: readonly unknown[], place: string): Condition {
    this.#count(values.length - 1);
    const scalars = values.filter((value) => value !== null).map((value) => scalarOf(field, value, place));
    const present: Condition = { kind: "in", field, values: scalars };
    if (scalars.length === values.length) return present;
    // No tag and no part of an annotation is null.
    const absent: Condition = field.kind === "list" ? NEVER : { kind: "absent", field };
    return scalars.length === 0 ? absent : { kind: "any", of: [present, absent] };
  }

  #count(conditions: number): void {
    this.#conditions += conditions;
    if (this.#conditions > MAX_CONDITIONS) throw invalidFilter("/query", `must not have more than ${MAX_CONDITIONS} conditions`);
  }
}

function entriesOf(value: unknown, place: string, contents: string): [string, unknown][] {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return Object.entries(value);
  throw invalidFilter(place, `must be an object of ${contents}, got ${describeValue(value)}`);
}

function arrayOf(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalidFilter(place, `must be an array, got ${describeValue(value)}`);
}

function scalarOf(field: Field, value: unknown, place: string): Scalar {
  const isScalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  if (isScalar && (field.type === "scalar" || typeof value === field.type)) return value;
  const types = field.type === "scalar" ? "a string, a number, true, false" : `a ${field.type}`;
  throw invalidFilter(place, `must be ${types} or null, got ${describeValue(value)}`);
}

function boundOf(field: Field, value: unknown, place: string): string | number {
  const isBound = typeof value === "string" || typeof value === "number";
  if (isBound && (field.type === "scalar" || typeof value === field.type)) return value;
  const types = field.type === "scalar" ? "a string or a number" : `a ${field.type}`;
  throw invalidFilter(place, `must be ${types}, got ${describeValue(value)}`);
}

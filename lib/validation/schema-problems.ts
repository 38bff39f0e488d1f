/**
 * Translates schema errors into sentences. Bounded: work and answer stay small however large and
 * hostile the value is.
 */
import type { ErrorObject, ValidateFunction } from "ajv";
import { ACTION_PART_PATTERN, NAME_PATTERN, TASKFLOW_ID_PATTERN, WELL_FORMED_PATTERN } from "../../schemas/common.schema.ts";
import { OPTIONS, TASK_OPTIONS } from "../../schemas/options.ts";
import { RESERVED_TASK_TYPES } from "../../schemas/task-types/index.ts";
import { NOT_YET } from "../../schemas/taskflow.schema.ts";
import { duration, POSITIVE_DURATION_FORMAT } from "../util/kind.ts";
import { placeOf, pointerStep, type Problem, unknownKey, valueOf } from "../util/problem.ts";
import type { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { suggestName } from "../util/suggest.ts";

/** The schema keywords that pruning uses. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: unknown;
  readonly items?: SchemaNode;
  readonly maxItems?: number;
}

/** Bounds free-form records, and arrays without a limit of their own. */
const MAX_CHECKED = 1_000;

/** Adds every problem of `value`; `validate` must be compiled from `schema` and list all errors. */
export function addSchemaProblems(
  schema: object,
  validate: ValidateFunction,
  value: unknown,
  path: string,
  problems: ProblemList,
): void {
  const pruned = prune(schema, value, path, problems);
  if (validate(pruned)) return;
  for (const error of validate.errors ?? []) {
    if (problems.isFull) return;
    const problem = translate(error, path);
    if (problem !== undefined) problems.add(problem);
  }
}

/**
 * Copies known properties and reports unknown ones. Cuts long arrays and records, to bound AJV's
 * list of errors.
 */
function prune(schema: SchemaNode, value: unknown, path: string, problems: ProblemList): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const kept = value.slice(0, (schema.maxItems ?? MAX_CHECKED) + 1);
    return kept.map((element, index) => prune(items, element, path + pointerStep(index), problems));
  }
  const { properties } = schema;
  if (properties === undefined) return typeof schema.additionalProperties === "object" ? firstEntries(value) : value;
  const known = Object.keys(properties);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (problems.isFull) break;
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    const inner: unknown = Reflect.get(value, key);
    if (property !== undefined) copy[key] = prune(property, inner, path + pointerStep(key), problems);
    else if (inner === undefined) continue;
    else if (problems.isListing) problems.add(unknownProperty(path, key, known));
    else problems.countOnly();
  }
  return copy;
}

function firstEntries(value: object): object {
  const keys = Object.keys(value);
  if (keys.length <= MAX_CHECKED) return value;
  return Object.fromEntries(keys.slice(0, MAX_CHECKED).map((key) => [key, Reflect.get(value, key)]));
}

function unknownProperty(parent: string, key: string, known: readonly string[]): Problem {
  const path = parent + pointerStep(key);
  const problem = (message: string): Problem => ({ path, message: `${path} ${message}`, keyword: "additionalProperties" });
  if (NOT_YET.has(key)) return problem(`is not supported by this version: leave ${JSON.stringify(key)} out.`);
  if (Object.hasOwn(OPTIONS, key) && !Object.hasOwn(TASK_OPTIONS, key))
    return problem("is an option of the taskflow only: set it in /options.");
  if (key === "tasks" && parent === "") return problem("must not be given together with stages: give one of the two.");
  return problem(known.length === 0 ? "is unknown: the action takes no params." : unknownKey(key, known));
}

/** Undefined for an error that only summarises others. */
function translate(error: ErrorObject, base: string): Problem | undefined {
  const { keyword, data } = error;
  if (keyword === "propertyNames" || error.schemaPath.includes("/anyOf/")) return undefined;
  const path = base + error.instancePath + (keyword === "required" ? pointerStep(String(error.params["missingProperty"])) : "");
  const limit: unknown = error.params["limit"];
  const shared = { keyword, ...(typeof limit === "number" ? { limit } : {}) };
  if (keyword === "required") return { path, message: `${path} is required.`, ...shared };
  if (error.propertyName !== undefined) {
    const keyPath = path + pointerStep(error.propertyName);
    const message = `The name of ${keyPath} must ${requirement(error)}, got ${describeValue(error.propertyName)}.`;
    return { path: keyPath, message, ...valueOf(error.propertyName), ...shared };
  }
  return { path, message: `${placeOf(path)} must ${requirement(error)}, got ${got(error)}.`, ...valueOf(data), ...shared };
}

function got(error: ErrorObject): string {
  const { data, keyword } = error;
  // Pruning has cut longer ones.
  if (keyword === "maxItems" || keyword === "maxProperties") return "more";
  if (keyword === "minItems" && Array.isArray(data)) return `${data.length}`;
  const value = describeValue(data);
  if (keyword === "enum" && typeof data === "string") return value + enumRemark(error, data);
  return keyword === "maxLength" && typeof data === "string" ? `${value} (${data.length} characters)` : value;
}

function enumRemark({ instancePath, params }: ErrorObject, value: string): string {
  if (instancePath.endsWith("/type") && RESERVED_TASK_TYPES.includes(value)) return ", which this version does not support";
  const allowed = (params["allowedValues"] as readonly unknown[]).filter((each) => typeof each === "string");
  const nearest = suggestName(value, allowed);
  return nearest === undefined ? "" : ` (did you mean ${JSON.stringify(nearest)}?)`;
}

const PATTERNS: Readonly<Record<string, string>> = {
  [NAME_PATTERN]: "not contain control characters, nor half of a character (a lone surrogate)",
  [WELL_FORMED_PATTERN]: "not contain half of a character (a lone surrogate)",
  [TASKFLOW_ID_PATTERN]: "be 1 to 128 characters of A-Z a-z 0-9 _ : -",
  [ACTION_PART_PATTERN]: "consist of letters A-Z a-z, digits, _ - $, and single dots between them",
};

/** Completes "must …". */
function requirement(error: ErrorObject): string {
  const limit = String(error.params["limit"]);
  const pattern = String(error.params["pattern"]);
  switch (error.keyword) {
    case "type":
      return `be ${typeNames(error.params["type"])}`;
    case "enum":
      return `be ${listOf(error.params["allowedValues"])}`;
    case "const":
      return `be ${listOf(error.params["allowedValue"])}`;
    case "minimum":
      return `be at least ${limit}`;
    case "maximum":
      return `be at most ${limit}`;
    case "minLength":
      return `have at least ${limit} character${limit === "1" ? "" : "s"}`;
    case "maxLength":
      return `have at most ${limit} characters`;
    case "minItems":
      return `have at least ${limit} element${limit === "1" ? "" : "s"}`;
    case "maxItems":
      return `have at most ${limit} elements`;
    case "maxProperties":
      return `have at most ${limit} properties`;
    case "pattern":
      return PATTERNS[pattern] ?? `match ${pattern}`;
    case "format":
      return `be ${duration(error.params["format"] === POSITIVE_DURATION_FORMAT ? 1 : 0).expects}`;
    case "anyOf":
      return `be ${singleValue(error.schema)}, or an array of such values`;
    default:
      return `satisfy "${error.keyword}" of its schema`;
  }
}

/** The single value, of a union of one value and an array of them. */
function singleValue(union: unknown): string {
  const first: unknown = Array.isArray(union) ? union[0] : undefined;
  if (typeof first !== "object" || first === null) return "a single value";
  return "enum" in first ? listOf(first.enum) : typeNames(Reflect.get(first, "type"));
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  array: "an array",
};

function typeNames(types: unknown): string {
  const list: unknown[] = Array.isArray(types) ? types : [types];
  return list.map((type) => TYPE_NAMES[String(type)] ?? String(type)).join(" or ");
}

function listOf(values: unknown): string {
  const list: unknown[] = Array.isArray(values) ? values : [values];
  const texts = list.map((value) => JSON.stringify(value));
  return texts.length === 1 ? `${texts[0]}` : `one of ${texts.join(", ")}`;
}

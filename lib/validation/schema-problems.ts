/** What a schema finds wrong with a value, as sentences. Bounded: however large and hostile the value, work and answer stay small. */
import type { ErrorObject, ValidateFunction } from "ajv";
import { ACTION_PART_PATTERN, NAME_PATTERN, TASKFLOW_ID_PATTERN } from "../../schemas/common.schema.ts";
import { OPTIONS, TASK_OPTIONS } from "../../schemas/options.ts";
import { RESERVED_TASK_TYPES } from "../../schemas/task-types/index.ts";
import { NOT_YET } from "../../schemas/taskflow.schema.ts";
import { parseDuration } from "../util/duration.ts";
import { placeOf, pointerStep, type Problem, unknownKey, valueOf } from "../util/problem.ts";
import type { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { suggestName } from "../util/suggest.ts";

/** The keywords that pruning reads. */
interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: unknown;
  readonly items?: SchemaNode;
  readonly maxItems?: number;
}

/** Entries of free-form records, and elements of arrays without a limit of their own, that are looked at. */
const MAX_LOOKED_AT = 1_000;

/** Adds every problem of `value` under `schema`; `validate` lists all errors of that same schema. */
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

/** A copy with known properties only, the others reported; long arrays and records cut, so that AJV's list of errors has an end. */
function prune(schema: SchemaNode, value: unknown, path: string, problems: ProblemList): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const kept = value.slice(0, (schema.maxItems ?? MAX_LOOKED_AT) + 1);
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
  if (keys.length <= MAX_LOOKED_AT) return value;
  return Object.fromEntries(keys.slice(0, MAX_LOOKED_AT).map((key) => [key, Reflect.get(value, key)]));
}

function unknownProperty(parent: string, key: string, known: readonly string[]): Problem {
  const path = parent + pointerStep(key);
  const problem = (message: string): Problem => ({ path, message: `${path} ${message}`, keyword: "additionalProperties" });
  if (NOT_YET.has(key)) return problem(`is not supported by this version: leave ${JSON.stringify(key)} out.`);
  if (Object.hasOwn(OPTIONS, key) && !Object.hasOwn(TASK_OPTIONS, key))
    return problem("is an option of the taskflow only: set it in /options.");
  if (key === "tasks" && parent === "") return problem("cannot stand beside stages: give one of the two.");
  return problem(known.length === 0 ? "is not known here: no params are taken." : unknownKey(key, known));
}

/** Undefined for an error that only sums up others. */
function translate(error: ErrorObject, base: string): Problem | undefined {
  const { keyword, data } = error;
  if (keyword === "propertyNames" || error.schemaPath.includes("/anyOf/")) return undefined;
  const path = base + error.instancePath + (keyword === "required" ? pointerStep(String(error.params["missingProperty"])) : "");
  const limit: unknown = error.params["limit"];
  const shared = { keyword, ...(typeof limit === "number" ? { limit } : {}) };
  if (keyword === "required") return { path, message: `${path} is missing: it has to be given.`, ...shared };
  if (error.propertyName !== undefined) {
    const keyPath = path + pointerStep(error.propertyName);
    const message = `The name of ${keyPath} ${keyword === "minLength" ? "is empty" : "is not valid"}: ${remedy(error)}.`;
    return { path: keyPath, message, ...valueOf(error.propertyName), ...shared };
  }
  return {
    path,
    message: `${placeOf(path)} is ${describeValue(data)}${remark(error)}: ${remedy(error)}.`,
    ...valueOf(data),
    ...shared,
  };
}

function remark(error: ErrorObject): string {
  const { data } = error;
  if (error.keyword === "enum" && typeof data === "string") return enumRemark(error, data);
  if (error.keyword === "maxLength" && typeof data === "string") return `, ${data.length} characters`;
  if (Array.isArray(data) && error.keyword === "maxItems") return " with too many elements";
  return "";
}

function enumRemark({ instancePath, params }: ErrorObject, value: string): string {
  if (instancePath.endsWith("/type") && RESERVED_TASK_TYPES.includes(value)) return ", which is not supported by this version";
  const allowed = (params["allowedValues"] as readonly unknown[]).filter((each) => typeof each === "string");
  const nearest = suggestName(value, allowed);
  return nearest === undefined ? "" : ` (did you mean ${JSON.stringify(nearest)}?)`;
}

const PATTERN_REMEDIES: Readonly<Record<string, string>> = {
  [NAME_PATTERN]: "leave control characters out",
  [TASKFLOW_ID_PATTERN]: "give 1 to 128 of A-Z a-z 0-9 _ : -",
  [ACTION_PART_PATTERN]: "give letters A-Z a-z, digits, _ - $, and single dots between them",
};

/** What to do, without the full stop. */
function remedy(error: ErrorObject): string {
  const limit = String(error.params["limit"]);
  switch (error.keyword) {
    case "type":
      return `give ${typeNames(error.params["type"])}`;
    case "enum":
      return `give ${listOf(error.params["allowedValues"])}`;
    case "const":
      return `give ${listOf(error.params["allowedValue"])}`;
    case "minimum":
      return `give at least ${limit}`;
    case "maximum":
      return `give at most ${limit}`;
    case "minLength":
      return Number(limit) === 1 ? "give at least one character" : `give at least ${limit} characters`;
    case "maxLength":
      return `give at most ${limit} characters`;
    case "minItems":
      return `give at least ${limit} of them`;
    case "maxItems":
    case "maxProperties":
      return `give at most ${limit} of them`;
    case "pattern":
      return PATTERN_REMEDIES[String(error.params["pattern"])] ?? "give text of the form that the documentation tells";
    case "format":
      return durationRemedy(error.data);
    case "anyOf":
      return `${choices(error.schema)}, or an array of such`;
    default:
      return "see the documentation for what may stand here";
  }
}

/** Of a union of one value and an array of them: what the one may be. */
function choices(union: unknown): string {
  const first: unknown = Array.isArray(union) ? union[0] : undefined;
  if (typeof first !== "object" || first === null) return "give a single value";
  return "enum" in first ? `give ${listOf(first.enum)}` : `give ${typeNames(Reflect.get(first, "type"))}`;
}

function durationRemedy(value: unknown): string {
  try {
    parseDuration(value);
    return "give more than 0";
  } catch (err) {
    return err instanceof RangeError && err.message.includes("longest")
      ? "give at most 10 years"
      : 'give a whole number of milliseconds, or text such as "5s" or "2 hours"';
  }
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

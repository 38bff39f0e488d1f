/**
 * The rules that a schema cannot express: unique names, limits from settings, allowed actions. A
 * single walk, which also tolerates a definition that the schema refused, so that all problems are
 * found together.
 */
import { OPTIONS } from "../../schemas/options.ts";
import { COMPENSATE_ROOTS } from "../../schemas/taskflow.schema.ts";
import type { CheckRules } from "../core/model/task-type.ts";
import { isTemplate } from "../core/model/template.ts";
import type { Limits } from "../config/limits.ts";
import { byteLengthOver } from "./encode.ts";
import { contradiction, pointerStep, valueOf } from "../util/problem.ts";
import type { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { addSchemaProblems } from "./schema-problems.ts";
import { type DetailsCheck, taskChecks } from "./task-checks.ts";
import { checkTemplatesOf } from "./template-rules.ts";
import { aliasesOf, isContradicted } from "../util/setting.ts";
import { ROOT, type Json, type Path, type RuleContext } from "./rule-context.ts";
import { isRecord } from "../util/record.ts";

/** Names become keys of objects, where these would reach the prototype. */
const RESERVED_NAMES: ReadonlySet<unknown> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * `definition` must be a copy of plain objects and arrays only. Paths are computed for problems
 * only.
 */
export function checkRules(definition: unknown, context: RuleContext, problems: ProblemList): void {
  if (!isRecord(definition)) return;
  const { limits } = context;
  checkReserved(definition["name"], "/name", problems);
  checkOptions(definition["options"], ROOT, limits, problems);
  checkData(definition["context"], ROOT, "context", context, problems);
  checkTags(definition, limits, problems);
  const stages = definition["stages"];
  if (!Array.isArray(stages)) return;
  if (stages.length > limits.stages) addLimit("/stages", stages.length, "stages", "stages", limits, problems);
  checkStages(stages, context, problems);
}

/**
 * A change to a task, by the rules for a new one. @param textLength length of the JSON text that
 * contains the change
 */
export function checkTaskChange(
  change: { readonly params: unknown; readonly options: unknown },
  limits: Limits,
  textLength: number,
  problems: ProblemList,
): void {
  checkOptions(change.options, ROOT, limits, problems);
  if (checkData(change.params, ROOT, "params", { limits, textLength }, problems))
    checkTemplatesOf(change.params, () => "/params", undefined, problems);
}

/** Any JSON value, up to a number of bytes. */
export function checkValue(key: string, value: unknown, maxBytes: number, limits: Limits, problems: ProblemList): void {
  if (value === undefined) return;
  if (typeof value === "object" && value !== null && !checkDepth(value, ROOT, key, limits, problems)) return;
  const bytes = byteLengthOver(JSON.stringify(value), maxBytes);
  if (bytes === undefined) return;
  const message = `/${key} must have at most ${maxBytes} bytes of JSON, got ${bytes}: pass a reference to large data.`;
  problems.add({ path: `/${key}`, message, keyword: "bytes", limit: maxBytes });
}

function checkStages(stages: readonly unknown[], context: RuleContext, problems: ProblemList): void {
  checkNames(stages, "/stages", "stage", problems);
  let taskCount = 0;
  for (let index = 0; index < stages.length && !problems.isFull; index++) {
    const stage = stages[index];
    if (!isRecord(stage)) continue;
    const path = `/stages/${index}`;
    checkOptions(stage["options"], () => path, context.limits, problems);
    const tasks = stage["tasks"];
    if (!Array.isArray(tasks)) continue;
    taskCount += tasks.length;
    checkTasks(tasks, `${path}/tasks`, context, problems);
  }
  if (taskCount > context.limits.tasks) addLimit("/stages", taskCount, "tasks", "tasks", context.limits, problems);
}

function checkTasks(tasks: readonly unknown[], parent: string, context: RuleContext, problems: ProblemList): void {
  checkNames(tasks, parent, "task", problems);
  const { details } = taskChecks(context.taskTypes);
  const rules: CheckRules = { isActionAllowed: context.isActionAllowed, add: (problem) => problems.add(problem) };
  let index = 0;
  const path: Path = () => `${parent}/${index}`;
  const detailsPath: Path = () => `${parent}/${index}/taskDetails`;
  for (; index < tasks.length && !problems.isFull; index++) {
    const task: unknown = tasks[index];
    if (!isRecord(task)) continue;
    checkOptions(task["options"], path, context.limits, problems);
    checkData(task["params"], path, "params", context, problems);
    checkMeta(task["meta"], path, context, problems);
    const ofType = details.get(task["type"] as string);
    checkDetails(ofType, task["taskDetails"], detailsPath, rules, problems);
    if (task["compensate"] !== undefined)
      checkCompensation(task["compensate"], () => `${path()}/compensate`, ofType, rules, context, problems);
  }
}

/** Details of an unknown type are not checked: the type itself is the problem. */
function checkDetails(
  ofType: DetailsCheck | undefined,
  details: unknown,
  path: Path,
  rules: CheckRules,
  problems: ProblemList,
): void {
  if (!ofType || details === undefined) return;
  const { type, isValid, errors } = ofType;
  if (!isValid(details)) return addSchemaProblems(type.schema, errors(), details, path(), problems);
  try {
    type.check?.(details, path, rules);
    // Asked later in every turn, where a user's type that throws would stop the taskflow.
    type.target?.(details);
  } catch (error) {
    const message = `${path()} must be details that the type ${type.name} can read, got an error: ${String(error)}.`;
    problems.add({ path: path(), message, keyword: "taskType" });
  }
}

/** Names must be unique in their list, and not reserved. */
function checkNames(elements: readonly unknown[], parent: string, kind: "stage" | "task", problems: ProblemList): void {
  const firstOf = new Map<string, number>();
  for (let index = 0; index < elements.length && !problems.isFull; index++) {
    const element = elements[index];
    const name = isRecord(element) ? element["name"] : undefined;
    if (typeof name !== "string") continue;
    if (RESERVED_NAMES.has(name)) checkReserved(name, `${parent}/${index}/name`, problems);
    const first = firstOf.get(name);
    if (first === undefined) {
      firstOf.set(name, index);
      continue;
    }
    const path = `${parent}/${index}/name`;
    const message = `${path} must be unique, got ${describeValue(name)} as in ${parent}/${first}/name: give each ${kind} its own name.`;
    problems.add({ path, message, ...valueOf(name), keyword: "unique" });
  }
}

function checkReserved(name: unknown, path: string, problems: ProblemList): void {
  if (!RESERVED_NAMES.has(name)) return;
  problems.add({
    path,
    message: `${path} must not be a reserved word, got "${String(name)}": use another name.`,
    ...valueOf(name),
    keyword: "reserved",
  });
}

const ALIASES = aliasesOf(OPTIONS);

function checkOptions(options: unknown, owner: Path, limits: Limits, problems: ProblemList): void {
  if (!isRecord(options)) return;
  const maxRetries = options["maxRetries"];
  if (typeof maxRetries === "number" && maxRetries > limits.maxRetries) {
    const path = `${owner()}/options/maxRetries`;
    const message = `${path} must be at most ${limits.maxRetries}, or -1 for no limit, got ${maxRetries}.`;
    problems.add({ path, message, value: maxRetries, keyword: "maxRetries", limit: limits.maxRetries });
  }
  for (const each of ALIASES) {
    const { alias, name } = each;
    if (isContradicted(each, options)) problems.add(contradiction(`${owner()}/options/${alias}`, name, options[alias]));
  }
}

function checkTags(definition: Json, limits: Limits, problems: ProblemList): void {
  const { tags, attributes, tenant } = definition;
  if (Array.isArray(tags) && tags.length > limits.tags) addLimit("/tags", tags.length, "tags", "tags", limits, problems);
  checkReserved(tenant, "/tenant", problems);
  if (!isRecord(attributes)) return;
  const keys = Object.keys(attributes);
  if (keys.length > limits.attributes) addLimit("/attributes", keys.length, "attributes", "attributes", limits, problems);
  for (const key of keys.slice(0, limits.attributes)) checkReserved(key, `/attributes${pointerStep(key)}`, problems);
}

/** Returns false if the data is too deep to walk over. */
function checkData(
  data: unknown,
  owner: Path,
  key: "params" | "context",
  context: Pick<RuleContext, "limits" | "textLength">,
  problems: ProblemList,
): boolean {
  if (typeof data !== "object" || data === null) return true;
  const { limits } = context;
  // JSON.stringify is recursive: data that is too deep could exhaust the stack.
  if (!checkDepth(data, owner, key, limits, problems)) return false;
  const limit = key === "params" ? "paramsBytes" : "contextBytes";
  if (context.textLength * 3 <= limits[limit]) return true;
  const bytes = byteLengthOver(JSON.stringify(data), limits[limit]);
  if (bytes !== undefined) addLimit(`${owner()}/${key}`, bytes, "bytes of JSON", limit, limits, problems);
  return true;
}

function checkDepth(data: object, owner: Path, key: string, limits: Limits, problems: ProblemList): boolean {
  if (!isDeeperThan(data, limits.jsonDepth)) return true;
  addLimit(`${owner()}/${key}`, "more", "levels of objects and arrays", "jsonDepth", limits, problems);
  return false;
}

function checkMeta(meta: unknown, owner: Path, context: RuleContext, problems: ProblemList): void {
  if (!isRecord(meta)) return;
  checkDepth(meta, owner, "meta", context.limits, problems);
  // Meta is merged into another object, where this key would replace the prototype.
  if (Object.hasOwn(meta, "__proto__")) {
    const path = `${owner()}/meta/__proto__`;
    problems.add({ path, message: `${path} must not be given: it cannot be merged into a call's meta.`, keyword: "reserved" });
  }
}

/** The `compensate` of a task. */
function checkCompensation(
  compensate: unknown,
  path: Path,
  ofType: DetailsCheck | undefined,
  rules: CheckRules,
  context: RuleContext,
  problems: ProblemList,
): void {
  if (!isRecord(compensate)) return;
  const { taskDetails, params } = compensate;
  checkDetails(ofType, taskDetails, () => `${path()}/taskDetails`, rules, problems);
  if (isRecord(params) && checkData(params, path, "params", context, problems))
    checkCompensateTemplates(params, () => `${path()}/params`, problems);
}

/** Recursive: `jsonDepth` limits the depth. */
function checkCompensateTemplates(value: unknown, path: Path, problems: ProblemList): void {
  if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) checkCompensateTemplates(inner, () => path() + pointerStep(key), problems);
  } else if (typeof value === "string" && isTemplate(value, COMPENSATE_ROOTS) === false) {
    const message = `${path()} must be a single path to a value of the task, such as "\${params.amount}" or "\${response.items[0].id}", got ${describeValue(value)}.`;
    problems.add({ path: path(), message, ...valueOf(value), keyword: "template" });
  }
}

/**
 * Depth of nested containers, the outermost counted as 1. Recursive: the limit bounds the depth.
 */
function isDeeperThan(container: object, limit: number): boolean {
  if (limit === 0) return true;
  if (Array.isArray(container)) {
    for (const element of container as readonly unknown[]) {
      if (typeof element === "object" && element !== null && isDeeperThan(element, limit - 1)) return true;
    }
    return false;
  }
  for (const key in container) {
    const inner: unknown = (container as Json)[key];
    if (typeof inner === "object" && inner !== null && isDeeperThan(inner, limit - 1)) return true;
  }
  return false;
}

function addLimit(
  path: string,
  got: number | "more",
  unit: string,
  name: keyof Limits,
  limits: Limits,
  problems: ProblemList,
): void {
  const message = `${path} must have at most ${limits[name]} ${unit}, got ${got}: reduce it, or raise settings.limits.${name}.`;
  problems.add({ path, message, keyword: name, limit: limits[name] });
}

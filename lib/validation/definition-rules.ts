/**
 * What a schema cannot say of a taskflow: unique names, limits that settings may change, actions that may be called. One walk, which
 * also bears a definition that the schema has refused, so that all problems are found together.
 */
import { OPTIONS } from "../../schemas/options.ts";
import { COMPENSATE_ROOTS } from "../../schemas/taskflow.schema.ts";
import type { CheckRules } from "../core/model/task-type.ts";
import { isTemplate } from "../core/model/template.ts";
import type { Limits } from "../config/limits.ts";
import { byteLengthOver } from "./encode.ts";
import { pointerStep, valueOf } from "../util/problem.ts";
import type { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { addSchemaProblems } from "./schema-problems.ts";
import { type DetailsCheck, taskChecks } from "./task-checks.ts";
import type { Setting } from "../util/setting.ts";
import { ROOT, type Json, type Path, type RuleContext } from "./rule-context.ts";
import { isRecord } from "../util/record.ts";

/** Names that would reach an object's inside where names are keys. */
const RESERVED_NAMES: ReadonlySet<unknown> = new Set(["__proto__", "constructor", "prototype"]);

/** `definition` is a copy made for us: plain objects and arrays only. Paths are put together only for what is wrong. */
export function checkRules(definition: unknown, context: RuleContext, problems: ProblemList): void {
  if (!isRecord(definition)) return;
  const { limits } = context;
  checkReserved(definition["name"], "/name", problems);
  checkOptions(definition["options"], ROOT, limits, problems);
  checkData(definition["context"], ROOT, "context", context, problems);
  checkTags(definition, limits, problems);
  const stages = definition["stages"];
  if (!Array.isArray(stages)) return;
  if (stages.length > limits.stages) addLimit("/stages", `has ${stages.length} stages`, "stages", limits, problems);
  checkStages(stages, context, problems);
}

/** What may change of a task, by the rules for a new one. @param textLength of JSON text that holds the change */
export function checkTaskChange(
  change: { readonly params: unknown; readonly options: unknown },
  limits: Limits,
  textLength: number,
  problems: ProblemList,
): void {
  checkOptions(change.options, ROOT, limits, problems);
  checkData(change.params, ROOT, "params", { limits, textLength }, problems);
}

/** Any JSON value, of at most that many bytes. */
export function checkValue(key: string, value: unknown, maxBytes: number, limits: Limits, problems: ProblemList): void {
  if (value === undefined) return;
  if (typeof value === "object" && value !== null && !checkDepth(value, ROOT, key, limits, problems)) return;
  const bytes = byteLengthOver(JSON.stringify(value), maxBytes);
  if (bytes === undefined) return;
  const message = `/${key} is ${bytes} bytes of JSON, over the limit of ${maxBytes}: pass a reference to large data.`;
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
  if (taskCount > context.limits.tasks) addLimit("/stages", `has ${taskCount} tasks`, "tasks", context.limits, problems);
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

/** Those of a task whose type is not known are told by the problem of its type. */
function checkDetails(
  ofType: DetailsCheck | undefined,
  details: unknown,
  path: Path,
  rules: CheckRules,
  problems: ProblemList,
): void {
  if (!ofType || details === undefined) return;
  const { type, isValid, errors } = ofType;
  if (isValid(details)) type.check?.(details, path, rules);
  else addSchemaProblems(type.schema, errors(), details, path(), problems);
}

/** Unique among the elements of one list, and no reserved words. */
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
    const message = `${path} is ${describeValue(name)}, as is ${parent}/${first}/name: give each ${kind} a name of its own.`;
    problems.add({ path, message, ...valueOf(name), keyword: "unique" });
  }
}

function checkReserved(name: unknown, path: string, problems: ProblemList): void {
  if (!RESERVED_NAMES.has(name)) return;
  problems.add({
    path,
    message: `${path} is "${String(name)}", a reserved word: give another name.`,
    ...valueOf(name),
    keyword: "reserved",
  });
}

/** Second names of options, with the names that they stand for. */
const ALIASES = Object.entries<Setting>(OPTIONS).flatMap(([alias, { aliasOf }]) =>
  aliasOf === undefined ? [] : [[alias, aliasOf] as const],
);

function checkOptions(options: unknown, owner: Path, limits: Limits, problems: ProblemList): void {
  if (!isRecord(options)) return;
  const maxRetries = options["maxRetries"];
  if (typeof maxRetries === "number" && maxRetries > limits.maxRetries) {
    const path = `${owner()}/options/maxRetries`;
    const message = `${path} is ${maxRetries}: give at most ${limits.maxRetries}, or -1 for no limit.`;
    problems.add({ path, message, value: maxRetries, keyword: "maxRetries", limit: limits.maxRetries });
  }
  for (const [alias, name] of ALIASES) {
    if (options[alias] === undefined || options[name] === undefined || options[alias] === options[name]) continue;
    const path = `${owner()}/options/${alias}`;
    const message = `${path} contradicts ${name}, of which it is another name: give one of the two.`;
    problems.add({ path, message, ...valueOf(options[alias]), keyword: "alias" });
  }
}

function checkTags(definition: Json, limits: Limits, problems: ProblemList): void {
  const { tags, attributes, tenant } = definition;
  if (Array.isArray(tags) && tags.length > limits.tags) addLimit("/tags", `has ${tags.length} tags`, "tags", limits, problems);
  checkReserved(tenant, "/tenant", problems);
  if (!isRecord(attributes)) return;
  const keys = Object.keys(attributes);
  if (keys.length > limits.attributes) addLimit("/attributes", `has ${keys.length} attributes`, "attributes", limits, problems);
  for (const key of keys.slice(0, limits.attributes)) checkReserved(key, `/attributes${pointerStep(key)}`, problems);
}

/** False if it is too deep to be looked at. */
function checkData(
  data: unknown,
  owner: Path,
  key: "params" | "context",
  context: Pick<RuleContext, "limits" | "textLength">,
  problems: ProblemList,
): boolean {
  if (typeof data !== "object" || data === null) return true;
  const { limits } = context;
  // Text of something too deep might not be made within the stack.
  if (!checkDepth(data, owner, key, limits, problems)) return false;
  const limit = key === "params" ? "paramsBytes" : "contextBytes";
  if (context.textLength * 3 <= limits[limit]) return true;
  const bytes = byteLengthOver(JSON.stringify(data), limits[limit]);
  if (bytes !== undefined) addLimit(`${owner()}/${key}`, `is ${bytes} bytes of JSON`, limit, limits, problems);
  return true;
}

function checkDepth(data: object, owner: Path, key: string, limits: Limits, problems: ProblemList): boolean {
  if (!isDeeperThan(data, limits.jsonDepth)) return true;
  addLimit(`${owner()}/${key}`, "holds objects and arrays too deep inside one another", "jsonDepth", limits, problems);
  return false;
}

function checkMeta(meta: unknown, owner: Path, context: RuleContext, problems: ProblemList): void {
  if (!isRecord(meta)) return;
  checkDepth(meta, owner, "meta", context.limits, problems);
  // Meta is merged into another object, where this key would replace the prototype.
  if (Object.hasOwn(meta, "__proto__")) {
    const path = `${owner()}/meta/__proto__`;
    problems.add({ path, message: `${path} cannot be merged into the meta of a call: leave it out.`, keyword: "reserved" });
  }
}

/** What undoes a task. */
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
    checkTemplates(params, () => `${path()}/params`, problems);
}

/** Recursive, as deep as the limit of JSON at most. */
function checkTemplates(value: unknown, path: Path, problems: ProblemList): void {
  if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) checkTemplates(inner, () => path() + pointerStep(key), problems);
  } else if (typeof value === "string" && isTemplate(value, COMPENSATE_ROOTS) === false) {
    const message = `${path()} is ${describeValue(value)}: give one whole path to a value of the task, as "\${params.amount}" or "\${response.items[0].id}".`;
    problems.add({ path: path(), message, ...valueOf(value), keyword: "template" });
  }
}

/** Containers inside one another, the outermost counted as 1. Recursive, as deep as the limit at most. */
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

function addLimit(path: string, fact: string, name: keyof Limits, limits: Limits, problems: ProblemList): void {
  const message = `${path} ${fact}, over the limit of ${limits[name]}: make it less, or raise settings.limits.${name}.`;
  problems.add({ path, message, keyword: name, limit: limits[name] });
}

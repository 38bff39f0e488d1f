/**
 * Validates the params of `produce`. A good definition passes one compiled check and one walk; only
 * a bad one is checked again, piece by piece, to list all of its problems.
 */
import { StageHeadSchema, TaskflowHeadSchema, type TaskflowDefinition } from "../../schemas/taskflow.schema.ts";
import { TASKFLOW_ID_PATTERN } from "../../schemas/common.schema.ts";
import { compileFast, compileThorough } from "./ajv.ts";
import { encodeJson } from "./encode.ts";
import type { Problem } from "../util/problem.ts";
import { ProblemList } from "./problems.ts";
import { describeValue } from "../util/describe-value.ts";
import { checkRules } from "./definition-rules.ts";
import type { DefinitionContext } from "./rule-context.ts";
import { addSchemaProblems } from "./schema-problems.ts";
import { taskChecks } from "./task-checks.ts";
import { checkTemplates } from "./template-rules.ts";

const isStageHead = compileFast(StageHeadSchema);
const headErrors = compileThorough(TaskflowHeadSchema);
const stageErrors = compileThorough(StageHeadSchema);

/**
 * `definition` shares no object with the params; `text` is its JSON text, with the short form
 * expanded to stages.
 */
export type TaskflowValidation =
  | { readonly ok: true; readonly definition: TaskflowDefinition; readonly text: string }
  | { readonly ok: false; readonly problems: Problem[] };

/** Never throws, and never changes the params. */
export function validateTaskflow(params: unknown, context: DefinitionContext): TaskflowValidation {
  const { value: longForm, isShort } = expandShortForm(params);
  const encoded = encodeJson(longForm, context.limits.definitionBytes);
  if (!encoded.ok) return { ok: false, problems: [inGivenForm(encoded.problem, isShort)] };
  const { value: definition, text } = encoded;
  const problems = new ProblemList();
  const isValid = taskChecks(context.taskTypes).isTaskflow(definition);
  if (!isValid) addAllSchemaProblems(definition, context, problems);
  checkRules(definition, { ...context, textLength: text.length }, problems);
  // Most definitions have neither templates nor conditions.
  if (text.includes("${") || text.includes('when":')) checkTemplates(definition, context.taskTypes, problems);
  if (!isValid && problems.isEmpty) problems.add(UNEXPLAINED);
  if (problems.isEmpty) return { ok: true, definition: definition as TaskflowDefinition, text };
  return { ok: false, problems: problems.toArray().map((problem) => inGivenForm(problem, isShort)) };
}

/** A safeguard: both checks use the same schemas, so one that fails without a problem is a bug. */
const UNEXPLAINED: Problem = {
  path: "",
  message: "params must be a taskflow definition: compare it with the documentation.",
  keyword: "schema",
};

const TASKFLOW_ID = new RegExp(TASKFLOW_ID_PATTERN);

/**
 * The id that the producer chose, read before any validation, because the taskflow may already be
 * stored. Undefined if there is none, or if it is invalid, which `validateTaskflow` reports.
 */
export function readTaskflowId(params: unknown): string | undefined {
  try {
    if (typeof params !== "object" || params === null || !("taskflowId" in params)) return undefined;
    const { taskflowId } = params;
    return typeof taskflowId === "string" && TASKFLOW_ID.test(taskflowId) ? taskflowId : undefined;
  } catch {
    // A getter or a proxy threw: `validateTaskflow` meets it again and reports it.
    return undefined;
  }
}

/** The short form `tasks` is a taskflow of one stage. Copies the outermost object only. */
function expandShortForm(params: unknown): { value: unknown; isShort: boolean } {
  try {
    if (typeof params === "object" && params !== null && !("stages" in params) && "tasks" in params && !Array.isArray(params)) {
      const { tasks, ...rest } = params;
      return { value: { ...rest, stages: [{ name: "main", tasks }] }, isShort: true };
    }
  } catch {
    // A proxy or getter threw: JSON.stringify will meet it again and report it.
  }
  return { value: params, isShort: false };
}

/** Translates paths back to the caller's form: in the short form, tasks are at the top. */
function inGivenForm(problem: Problem, isShort: boolean): Problem {
  if (!isShort) return problem;
  const toShort = (text: string): string => text.replaceAll("/stages/0/tasks", "/tasks");
  return { ...problem, path: problem.path.replace("/stages/0/tasks", "/tasks"), message: toShort(problem.message) };
}

function addAllSchemaProblems(definition: unknown, { taskTypes }: DefinitionContext, problems: ProblemList): void {
  if (typeof definition !== "object" || definition === null || Array.isArray(definition)) {
    problems.add({ path: "", message: `params must be an object, got ${describeValue(definition)}.`, keyword: "type" });
    return;
  }
  const { schema, isTask, taskErrors } = taskChecks(taskTypes);
  addSchemaProblems(TaskflowHeadSchema, headErrors(), definition, "", problems);
  for (const [stageIndex, stage] of elementsOf(definition, "stages")) {
    if (problems.isFull) return;
    const path = `/stages/${stageIndex}`;
    if (!isStageHead(stage)) addSchemaProblems(StageHeadSchema, stageErrors(), stage, path, problems);
    for (const [taskIndex, task] of elementsOf(stage, "tasks")) {
      if (problems.isFull) return;
      if (!isTask(task)) addSchemaProblems(schema, taskErrors(), task, `${path}/tasks/${taskIndex}`, problems);
    }
  }
}

function elementsOf(parent: unknown, key: "stages" | "tasks"): Iterable<[number, unknown]> {
  const elements: unknown = typeof parent === "object" && parent !== null ? Reflect.get(parent, key) : undefined;
  return Array.isArray(elements) ? elements.entries() : [];
}

/**
 * What `produce` takes, checked whole. A good definition passes one compiled check and one walk; only a bad one is looked at again,
 * piece by piece, for a list of everything that is wrong with it.
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

const isStageHead = compileFast(StageHeadSchema);
const headErrors = compileThorough(TaskflowHeadSchema);
const stageErrors = compileThorough(StageHeadSchema);

/** `definition` shares nothing with the params; `text` is its JSON text, in which the short form is written out as stages. */
export type TaskflowValidation =
  | { readonly ok: true; readonly definition: TaskflowDefinition; readonly text: string }
  | { readonly ok: false; readonly problems: Problem[] };

/** Never throws and never changes the params, whatever they are. */
export function validateTaskflow(params: unknown, context: DefinitionContext): TaskflowValidation {
  const { value: written, isShort } = writeOutStages(params);
  const encoded = encodeJson(written, context.limits.definitionBytes);
  if (!encoded.ok) return { ok: false, problems: [inGivenForm(encoded.problem, isShort)] };
  const { value: definition, text } = encoded;
  const problems = new ProblemList();
  const isValid = taskChecks(context.taskTypes).isTaskflow(definition);
  if (!isValid) addAllSchemaProblems(definition, context, problems);
  checkRules(definition, { ...context, textLength: text.length }, problems);
  if (!isValid && problems.isEmpty) problems.add(UNEXPLAINED);
  if (problems.isEmpty) return { ok: true, definition: definition as TaskflowDefinition, text };
  return { ok: false, problems: problems.toArray().map((problem) => inGivenForm(problem, isShort)) };
}

/** The quick check and the thorough one are of the same schemas, so that nobody should ever see it. */
const UNEXPLAINED: Problem = {
  path: "",
  message: "The whole is not a taskflow: compare it with the documentation.",
  keyword: "schema",
};

const TASKFLOW_ID = new RegExp(TASKFLOW_ID_PATTERN);

/**
 * The id that the producer chose, before anything else is looked at: the taskflow may be stored already. Undefined if there is none, or none that
 * may come near a store; `validateTaskflow` tells the latter.
 */
export function readTaskflowId(params: unknown): string | undefined {
  if (typeof params !== "object" || params === null || !("taskflowId" in params)) return undefined;
  const { taskflowId } = params;
  return typeof taskflowId === "string" && TASKFLOW_ID.test(taskflowId) ? taskflowId : undefined;
}

/** The short form `tasks` is a taskflow of one stage. Only the outermost object is copied. */
function writeOutStages(params: unknown): { value: unknown; isShort: boolean } {
  try {
    if (typeof params === "object" && params !== null && !("stages" in params) && "tasks" in params && !Array.isArray(params)) {
      const { tasks, ...rest } = params;
      return { value: { ...rest, stages: [{ name: "main", tasks }] }, isShort: true };
    }
  } catch {
    // A proxy or getter that throws: JSON.stringify meets it again, and its problem is told.
  }
  return { value: params, isShort: false };
}

/** Paths of the form that was given: in the short one, tasks stand at the top. */
function inGivenForm(problem: Problem, isShort: boolean): Problem {
  if (!isShort) return problem;
  const toShort = (text: string): string => text.replaceAll("/stages/0/tasks", "/tasks");
  return { ...problem, path: problem.path.replace("/stages/0/tasks", "/tasks"), message: toShort(problem.message) };
}

function addAllSchemaProblems(definition: unknown, { taskTypes }: DefinitionContext, problems: ProblemList): void {
  if (typeof definition !== "object" || definition === null || Array.isArray(definition)) {
    problems.add({ path: "", message: `The whole is ${describeValue(definition)}: give an object.`, keyword: "type" });
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

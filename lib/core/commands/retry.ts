/**
 * A person's retry: a new run of a taskflow that has ended, or that waits for a decision.
 *
 * The selected tasks are reset, and their stages run again in order. Stages that never ran follow
 * as usual. A stage behind one that blocked in an earlier run runs only its selected tasks; a new
 * blocking failure ends the run. A plan comes first, and is the answer to a dry run.
 */
import { watchAge, watchTaskAge } from "../execution/max-age.ts";
import { type CommandResult, refuse, type Refusal, type RetryCommand, type Selection } from "../model/command.ts";
import { isUndone } from "../execution/compensation.ts";
import { resolveInDoubt } from "../execution/in-doubt.ts";
import { runsNow } from "./task-commands.ts";
import { Finder } from "../model/find.ts";
import { type Flow, isFinished, isSettled, type Stage, type Task } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import { pauseAgain } from "./pause.ts";
import { afterSettled, closeStage, goOn } from "../execution/stage.ts";
import { record, type Step } from "../execution/step.ts";

interface Plan {
  /** Tasks that run again, in order. */
  readonly again: ReadonlySet<Task>;
  /** Tasks selected individually. */
  readonly named: ReadonlySet<Task>;
  /** Tasks that never ran, and run when their stage is reached. */
  readonly follow: ReadonlySet<Task>;
}

export function retry(step: Step, command: RetryCommand): CommandResult {
  const { flow } = step;
  const plan = planRetry(flow, command);
  if ("ok" in plan) return plan;
  const refusal = notRetryable(flow) ?? exactlyOnce(flow, plan, command) ?? underWay(flow, plan);
  if (refusal) return refusal;
  const answer = answerOf(flow, plan, command.dryRun === true);
  if (!command.dryRun && !isNothing(flow, plan)) applyPlan(step, plan);
  return answer;
}

/** Without a task to run, a run may still compute the output. */
const isNothing = (flow: Flow, { again, follow }: Plan): boolean =>
  again.size === 0 && follow.size === 0 && !(flow.error?.type === "EXPRESSION_ERROR" && flow.passed === flow.stages.length);

interface Choice {
  readonly named: ReadonlySet<Task>;
  readonly stages: Iterable<Stage>;
}

/** Plans the retry; `retry` checks whether it is allowed. */
function planRetry(flow: Flow, command: RetryCommand): Plan | Refusal {
  const { selection, mode, cascade } = command;
  const choice: Choice | Refusal = selection ? choose(flow, selection) : { named: new Set(), stages: flow.stages };
  if ("ok" in choice) return choice;
  const { named, stages } = choice;
  const again = new Set(named);
  const isWanted = wantedBy(command);
  const add = (stage: Stage, matches: (task: Task) => boolean): void => {
    for (const task of stage.tasks) if (matches(task)) again.add(task);
  };
  if (!selection && mode === undefined && flow.awaiting.size > 0) {
    for (const ordinal of flow.awaiting) again.add(flow.tasks[ordinal] as Task);
  } else {
    // Without a selection, tasks that were not reached only follow.
    for (const stage of stages) add(stage, (task) => isWanted(task) && (selection !== undefined || !isUntouched(task)));
  }
  if (cascade) {
    const first = flow.stages.findIndex((stage) => stage.tasks.some((task) => again.has(task)));
    if (first !== -1)
      for (const stage of flow.stages.slice(first + 1)) add(stage, (task) => isWanted(task) && !isUntouched(task));
  }
  // While a decision is needed, tasks in flight continue by themselves.
  for (const task of again) if (task.open && !named.has(task)) again.delete(task);
  const follow = flow.awaiting.size > 0 && again.size === 0 ? new Set<Task>() : followers(flow, again);
  return { again: new Set(flow.tasks.filter((task) => again.has(task))), named, follow };
}

function choose(flow: Flow, selection: readonly Selection[]): Choice | Refusal {
  const finder = new Finder(flow);
  const named = new Set<Task>();
  const stages = new Set<Stage>();
  for (const { stage: ref, tasks } of selection) {
    const stage = ref === undefined ? undefined : finder.stage(ref);
    if (stage && "ok" in stage) return stage;
    if (stage && !tasks) stages.add(stage);
    for (const name of tasks ?? []) {
      const task = finder.task(name, stage);
      if ("ok" in task) return task;
      named.add(task);
    }
  }
  return { named, stages };
}

/** Which tasks of a stage the command covers, if it names none. */
function wantedBy({ mode, force }: RetryCommand): (task: Task) => boolean {
  if (mode === "failed") return (task) => !isDone(task);
  if (mode === "all" || force) return () => true;
  return (task) => !task.options.exactlyOnceTaskExecution || !isDone(task);
}

/** The task's work stands: it was done and not undone. */
const isDone = (task: Task): boolean => (task.status === "SUCCESS" && !isUndone(task)) || task.status === "SKIPPED";

/**
 * Tasks that have not run and will, if nothing else fails: no earlier task goes on blocking, or
 * they were selected for the run that waits for a decision.
 */
function followers(flow: Flow, again: ReadonlySet<Task>): Set<Task> {
  const follow = new Set<Task>();
  let isBlocked = false;
  for (const stage of flow.stages) {
    for (const task of stage.tasks) if (!again.has(task) && isUntouched(task) && (!isBlocked || task.selected)) follow.add(task);
    isBlocked ||= stage.tasks.some((task) => task.blocks && !again.has(task) && !isUntouched(task));
  }
  return follow;
}

/** The task has not run: it was not reached, or was cancelled with its stage before that. */
function isUntouched({ status, stage, runAttempts }: Task): boolean {
  const wasNotReached = stage.status === "CANCELLED" && stage.startedAt === null && runAttempts === 0;
  return status === "WAITING" || (status === "CANCELLED" && wasNotReached);
}

function notRetryable(flow: Flow): Refusal | undefined {
  const { taskflowId, status } = flow;
  const refusal = (why: string): Refusal =>
    refuse("TASKFLOW_NOT_RETRYABLE", `Taskflow "${taskflowId}" cannot be retried: ${why}.`, { taskflowId, status });
  if (flow.aborting) return refusal("a handler ended it, and it waits for running attempts");
  if (flow.awaiting.size > 0) return undefined;
  if (flow.undo.status === "RUNNING") return refusal("it is being compensated; wait until that has ended");
  if (!isFinished(status)) return refusal(`it is ${status}`);
  if (status === "COMPLETED" && flow.options.exactlyOnceTaskExecution)
    return refusal("it is COMPLETED and executes its tasks exactly once");
  return undefined;
}

/** Maximum number of tasks that an error names. */
const LISTED = 10;

function exactlyOnce(flow: Flow, { again, named }: Plan, { mode, force }: RetryCommand): Refusal | undefined {
  if (force) return undefined;
  const guarded = Array.from(again).filter(
    (task) =>
      task.status === "SUCCESS" &&
      !isUndone(task) &&
      task.options.exactlyOnceTaskExecution &&
      (mode === "all" || named.has(task)),
  );
  if (guarded.length === 0) return undefined;
  const names = guarded.slice(0, LISTED).map(({ definition, stage }) => `"${definition.name}" of stage "${stage.name}"`);
  const more = guarded.length > LISTED ? ` and ${guarded.length - LISTED} more` : "";
  const message =
    `Taskflow "${flow.taskflowId}": ${names.join(", ")}${more} succeeded and must not run twice (exactlyOnceTaskExecution). ` +
    "Leave them out, or give force: true.";
  const tasks = guarded.slice(0, LISTED).map((task) => taskId(flow.idBase, task.ordinal));
  return refuse("TASKFLOW_EXACTLY_ONCE", message, { taskflowId: flow.taskflowId, tasks });
}

/**
 * While a decision is needed, tasks in flight must not be selected, and the current stage must not
 * be left while one of its tasks runs.
 */
function underWay(flow: Flow, { again, named }: Plan): Refusal | undefined {
  const busy = Array.from(named).find((task) => task.open);
  if (busy?.status === "RUNNING") return runsNow(flow, busy);
  if (busy) {
    const message = `Task "${busy.definition.name}" of taskflow "${flow.taskflowId}" cannot be retried: it is about to run.`;
    return refuse("TASKFLOW_NOT_RETRYABLE", message, { taskflowId: flow.taskflowId, taskId: taskId(flow.idBase, busy.ordinal) });
  }
  const current = currentStage(flow);
  if (!current || !leaves(current, again)) return undefined;
  const running = current.tasks.find((task) => task.status === "RUNNING");
  return running && runsNow(flow, running);
}

const currentStage = (flow: Flow): Stage | undefined => flow.stages.find((stage) => stage.status === "RUNNING");

const leaves = (current: Stage, again: ReadonlySet<Task>): boolean =>
  Array.from(again).some((task) => task.stage.index < current.index);

function answerOf(flow: Flow, plan: Plan, dryRun: boolean): CommandResult {
  const { again, follow } = plan;
  const { taskflowId, idBase, retryAttempt } = flow;
  const list = (tasks: Iterable<Task>) =>
    Array.from(tasks, (task) => ({ stageId: stageId(idBase, task.stage.index), taskId: taskId(idBase, task.ordinal) }));
  const data = { taskflowId, retryAttempt: isNothing(flow, plan) ? retryAttempt : retryAttempt + 1, retried: list(again) };
  if (!dryRun) return { ok: true, data };
  const reused = flow.tasks.filter((task) => isDone(task) && !again.has(task));
  return { ok: true, data: { ...data, reused: list(reused), compensated: [], follows: list(follow) } };
}

function applyPlan(step: Step, { again, named }: Plan): void {
  const { flow } = step;
  const current = currentStage(flow);
  if (current && leaves(current, again)) closeStage(step, current);
  record(step, { kind: "flow", status: "RUNNING", run: true });
  watchAge(step);
  for (const stage of flow.stages) putBack(step, stage, again, named);
  pauseAgain(step);
  const stays = currentStage(flow);
  if (!stays) return goOn(step);
  for (const task of stays.tasks) {
    if (!task.open || !again.has(task)) continue;
    watchTaskAge(step, task);
    if (task.inDoubt !== null) resolveInDoubt(step, task);
  }
  afterSettled(step, stays);
}

/** Puts a stage with tasks that run (again) back to WAITING, and those tasks too. */
function putBack(step: Step, stage: Stage, again: ReadonlySet<Task>, named: ReadonlySet<Task>): void {
  const tasks = stage.tasks.filter((task) => again.has(task) || isUntouched(task));
  if (tasks.length === 0) return;
  if (stage.status !== "WAITING" && stage.status !== "RUNNING")
    record(step, { kind: "stage", stage: stage.index, status: "WAITING" });
  for (const task of tasks) {
    const { ordinal } = task;
    const inDoubt = inDoubtOf(task, named.has(task));
    // A task left between two attempts, together with its stage, starts anew too.
    if (isSettled(task.status) || (!task.open && task.retryAt !== null))
      record(step, {
        kind: "reset",
        task: ordinal,
        ...(inDoubt ? { inDoubt } : {}),
        ...(again.has(task) ? {} : { follows: true }),
      });
    else if (again.has(task)) record(step, { kind: "selected", task: ordinal, ...(named.has(task) ? { named: true } : {}) });
  }
}

/**
 * The latest attempt may have succeeded: its outcome was unknown, it was cancelled while it ran, or
 * its success came late.
 */
function inDoubtOf({ attempts, options, response, status }: Task, isNamed: boolean): "verify" | "verify-or-fail" | undefined {
  const latest = attempts.at(-1);
  const isLate = latest?.status === "SUCCESS" && (status === "FAILED" || status === "CANCELLED") && response !== null;
  if (!isLate && latest?.status !== "CANCELLED" && latest?.error?.type !== "TASK_OUTCOME_UNKNOWN") return undefined;
  return isNamed || !options.exactlyOnceTaskExecution ? "verify" : "verify-or-fail";
}

/**
 * A person's retry: a new run of a taskflow that has ended, or that waits for a decision.
 *
 * The chosen tasks are reset, and their stages run again in stage order. Stages that never ran follow as usual; a stage behind one that blocks
 * runs only what was chosen of it. What it would do is planned first, and the plan is what a dry run answers.
 */
import { watchAge, watchTaskAge } from "./age.ts";
import { type Answer, refuse, type Refusal, type RetryCommand } from "./command.ts";
import { isUndone } from "./compensation.ts";
import { clearDoubt } from "./doubt.ts";
import { runsNow } from "./decide-task.ts";
import { findStage, findTask } from "./find.ts";
import { type Flow, isFinished, isSettled, type Stage, type Task } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";
import { afterSettled, closeStage, goOn } from "./stage.ts";
import { record, type Step } from "./step.ts";

interface Plan {
  /** Run again, in order. */
  readonly again: ReadonlySet<Task>;
  /** Named one by one. */
  readonly named: ReadonlySet<Task>;
  /** Never ran, and run when their turn comes. */
  readonly follow: ReadonlySet<Task>;
}

export function retry(step: Step, command: RetryCommand): Answer {
  const { flow } = step;
  const plan = planRetry(flow, command);
  if ("ok" in plan) return plan;
  const refusal = notRetryable(flow) ?? exactlyOnce(flow, plan, command) ?? running(flow, plan);
  if (refusal) return refusal;
  const answer = answerOf(flow, plan, command.dryRun === true);
  const isNothing = plan.again.size === 0 && plan.follow.size === 0;
  if (!command.dryRun && !isNothing) carryOut(step, plan);
  return answer;
}

/** What a retry would run, if it is allowed. */
function planRetry(flow: Flow, command: RetryCommand): Plan | Refusal {
  const { selection, mode, force, cascade } = command;
  const named = new Set<Task>();
  const again = new Set<Task>();
  const isWanted = (task: Task): boolean => {
    if (mode === "all" || force) return true;
    if (mode === "failed" || task.options.exactlyOnceTaskExecution) return !isDone(task);
    return true;
  };
  if (selection) {
    for (const { stage: ref, tasks } of selection) {
      const stage = ref === undefined ? undefined : findStage(flow, ref);
      if (stage && "ok" in stage) return stage;
      for (const name of tasks ?? []) {
        const task = findTask(flow, name, stage);
        if ("ok" in task) return task;
        named.add(task);
        again.add(task);
      }
      if (!tasks && stage) for (const task of stage.tasks) if (isWanted(task)) again.add(task);
    }
  } else if (flow.awaiting.size > 0 && mode === undefined) {
    for (const ordinal of flow.awaiting) again.add(flow.tasks[ordinal] as Task);
  } else {
    for (const stage of flow.stages)
      if (stage.startedAt !== null) for (const task of stage.tasks) if (isWanted(task)) again.add(task);
  }
  if (cascade) {
    const first = Math.min(...Array.from(again, (task) => task.stage.index));
    for (const stage of flow.stages)
      if (stage.index > first && stage.startedAt !== null) for (const task of stage.tasks) if (isWanted(task)) again.add(task);
  }
  // What is under way of a taskflow that waits for a decision goes on by itself.
  for (const task of again) if (!named.has(task) && (task.status === "RUNNING" || task.open)) again.delete(task);
  return { again: new Set(flow.tasks.filter((task) => again.has(task))), named, follow: followers(flow, again) };
}

/** Its work stands: what was undone does not. */
const isDone = (task: Task): boolean => (task.status === "SUCCESS" && !isUndone(task)) || task.status === "SKIPPED";

/** What never ran and will, if all goes well: all of it stands behind nothing that goes on blocking. */
function followers(flow: Flow, again: ReadonlySet<Task>): Set<Task> {
  const follow = new Set<Task>();
  for (const stage of flow.stages) {
    for (const task of stage.tasks) if (!again.has(task) && isUntouched(task) && !task.open) follow.add(task);
    if (stage.tasks.some((task) => task.blocks && !again.has(task) && !isUntouched(task))) break;
  }
  return follow;
}

/** It never ran: it was not reached, or was cancelled together with its stage before that. */
function isUntouched({ status, stage }: Task): boolean {
  return status === "WAITING" || (status === "CANCELLED" && stage.startedAt === null);
}

function notRetryable(flow: Flow): Refusal | undefined {
  const { taskflowId, status } = flow;
  const refusal = (why: string): Refusal =>
    refuse("TASKFLOW_NOT_RETRYABLE", `Taskflow "${taskflowId}" cannot be retried: ${why}.`, { taskflowId, status });
  if (flow.awaiting.size > 0) return undefined;
  if (flow.undo.status === "RUNNING") return refusal("what succeeded is being undone: wait until that has ended");
  if (!isFinished(status)) return refusal(`it is ${status}`);
  if (status === "COMPLETED" && flow.options.exactlyOnceTaskExecution)
    return refusal("it is COMPLETED, and executes its tasks exactly once");
  return undefined;
}

/** How many tasks an error names. */
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
    `Taskflow "${flow.taskflowId}": ${names.join(", ")}${more} succeeded and must not be executed twice (exactlyOnceTaskExecution). ` +
    "Leave them out, or give force: true.";
  const tasks = guarded.slice(0, LISTED).map((task) => taskId(flow.idBase, task.ordinal));
  return refuse("TASKFLOW_EXACTLY_ONCE", message, { taskflowId: flow.taskflowId, tasks });
}

/** Of a taskflow that waits for a decision: what runs must not be named, and a stage that is to be left must not run. */
function running(flow: Flow, { again, named }: Plan): Refusal | undefined {
  const named1 = Array.from(named).find((task) => task.status === "RUNNING");
  if (named1) return runsNow(flow, named1);
  const current = currentStage(flow);
  if (!current || !leaves(current, again)) return undefined;
  const one = current.tasks.find((task) => task.status === "RUNNING");
  return one && runsNow(flow, one);
}

const currentStage = (flow: Flow): Stage | undefined => flow.stages.find((stage) => stage.status === "RUNNING");

const leaves = (current: Stage, again: ReadonlySet<Task>): boolean =>
  Array.from(again).some((task) => task.stage.index < current.index);

function answerOf(flow: Flow, { again, follow }: Plan, dryRun: boolean): Answer {
  const { taskflowId, idBase, retryAttempt } = flow;
  const list = (tasks: Iterable<Task>) =>
    Array.from(tasks, (task) => ({ stageId: stageId(idBase, task.stage.index), taskId: taskId(idBase, task.ordinal) }));
  const isNothing = again.size === 0 && follow.size === 0;
  const data = { taskflowId, retryAttempt: isNothing ? retryAttempt : retryAttempt + 1, retried: list(again) };
  if (!dryRun) return { ok: true, data };
  const reused = flow.tasks.filter((task) => isDone(task) && !again.has(task));
  return { ok: true, data: { ...data, reused: list(reused), compensated: [], follows: list(follow) } };
}

function carryOut(step: Step, { again, named }: Plan): void {
  const { flow } = step;
  const current = currentStage(flow);
  if (current && leaves(current, again)) closeStage(step, current);
  record(step, { kind: "flow", status: "RUNNING", run: true });
  watchAge(step);
  for (const stage of flow.stages) putBack(step, stage, again, named);
  const stays = currentStage(flow);
  if (!stays) return goOn(step, 0);
  for (const task of stays.tasks) {
    if (!task.open || !again.has(task)) continue;
    watchTaskAge(step, task);
    if (task.doubt !== null) clearDoubt(step, task);
  }
  afterSettled(step, stays);
}

/** A stage of which something is to run (again) waits for its turn, and so do those tasks. */
function putBack(step: Step, stage: Stage, again: ReadonlySet<Task>, named: ReadonlySet<Task>): void {
  const isChosen = stage.tasks.some((task) => again.has(task));
  const hasUntouched = stage.tasks.some(isUntouched);
  const untouched = stage.tasks.filter((task) => isUntouched(task) && isSettled(task.status));
  const hasEnded = stage.status !== "WAITING" && stage.status !== "RUNNING";
  if (hasEnded && (isChosen || hasUntouched)) record(step, { kind: "stage", stage: stage.index, status: "WAITING" });
  for (const task of stage.tasks) {
    const { ordinal } = task;
    if (again.has(task)) {
      const doubt = doubtOf(task, named.has(task));
      if (!isSettled(task.status)) record(step, { kind: "chosen", task: ordinal });
      else record(step, { kind: "reset", task: ordinal, ...(doubt ? { doubt } : {}) });
    }
  }
  for (const task of untouched) if (!again.has(task)) record(step, { kind: "reset", task: task.ordinal, follows: true });
}

/** Its latest attempt may have succeeded: nobody could tell, or it was cancelled while it ran. */
function doubtOf(task: Task, isNamed: boolean): "ask" | "only" | undefined {
  const latest = task.attempts.at(-1);
  const wasCut = task.status === "CANCELLED" && latest !== undefined && latest.status !== "FAILED";
  if (!wasCut && !(task.status === "FAILED" && task.error?.type === "TASK_OUTCOME_UNKNOWN")) return undefined;
  return isNamed || !task.options.exactlyOnceTaskExecution ? "ask" : "only";
}

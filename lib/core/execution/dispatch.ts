/** Begins the attempts that are due, within the limits of the stage and of the coordinator. */
import { type Flow, latestAttempt, type Stage, type Task, taskAt } from "../model/flow.ts";
import type { TaskTypes } from "../model/task-type.ts";
import { beginAttempt } from "./begin.ts";
import { abandonChildren } from "./children.ts";
import { isTooOld } from "./max-age.ts";
import type { Input } from "./inputs.ts";
import type { Resolution } from "../model/resolution.ts";
import { record, type Step } from "./step.ts";
import { expireTask, failUnstarted, settleAttempt } from "./task.ts";

/** The coordinator's free slots, types and nodes, handed to `decide` for one turn. */
export interface Router {
  /** Number of attempts that may begin now, over all stages. */
  readonly free: number;
  readonly types: TaskTypes;
  /**
   * Fills in the task's templates. Undefined: it has none. "later": the effect `evaluate` computes
   * them.
   */
  resolve(flow: Flow, task: Task): Resolution | "later" | undefined;
  /** Chooses the node for a task's next attempt; undefined: no node serves it now. */
  route(task: Task): string | undefined;
  /** Called if more is due than may begin now. */
  full(): void;
}

/** May an attempt of the taskflow be sent? */
function isDispatching({ status, undo }: Flow): boolean {
  return status === "RUNNING" || undo.status === "RUNNING";
}

/**
 * Redeliveries go first, then new attempts in the order in which they became due, up to the stage's
 * `maxConcurrency`.
 *
 * A task past its maxAge ends instead, and a computed one ends as it begins. The last of them ends
 * its stage: the tasks of the next stage join `due` during the loop and begin in the same turn.
 * `free` bounds the computed tasks of a turn, too.
 */
export function dispatchDue(step: Step, router: Router): void {
  const { flow } = step;
  let { free } = router;
  for (const ordinal of flow.repeats) {
    if (!isDispatching(flow)) return;
    if (free <= 0) return router.full();
    if (deliverAgain(step, router, taskAt(flow, ordinal) as Task)) free--;
  }
  for (const ordinal of flow.due) {
    if (!isDispatching(flow) || flow.aborting) return;
    const task = taskAt(flow, ordinal) as Task;
    // All due tasks belong to one stage: if it is full, none can begin.
    if (isFull(task.stage)) return;
    if (free <= 0) return router.full();
    if (isTooOld(flow, task, step.now)) expireTask(step, task);
    else if (isResolved(step, router, task) && begin(step, router, task)) free--;
  }
}

const isFull = ({ count, options: { maxConcurrency } }: Stage): boolean =>
  maxConcurrency !== undefined && count.running >= maxConcurrency;

/** Returns true if it is sent. */
function deliverAgain(step: Step, router: Router, task: Task): boolean {
  const node = router.route(task);
  if (node === undefined) return false;
  abandonChildren(step, task);
  record(step, { kind: "redelivered", task: task.ordinal, node });
  send(step, task, node);
  return true;
}

/** Fills in the task's templates, once in a run; returns false if it cannot begin now. */
function isResolved(step: Step, router: Router, task: Task): boolean {
  // Those of a compensation were filled in when it was made.
  if (task.resolved || task.undoes) return true;
  const resolution = router.resolve(step.flow, task);
  if (resolution === undefined) return true;
  if (resolution !== "later") return acceptResolution(step, task, resolution);
  step.flow.due.delete(task.ordinal);
  step.effects.push({ kind: "evaluate", task: task.ordinal });
  return false;
}

/** Returns true if an attempt may begin with the values. */
function acceptResolution(step: Step, task: Task, resolution: Resolution): boolean {
  if (resolution.kind === "resolved") {
    record(step, { kind: "resolved", task: task.ordinal, ...resolution.parts });
    return true;
  }
  failUnstarted(step, task, resolution.error);
  return false;
}

/** The values of the effect `evaluate`: its task is due again. */
export function takeEvaluated(step: Step, input: Extract<Input, { kind: "evaluated" }>): void {
  const { flow } = step;
  const task = taskAt(flow, input.task);
  if (!task?.open || task.status !== "WAITING" || task.retryAt !== null || flow.aborting) return;
  const isCurrent = task.definition === input.definition && flow.retryAttempt === input.retryAttempt;
  if (!isCurrent || acceptResolution(step, task, input.resolution)) flow.due.add(input.task);
}

/** Returns true if an attempt has begun. */
function begin(step: Step, router: Router, task: Task): boolean {
  const { ordinal } = task;
  const attempt = task.attempts.length === 0 ? 0 : task.attempt + 1;
  const due = task.resolved ? { ...task, definition: task.resolved } : task;
  const outcome = beginAttempt(router.types, due, step.now);
  if (outcome) {
    record(step, { kind: "started", task: ordinal, attempt });
    settleAttempt(step, task, outcome);
    return true;
  }
  const node = router.route(task);
  if (node === undefined) return false;
  abandonChildren(step, task);
  record(step, { kind: "started", task: ordinal, attempt, node });
  send(step, task, node);
  return true;
}

function send({ effects }: Step, task: Task, node: string): void {
  const { attempt, deliveries } = latestAttempt(task);
  effects.push({ kind: "call", task: task.ordinal, attempt, delivery: deliveries, node });
}

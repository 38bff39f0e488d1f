/** Begins the attempts that are due, within the limits of the stage and of the coordinator. */
import { type Flow, latestAttempt, type Stage, type Task, taskAt } from "../model/flow.ts";
import type { TaskTypes } from "../model/task-type.ts";
import { beginAttempt } from "./begin.ts";
import { abandonChildren } from "./children.ts";
import { isTooOld } from "./max-age.ts";
import { giveUp, MAX_DELIVERIES } from "./outcome-query.ts";
import { isResolved, type Resolver } from "./resolve.ts";
import { record, type Step } from "./step.ts";
import { expireTask, giveBack, settleAttempt } from "./task.ts";
import { isHeld, isUnwanted, preferredNode, prepareResend } from "./turned-away.ts";

/** The coordinator's free slots, types and nodes, handed to `decide` for one turn. */
export interface Router extends Resolver {
  /** Number of attempts that may begin now, over all stages. */
  readonly free: number;
  readonly types: TaskTypes;
  /**
   * Chooses the node for a task's next attempt or delivery, the preferred one if it serves the
   * task; undefined: no node serves it now.
   */
  route(task: Task, preferred?: string): string | undefined;
  /** The process that runs the node now, if the task's dispatch knows it. */
  processOf?(task: Task, node: string): string | undefined;
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

function processOf(router: Router, task: Task, node: string): { readonly process?: string } {
  const name = router.processOf?.(task, node);
  return name === undefined ? {} : { process: name };
}

/** Returns true if it is sent. */
function deliverAgain(step: Step, router: Router, task: Task): boolean {
  const isHeldBack = isHeld(step.flow, task);
  const isRefused = step.flow.turnedAway.get(task.ordinal)?.isRefused === true;
  if (isHeldBack && isRefused && latestAttempt(task).deliveries >= MAX_DELIVERIES) {
    giveUp(step, task);
    return false;
  }
  if (isUnwanted(step, task)) {
    giveBack(step, task);
    return false;
  }
  // A redelivery goes to the node of the first one, if it is there: it may remember.
  const node = router.route(task, preferredNode(step.flow, task));
  if (node === undefined) {
    if (isHeldBack) giveBack(step, task);
    return false;
  }
  if (isHeldBack && !isRefused) {
    prepareResend(step, task, node, processOf(router, task, node));
    send(step, task, node);
    return true;
  }
  record(step, { kind: "redelivered", task: task.ordinal, node, ...processOf(router, task, node) });
  send(step, task, node);
  return true;
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
  record(step, { kind: "started", task: ordinal, attempt, node, ...processOf(router, task, node) });
  send(step, task, node);
  return true;
}

function send({ effects }: Step, task: Task, node: string): void {
  const { attempt, deliveries } = latestAttempt(task);
  effects.push({ kind: "call", task: task.ordinal, attempt, delivery: deliveries, node });
}

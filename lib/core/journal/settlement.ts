/** The facts that settle a task, make it run again, or change its params and options. */
import { type Attempt, type Flow, isSettled, nextUndo, type Task } from "../model/flow.ts";
import { resolveOptions } from "../model/options.ts";
import { endAttempt } from "./attempts.ts";
import type { Reset, Resolved, Selected, Settled, Updated } from "./facts.ts";
import { close, dueNextUndo, open, taskOf, unsettle } from "./tasks.ts";

export function settle(flow: Flow, fact: Settled, at: number): void {
  const task = taskOf(flow, fact.task);
  const { count } = task.stage;
  if (isSettled(task.status)) unsettle(flow, task);
  if (fact.reason === undefined) endAttempt(flow, task, fact.status, at, fact);
  else if (task.status === "RUNNING") endAttempt(flow, task, "CANCELLED", at, fact);
  close(task);
  task.status = fact.status;
  task.retryAt = null;
  task.error = fact.error ?? null;
  task.response = fact.response ?? null;
  task.whenValues = fact.whenValues ?? null;
  task.isResolved = fact.reason !== undefined;
  task.settledAt = flow.seq;
  task.stage.changedAt = flow.seq;
  task.inDoubt = null;
  flow.due.delete(fact.task);
  if (task.undoes) {
    passUndone(flow, at);
  }
  if (!task.undoes) flow.settled++;
  count.settled++;
  if (fact.status === "SUCCESS") count.success++;
  else if (fact.status !== "SKIPPED") count.failed++;
  task.blocks = fact.blocks === true;
  if (fact.blocks) {
    count.blocking++;
    task.stage.blockedAt = flow.seq;
  }
  if (fact.awaits) flow.awaiting.add(fact.task);
  if (fact.abort) {
    flow.aborting = true;
    flow.due.clear();
  }
}

/**
 * The next compensation is due once those before it are settled; a later one may be settled
 * first.
 */
function passUndone(flow: Flow, at: number): void {
  const { undoing } = flow;
  const before = undoing.next;
  for (let next = nextUndo(flow); next && isSettled(next.status); next = nextUndo(flow)) undoing.next++;
  if (undoing.next !== before) dueNextUndo(flow, at);
}

export function reset(flow: Flow, fact: Reset, at: number): void {
  const task = taskOf(flow, fact.task);
  if (isSettled(task.status)) unsettle(flow, task);
  task.stage.changedAt = flow.seq;
  if (task.undo && isSettled(task.undo.status)) {
    unsettle(flow, task.undo);
    task.undo.status = "WAITING";
    task.undo.error = null;
    task.undo.response = null;
  }
  task.status = "WAITING";
  task.resolved = null;
  task.whenValues = null;
  task.runAttempts = 0;
  task.dueSince = null;
  task.retryAt = null;
  task.error = null;
  task.inDoubt = fact.inDoubt ?? null;
  // A late success will be used instead of another attempt.
  if (latestStatus(task) !== "SUCCESS" || task.inDoubt === null) task.response = null;
  if (!fact.follows) select(flow, task, at);
}

function latestStatus(task: Task): Attempt["status"] | undefined {
  return task.attempts.at(-1)?.status;
}

export function selectWaiting(flow: Flow, fact: Selected, at: number): void {
  const task = taskOf(flow, fact.task);
  if (fact.named && task.inDoubt !== null) task.inDoubt = "verify";
  select(flow, task, at);
}

/** The task runs when its stage is entered, or now, if the stage already runs. */
function select(flow: Flow, task: Task, at: number): void {
  if (task.stage.status === "RUNNING") {
    if (!task.open) open(flow, task, at);
  } else if (!task.selected) {
    task.selected = true;
    task.stage.count.selected++;
  }
}

export function resolve(task: Task, { kind: _kind, task: _task, ...values }: Resolved): void {
  task.resolved = { ...task.definition, ...values };
}

export function update(task: Task, { params, options }: Updated): void {
  const { definition, stage } = task;
  const merged = options && { ...definition.options, ...options };
  task.definition = { ...definition, ...(params === undefined ? {} : { params }), ...(merged ? { options: merged } : {}) };
  if (params !== undefined) task.resolved = null;
  else if (task.resolved && merged) task.resolved = { ...task.resolved, options: merged };
  if (!merged) return;
  task.options = resolveOptions(stage.options, merged);
  if (task.undo) task.undo.options = task.options;
}

/**
 * Outcome queries: the coordinator asks the worker about a silent attempt before it repeats or
 * gives up the attempt.
 *
 * An outcome counts like an answer. While the attempt runs, the task waits. If the attempt never
 * started and never will, it is delivered again. If no worker knows, the default mode delivers it
 * again; under `exactlyOnceTaskExecution` it ends with `TASK_OUTCOME_UNKNOWN`.
 */
import { isTooOld } from "./max-age.ts";
import { latestAttempt, type Task, taskAt } from "../model/flow.ts";
import { queryOutcome, unknownOutcome, verdict } from "./in-doubt.ts";
import { failure, type TaskError } from "../model/values.ts";
import type { Input, OutcomeReply } from "./inputs.ts";
import type { Step } from "./step.ts";
import { isOutdatedReply } from "./turned-away.ts";
import { acceptLate, failAttempt, isReportedFailure, settleAttempt, timeOutTask } from "./task.ts";

type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

/** Maximum number of deliveries of one attempt. */
export const MAX_DELIVERIES = 5;

/** How often a worker that runs the attempt is asked again, in case its answer is lost. */
export const REQUERY_MS = 5_000;

function runningTask(step: Step, ordinal: number, attempt?: number): Task | undefined {
  const task = taskAt(step.flow, ordinal);
  return task?.status === "RUNNING" && task.pendingResponse === null && (attempt === undefined || task.attempt === attempt)
    ? task
    : undefined;
}

export function linkLost(step: Step, ordinal: number): void {
  const task = runningTask(step, ordinal);
  if (task && !step.flow.repeats.has(ordinal)) queryOutcome(step, task);
}

export function requery(step: Step, { task: ordinal, attempt, cause }: InputOf<"requery">): void {
  const task = runningTask(step, ordinal, attempt) ?? taskInDoubt(step, ordinal, attempt);
  if (task && !step.flow.repeats.has(ordinal)) queryOutcome(step, task, cause);
}

/**
 * A task that is about to run again while the outcome of its latest attempt is still being queried.
 */
function taskInDoubt({ flow }: Step, ordinal: number, attempt: number): Task | undefined {
  const task = taskAt(flow, ordinal);
  const isDoubtful = task?.open && task.inDoubt !== null && task.attempt === attempt && !flow.due.has(ordinal);
  return isDoubtful ? task : undefined;
}

export function handleOutcomeReply(step: Step, input: InputOf<"outcome-reply">): void {
  const { task: ordinal, attempt, delivery, node, startedAt, reply, cause } = input;
  const inDoubt = taskInDoubt(step, ordinal, attempt);
  if (inDoubt) return settleInDoubt(step, inDoubt, reply, delivery);
  const task = runningTask(step, ordinal, attempt);
  if (!task || step.flow.repeats.has(ordinal)) return;
  // Redelivered or started anew since: the reply is outdated.
  const latest = latestAttempt(task);
  if (latest.deliveries !== delivery || latest.nodeID !== node || latest.startedAt !== startedAt) return;
  if (isOutdatedReply(step.flow, task, reply)) return;
  switch (reply.kind) {
    case "done":
      return settleAttempt(step, task, reply.outcome, delivery);
    case "running":
      return waitForWorker(step, task, cause, reply.quietMs);
    case "never":
      return deliverAgain(step, task, cause);
    case "interrupted":
    case "silent":
      if (task.options.exactlyOnceTaskExecution) return giveUp(step, task, cause);
      return deliverAgain(step, task, cause);
  }
}

function settleInDoubt(step: Step, task: Task, reply: OutcomeReply, delivery: number): void {
  const { ordinal, attempt } = task;
  if (reply.kind === "done" && reply.outcome.kind !== "unknown") {
    const { outcome } = reply;
    const isSuccess = outcome.kind === "answered" && !isReportedFailure(task, outcome);
    if (!isSuccess || !acceptLate(step, task, outcome.response, outcome.delivery ?? delivery)) step.flow.due.add(ordinal);
    return;
  }
  switch (verdict(task, reply)) {
    case "due":
      step.flow.due.add(ordinal);
      return;
    case "requery": {
      const input: Input = { kind: "requery", task: ordinal, attempt };
      return void step.effects.push({ kind: "timer", at: step.now + REQUERY_MS, input });
    }
    case "failed":
      return failAttempt(step, task, { error: unknownOutcome(), permanent: true });
  }
}

/**
 * The worker answers when it is done. In the default mode the attempt's timeout still applies;
 * where nothing may be repeated, only the maxAge does.
 */
function waitForWorker(step: Step, task: Task, cause: TaskError | undefined, quietMs: number | undefined): void {
  const { ordinal, attempt, options } = task;
  if (isTooOld(step.flow, task, step.now)) return giveUp(step, task, cause);
  if (!options.exactlyOnceTaskExecution) setDeadline(step, task, quietMs);
  const input: Input = { kind: "requery", task: ordinal, attempt, ...(cause ? { cause } : {}) };
  step.effects.push({ kind: "timer", at: step.now + REQUERY_MS, input });
}

/** The attempt's timeout counts from the handler's latest heartbeat, as its worker tells. */
function setDeadline({ flow, now, effects }: Step, task: Task, quietMs: number | undefined): void {
  const { ordinal, attempt, options } = task;
  const { startedAt, deliveries: delivery } = latestAttempt(task);
  const before = flow.deadlines.get(ordinal);
  const isSet = before?.attempt === attempt && before.delivery === delivery;
  const at = (quietMs === undefined ? startedAt : now - quietMs) + options.timeout;
  flow.deadlines.set(ordinal, { attempt, delivery, at: isSet ? Math.max(before.at, at) : at });
  if (!isSet) effects.push({ kind: "timer", at, input: { kind: "deadline", task: ordinal, attempt } });
}

/** The attempt times out, unless its deadline was put off. */
export function checkDeadline(step: Step, { task: ordinal, attempt }: InputOf<"deadline">): void {
  const { flow, now, effects } = step;
  const deadline = flow.deadlines.get(ordinal);
  const task = taskAt(flow, ordinal);
  if (!task || deadline?.attempt !== attempt) return;
  if (now < deadline.at) {
    effects.push({ kind: "timer", at: deadline.at, input: { kind: "deadline", task: ordinal, attempt } });
    return;
  }
  flow.deadlines.delete(ordinal);
  const isRunning = task.status === "RUNNING" && task.attempt === attempt;
  if (isRunning && latestAttempt(task).deliveries === deadline.delivery)
    timeOutTask(step, { kind: "timeout", task: ordinal, attempt });
}

/** A heartbeat restarts the timeout of an attempt that an earlier owner sent, too. */
export function prolong({ flow, now }: Step, { task: ordinal, attempt }: InputOf<"heartbeat">): void {
  const deadline = flow.deadlines.get(ordinal);
  const task = taskAt(flow, ordinal);
  if (!task || deadline?.attempt !== attempt) return;
  flow.deadlines.set(ordinal, { ...deadline, at: Math.max(deadline.at, now + task.options.timeout) });
}

function deliverAgain(step: Step, task: Task, cause: TaskError | undefined): void {
  if (latestAttempt(task).deliveries >= MAX_DELIVERIES) giveUp(step, task, cause);
  else step.flow.repeats.add(task.ordinal);
}

/**
 * In the default mode the attempt counts as failed; under exactlyOnceTaskExecution the task ends.
 */
export function giveUp(step: Step, task: Task, cause?: TaskError): void {
  const { deliveries, nodeID } = latestAttempt(task);
  const why = cause?.message ?? `No worker knew it, after ${deliveries} ${deliveries === 1 ? "delivery" : "deliveries"}.`;
  const error = failure(
    "TASK_OUTCOME_UNKNOWN",
    `The outcome of the attempt is unknown; check whether its work was done. ${why}`,
    cause ? { cause } : undefined,
  );
  failAttempt(step, task, {
    error: { ...error, ...(nodeID === null ? {} : { nodeID }) },
    permanent: task.options.exactlyOnceTaskExecution,
  });
}

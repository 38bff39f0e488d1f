/**
 * Attempts of which nothing is heard: the worker is asked before anything is repeated or given up.
 *
 * What it knows counts like an answer. If it is at it, it is waited for. If the attempt has never begun and never will, it is delivered again.
 * If nobody can tell, the default mode delivers it again, and under `exactlyOnceTaskExecution` it ends with `TASK_OUTCOME_UNKNOWN`.
 */
import { isTooOld } from "./max-age.ts";
import { latestAttempt } from "../journal/apply.ts";
import { ask } from "./in-doubt.ts";
import { failure } from "../model/values.ts";
import { unknownOutcome, verdict } from "./in-doubt.ts";
import { type Task, taskAt } from "../model/flow.ts";
import { type TaskError } from "../model/values.ts";
import type { Input, Reply } from "./inputs.ts";
import type { Step } from "./step.ts";
import { failAttempt, isReportedFailure, settle, settleAttempt } from "./task.ts";

type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

/** An attempt is delivered at most this often. */
export const MAX_DELIVERIES = 5;

/** How often a worker that is at it is asked again, should its report be lost. */
export const ASK_AGAIN_MS = 5_000;

function running(step: Step, ordinal: number, attempt?: number): Task | undefined {
  const task = taskAt(step.flow, ordinal);
  return task?.status === "RUNNING" && task.held === null && (attempt === undefined || task.attempt === attempt)
    ? task
    : undefined;
}

export function suspectTask(step: Step, ordinal: number): void {
  const task = running(step, ordinal);
  if (task && !step.flow.repeats.has(ordinal)) ask(step, task);
}

export function askAgain(step: Step, { task: ordinal, attempt, cause }: InputOf<"ask-again">): void {
  const task = running(step, ordinal, attempt) ?? doubtful(step, ordinal, attempt);
  if (task && !step.flow.repeats.has(ordinal)) ask(step, task, cause);
}

/** A task that is to run again, and of whose latest attempt nothing is known yet. */
function doubtful({ flow }: Step, ordinal: number, attempt: number): Task | undefined {
  const task = taskAt(flow, ordinal);
  const isDoubtful = task?.open && task.doubt !== null && task.attempt === attempt && !flow.due.has(ordinal);
  return isDoubtful ? task : undefined;
}

export function heedReply(step: Step, input: InputOf<"asked">): void {
  const { task: ordinal, attempt, delivery, node, startedAt, reply, cause } = input;
  const inDoubt = doubtful(step, ordinal, attempt);
  if (inDoubt) return heedDoubt(step, inDoubt, reply);
  const task = running(step, ordinal, attempt);
  if (!task || step.flow.repeats.has(ordinal)) return;
  // Delivered again meanwhile, or begun anew: the reply is about the past.
  const latest = latestAttempt(task);
  if (latest.deliveries !== delivery || latest.nodeID !== node || latest.startedAt !== startedAt) return;
  switch (reply.kind) {
    case "done":
      return settleAttempt(step, task, reply.outcome);
    case "running":
      return waitForWorker(step, task, cause);
    case "never":
      return deliverAgain(step, task, cause);
    case "interrupted":
    case "silent":
      if (task.options.exactlyOnceTaskExecution) return giveUp(step, task, cause);
      return deliverAgain(step, task, cause);
  }
}

function heedDoubt(step: Step, task: Task, reply: Reply): void {
  const { ordinal, attempt } = task;
  if (reply.kind === "done" && reply.outcome.kind !== "unknown") {
    const { outcome } = reply;
    if (outcome.kind === "answered" && !isReportedFailure(task, outcome))
      settle(step, task, { status: "SUCCESS", response: outcome.response });
    else step.flow.due.add(ordinal);
    return;
  }
  switch (verdict(task, reply)) {
    case "due":
      step.flow.due.add(ordinal);
      return;
    case "ask": {
      const input: Input = { kind: "ask-again", task: ordinal, attempt };
      return void step.effects.push({ kind: "timer", at: step.now + ASK_AGAIN_MS, input });
    }
    case "failed":
      return failAttempt(step, task, { error: unknownOutcome(), permanent: true });
  }
}

/** It reports when it is done. Its attempt's time still counts in the default mode; where nothing may be repeated, only its age does. */
function waitForWorker(step: Step, task: Task, cause: TaskError | undefined): void {
  const { ordinal, attempt, options } = task;
  if (isTooOld(step.flow, task, step.now)) return giveUp(step, task, cause);
  if (!options.exactlyOnceTaskExecution) {
    const at = latestAttempt(task).startedAt + options.timeoutMs;
    step.effects.push({ kind: "timer", at, input: { kind: "timeout", task: ordinal, attempt } });
  }
  const input: Input = { kind: "ask-again", task: ordinal, attempt, ...(cause ? { cause } : {}) };
  step.effects.push({ kind: "timer", at: step.now + ASK_AGAIN_MS, input });
}

function deliverAgain(step: Step, task: Task, cause: TaskError | undefined): void {
  if (latestAttempt(task).deliveries >= MAX_DELIVERIES) giveUp(step, task, cause);
  else step.flow.repeats.add(task.ordinal);
}

/** In the default mode it is a failed attempt like any other; else it must not be repeated. */
function giveUp(step: Step, task: Task, cause: TaskError | undefined): void {
  const { deliveries, nodeID } = latestAttempt(task);
  const why = cause?.message ?? `nobody answered for it, and it was delivered ${deliveries} times.`;
  const error = failure(
    "TASK_OUTCOME_UNKNOWN",
    `Nobody can tell whether the work was done: ${why}`,
    cause ? { cause } : undefined,
  );
  failAttempt(step, task, {
    error: { ...error, ...(nodeID === null ? {} : { nodeID }) },
    permanent: task.options.exactlyOnceTaskExecution,
  });
}

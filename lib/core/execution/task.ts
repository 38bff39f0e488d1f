/** The course of a task: attempts, answers, retries, its end. */
import { isPastAge, isTooOld, watchTaskAge } from "./max-age.ts";
import { type Flow, isFinished, latestAttempt, type Task, taskAt } from "../model/flow.ts";
import { queryOutcome, takeLate } from "./in-doubt.ts";
import { chanceOf, retryDelay } from "./backoff.ts";
import { AWAITING_DECISION, failure, type JsonText, type TaskError } from "../model/values.ts";
import { abandonChildren, nestedFailure } from "./children.ts";
import { goOnUndoing } from "./compensation.ts";
import type { Settled } from "../journal/facts.ts";
import { taskId } from "../model/ids.ts";
import type { Input, Outcome } from "./inputs.ts";
import { afterSettled, stopIfAborted } from "./stage.ts";
import { record, type Step } from "./step.ts";
import { isRevocable, isUnwanted, takeBack, tryLater } from "./turned-away.ts";

type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

/**
 * An answer counts for the running attempt, whichever delivery it belongs to. A late success also
 * counts in the delay after its attempt's timeout.
 */
export function answerTask(step: Step, { task: ordinal, attempt, delivery, outcome }: InputOf<"answer">): void {
  const task = taskAt(step.flow, ordinal);
  if (!task || task.attempt !== attempt || task.attempts.length === 0) return;
  if (task.status === "RUNNING") {
    // Already answered: the task waits for its nested taskflows.
    if (task.pendingResponse !== null) return;
    if (isSuperseded(step.flow, task, delivery) && (outcome.kind === "unknown" || outcome.kind === "not-sent")) return;
    return settleAttempt(step, task, outcome, delivery);
  }
  const isSuccess = outcome.kind === "answered" && !isReportedFailure(task, outcome);
  if (isAwaited(step.flow, task)) {
    if (isSuccess) acceptLate(step, task, outcome.response, answeringDelivery(task, outcome, delivery));
  } else recordLateResponse(step, task, outcome, delivery);
}

/** The delivery whose handler gave an outcome. @param delivery the one that the outcome answers */
function answeringDelivery(task: Task, outcome: Outcome, delivery?: number): number {
  return (outcome.kind === "answered" ? outcome.delivery : undefined) ?? delivery ?? latestAttempt(task).deliveries;
}

/**
 * The task is about to run again, and its latest attempt may have succeeded. Before its stage runs,
 * a late answer is only recorded.
 */
function isAwaited(flow: Flow, { status, error, inDoubt, undoes, open }: Task): boolean {
  if (status !== "WAITING" || (undoes ? !open : isFinished(flow.status))) return false;
  if (inDoubt !== null) return open;
  return error?.type === "TASK_TIMEOUT" || error?.type === "TASK_OUTCOME_UNKNOWN";
}

/**
 * Keeps the answer of an abandoned attempt for a later retry. A failure is news only for a
 * cancelled attempt, whose outcome is otherwise unknown.
 */
function recordLateResponse(step: Step, task: Task, outcome: Outcome, answeredDelivery?: number): void {
  if (!awaitsLate(task)) return;
  const late = {
    kind: "late-response",
    task: task.ordinal,
    delivery: answeringDelivery(task, outcome, answeredDelivery),
  } as const;
  if (outcome.kind === "answered" && !isReportedFailure(task, outcome)) {
    record(step, { ...late, status: "SUCCESS", response: outcome.response });
  } else if (outcome.kind === "failed" && latestAttempt(task).status === "CANCELLED") {
    record(step, { ...late, status: "FAILED", error: outcome.error });
  }
}

/** Whether an answer of that attempt would still count or be recorded. */
export function mayAnswerLate(flow: Flow, ordinal: number, attempt: number): boolean {
  const task = taskAt(flow, ordinal);
  return task?.attempt === attempt && task.attempts.length > 0 && (isAwaited(flow, task) || awaitsLate(task));
}

/** Whether a late answer of the latest attempt would still be recorded. */
export function awaitsLate({ attempts, status }: Task): boolean {
  const latest = attempts.at(-1);
  if (!latest || status === "SUCCESS" || status === "SKIPPED") return false;
  return latest.status === "CANCELLED" || latest.error?.type === "TASK_OUTCOME_UNKNOWN";
}

/** The fate of a delivery no longer matters once a later one is in flight or due. */
function isSuperseded(flow: Flow, task: Task, delivery = latestAttempt(task).deliveries): boolean {
  return delivery < latestAttempt(task).deliveries || flow.repeats.has(task.ordinal);
}

export function isReportedFailure(task: Task, outcome: Extract<Outcome, { kind: "answered" }>): boolean {
  return outcome.reportedFailure && task.options.checkSuccess;
}

/** @param delivery the one that the outcome answers; absent: the latest */
export function settleAttempt(step: Step, task: Task, outcome: Outcome, delivery?: number): void {
  switch (outcome.kind) {
    case "answered": {
      if (!isReportedFailure(task, outcome))
        return answered(step, task, outcome.response, answeringDelivery(task, outcome, delivery));
      const error = failure("TASK_REPORTED_FAILURE", "The handler's answer has success: false.");
      return failAttempt(step, task, { error, permanent: false, response: outcome.response });
    }
    case "failed":
      return failAttempt(step, task, outcome);
    case "unknown":
      return loseAttempt(step, task, outcome.error);
    case "not-sent":
      tryLater(step, task);
      return isUnwanted(step, task) ? giveBack(step, task) : undefined;
  }
}

/** The request of a held task goes back; the task ends if no attempt of it may start any more. */
export function giveBack(step: Step, task: Task): void {
  const isFirst = isRevocable(step.flow, task);
  takeBack(step, task);
  if (isFirst && isTooOld(step.flow, task, step.now)) return expireTask(step, task);
  return stopIfAborted(step, task.stage);
}

export function settle(step: Step, task: Task, fact: Omit<Settled, "kind" | "task">): void {
  const { flow, now } = step;
  if (task.undoes) {
    // A compensating task neither blocks a stage nor needs a decision.
    const { blocks: _blocks, abort: _abort, ...rest } = fact;
    record(step, { kind: "settled", task: task.ordinal, ...rest });
    return goOnUndoing(step);
  }
  const awaits = fact.blocks && !fact.abort && !flow.aborting && task.options.onFailure === "pause" && !isPastAge(flow, now);
  record(step, { kind: "settled", task: task.ordinal, ...fact, ...(awaits ? { awaits } : {}) });
  if (awaits && flow.statusReason !== AWAITING_DECISION)
    record(step, { kind: "flow", status: "PAUSED", reason: AWAITING_DECISION });
  afterSettled(step, task.stage);
}

function succeed(step: Step, task: Task, response: JsonText): void {
  settle(step, task, { status: "SUCCESS", response });
}

/**
 * The handler of a delivery has answered: the task succeeds, unless taskflows that this very
 * handler produced still run. Those of other deliveries count for nothing.
 */
function answered(step: Step, task: Task, response: JsonText, delivery: number): void {
  abandonChildren(step, task, delivery);
  if (task.children.length === 0 || !task.options.waitForNested) return succeed(step, task, response);
  record(step, { kind: "responded", task: task.ordinal, delivery, response });
  settleNested(step, task);
}

/**
 * Takes a success of the latest attempt, after which the task was about to run again. Returns false
 * if the task runs again nevertheless.
 */
export function acceptLate(step: Step, task: Task, response: JsonText, delivery: number): boolean {
  const end = takeLate(step, task, response, delivery);
  if (end === "again") return false;
  if (end !== "awaits") settle(step, task, end);
  return true;
}

/** Once its own answer is in, the task ends with the last of its nested taskflows. */
export function settleNested(step: Step, task: Task): void {
  const { pendingResponse, respondedBy } = task;
  if (pendingResponse === null || respondedBy === null || task.activeChildren > 0) return;
  const error = nestedFailure(task, respondedBy);
  if (!error) return succeed(step, task, pendingResponse);
  failAttempt(step, task, { error, permanent: false, response: pendingResponse });
}

interface Failure {
  readonly error: TaskError;
  readonly permanent: boolean;
  readonly retryAfterMs?: number;
  readonly abort?: "task" | "workflow";
  readonly response?: JsonText;
}

export function failAttempt(step: Step, task: Task, failed: Failure): void {
  const { options, ordinal } = task;
  const { error, response } = failed;
  const kept = response === undefined ? {} : { response };
  const blocks = !options.continueOnTaskFailure && failed.abort !== "task" ? ({ blocks: true } as const) : {};
  if (failed.abort === "workflow") return settle(step, task, { status: "FAILED", error, ...kept, blocks: true, abort: true });
  const isLast = options.maxRetries !== -1 && task.runAttempts > options.maxRetries;
  if (failed.permanent || failed.abort === "task" || isLast || step.flow.aborting) {
    return settle(step, task, { status: "FAILED", error, ...kept, ...blocks });
  }
  if (isTooOld(step.flow, task, step.now))
    return settle(step, task, { status: "FAILED", error: tooOld(task, error), ...kept, ...blocks });
  const retryAt = step.now + delayAfter(step.flow, task, failed.retryAfterMs);
  record(step, { kind: "delayed", task: ordinal, retryAt, error, ...kept });
  step.effects.push({ kind: "timer", at: retryAt, input: { kind: "retry-due", task: ordinal, attempt: task.attempt, retryAt } });
}

/** The wait before the next attempt of a task, if the latest fails. */
export function delayAfter(flow: Flow, task: Task, retryAfterMs?: number): number {
  const chance = task.options.backoff.jitter === 0 ? 0 : chanceOf(taskId(flow.idBase, task.ordinal), task.attempt, 0);
  return retryDelay(task.options, task.runAttempts, chance, retryAfterMs);
}

/** An attempt without a known end: in the default mode it failed, else its outcome is queried. */
function loseAttempt(step: Step, task: Task, error: TaskError): void {
  if (task.options.exactlyOnceTaskExecution) queryOutcome(step, task, error);
  else failAttempt(step, task, { error, permanent: false });
}

export function timeOutTask(step: Step, { task: ordinal, attempt }: InputOf<"timeout">): void {
  const task = taskAt(step.flow, ordinal);
  if (!task || task.status !== "RUNNING" || task.attempt !== attempt || task.pendingResponse !== null) return;
  const { nodeID } = latestAttempt(task);
  loseAttempt(step, task, {
    ...failure("TASK_TIMEOUT", `No answer within ${task.options.timeout} ms.`, { timeout: task.options.timeout }),
    ...(nodeID === null ? {} : { nodeID }),
  });
}

/**
 * A retry delay is over: the task is due. No fact is needed, because `retryAt` is already stored. A
 * timer counts by the monotonic clock, so it is right whatever time it is by the machine's.
 */
export function retryTask(step: Step, { task: ordinal, attempt, retryAt }: InputOf<"retry-due">): void {
  const { flow, now } = step;
  const task = taskAt(flow, ordinal);
  if (!task || task.status !== "WAITING" || task.retryAt === null || !task.open || task.attempt !== attempt || flow.aborting)
    return;
  if (now < task.retryAt && retryAt !== task.retryAt) {
    step.effects.push({ kind: "timer", at: delayEnd(task, now), input: retryDue(task) });
  } else if (isTooOld(flow, task, now)) {
    expireTask(step, task);
  } else {
    flow.due.add(ordinal);
  }
}

export const retryDue = ({ ordinal, attempt, retryAt }: Task): Input => ({
  kind: "retry-due",
  task: ordinal,
  attempt,
  ...(retryAt === null ? {} : { retryAt }),
});

/**
 * When a stored delay ends: at its time, or after the whole delay if the clock was set back
 * since.
 */
export function delayEnd({ attempts, retryAt }: Task, now: number): number {
  const end = retryAt ?? now;
  const begin = attempts.at(-1)?.finishedAt ?? null;
  return begin === null ? end : Math.min(end, now + Math.max(0, end - begin));
}

function tooOld(task: Task, lastError: TaskError | null): TaskError {
  const maxAge = task.options.maxAge ?? null;
  const data = lastError ? { maxAge, lastError } : { maxAge };
  return failure("MAX_AGE_EXCEEDED", "No further attempt may start: the maxAge of the task or of its taskflow is over.", data);
}

/** Past its maxAge a waiting task ends; a running attempt finishes. */
export function ageTask(step: Step, ordinal: number): void {
  const task = taskAt(step.flow, ordinal);
  if (task && isUnwanted(step, task)) return giveBack(step, task);
  if (!task?.open || task.status !== "WAITING" || task.dueSince === null) return;
  if (isTooOld(step.flow, task, step.now)) expireTask(step, task);
  // The clock was set back.
  else watchTaskAge(step, task);
}

/** Ends a waiting task: no attempt of it may start any more. */
export function expireTask(step: Step, task: Task): void {
  failUnstarted(step, task, tooOld(task, task.error));
}

/** Ends a waiting task without another attempt. */
export function failUnstarted(step: Step, task: Task, error: TaskError): void {
  const blocks = task.options.continueOnTaskFailure ? {} : ({ blocks: true } as const);
  const response = task.response === null ? {} : { response: task.response };
  settle(step, task, { status: "FAILED", error, ...response, ...blocks });
}

/**
 * Tasks in doubt: about to run again although their latest attempt may have succeeded unseen,
 * because its outcome was unknown or the task was cancelled while it ran. A success that was
 * recorded late, or that the worker reports, replaces the new attempt.
 */
import { latestAttempt, type Task } from "../model/flow.ts";
import type { Settled } from "../journal/facts.ts";
import { abandonChildren, hasRunning, nestedFailure } from "./children.ts";
import { failure, type JsonText, type TaskError } from "../model/values.ts";
import type { OutcomeReply } from "./inputs.ts";
import { record, type Step } from "./step.ts";

/**
 * Called when the task's stage runs: takes a recorded success, else queries the worker. Does not
 * end the stage.
 */
export function resolveInDoubt(step: Step, task: Task): void {
  const { ordinal, response, respondedBy } = task;
  const { status, deliveries } = latestAttempt(task);
  if (status !== "SUCCESS") return queryOutcome(step, task);
  const end = takeLate(step, task, response ?? ("null" as JsonText), respondedBy ?? deliveries);
  if (end === "again") step.flow.due.add(ordinal);
  else if (end !== "awaits") record(step, { kind: "settled", task: ordinal, ...end });
}

/**
 * Takes a success of the latest attempt, after which the task was about to run again, together
 * with the taskflows of the handler that gave it.
 * @returns how the task ends; "awaits": it waits for these taskflows; "again": they did not
 * succeed, so the task runs again
 */
export function takeLate(
  step: Step,
  task: Task,
  response: JsonText,
  delivery: number,
): Omit<Settled, "kind" | "task"> | "awaits" | "again" {
  const error = nestedFailure(task, delivery);
  if (error && task.inDoubt !== "verify-or-fail") return "again";
  if (error) {
    const blocks = task.options.continueOnTaskFailure ? {} : ({ blocks: true } as const);
    return { status: "FAILED", error, response, ...blocks };
  }
  abandonChildren(step, task, delivery);
  if (!hasRunning(task, delivery)) return { status: "SUCCESS", response };
  record(step, { kind: "revived", task: task.ordinal });
  record(step, { kind: "responded", task: task.ordinal, delivery, response });
  return "awaits";
}

/** How a task in doubt proceeds after a reply without an outcome. */
export function verdict(task: Task, reply: OutcomeReply): "due" | "failed" | "requery" {
  if (reply.kind === "running") return "requery";
  return reply.kind === "never" || task.inDoubt === "verify" ? "due" : "failed";
}

export const unknownOutcome = (): ReturnType<typeof failure> =>
  failure(
    "TASK_OUTCOME_UNKNOWN",
    "The outcome of its latest attempt is unknown. Check whether its work was done; to run it again, retry this task by name.",
  );

/** How long an outcome query waits for a reply: longer if the attempt must not be repeated. */
const PATIENCE_EXACTLY_ONCE_MS = 60_000;
const PATIENCE_MS = 2_000;

/**
 * Queries the outcome of the latest attempt. In a copy, an attempt of the original is answered
 * `silent` at once: a worker asked with the copy's key would reply that it never ran.
 * @param cause why the attempt is in doubt; part of the error if no worker knows the outcome
 */
export function queryOutcome(step: Step, task: Task, cause?: TaskError): void {
  const { attempt, deliveries, nodeID, startedAt, ...latest } = latestAttempt(task);
  step.flow.turnedAway.delete(task.ordinal);
  const patienceMs = task.options.exactlyOnceTaskExecution ? PATIENCE_EXACTLY_ONCE_MS : PATIENCE_MS;
  const query = { task: task.ordinal, attempt, delivery: deliveries, node: nodeID ?? "", startedAt, patienceMs };
  if (startedAt < step.flow.copiedAt) {
    const { patienceMs: _, ...attemptAsked } = query;
    const input = { kind: "outcome-reply", ...attemptAsked, reply: { kind: "silent" }, ...(cause ? { cause } : {}) } as const;
    return void step.effects.push({ kind: "timer", at: step.now, input });
  }
  const at = latest.process === undefined ? {} : { process: latest.process };
  step.effects.push({ kind: "query-outcome", ...query, ...at, ...(cause ? { cause } : {}) });
}

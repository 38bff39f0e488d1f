/**
 * Tasks in doubt: about to run again although their latest attempt may have succeeded unseen,
 * because its outcome was unknown or the task was cancelled while it ran. A success that was
 * recorded late, or that the worker reports, replaces the new attempt.
 */
import { latestAttempt, type Task } from "../model/flow.ts";
import { hasRunning, nestedFailure } from "./children.ts";
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
  const delivery = respondedBy ?? deliveries;
  const error = nestedFailure(task, delivery);
  const kept = response === null ? {} : { response };
  if (error && !task.options.exactlyOnceTaskExecution) return void step.flow.due.add(ordinal);
  if (error) {
    const blocks = task.options.continueOnTaskFailure ? {} : ({ blocks: true } as const);
    record(step, { kind: "settled", task: ordinal, status: "FAILED", error, ...kept, ...blocks });
  } else if (hasRunning(task, delivery)) {
    record(step, { kind: "revived", task: ordinal });
    record(step, { kind: "responded", task: ordinal, delivery, response: response ?? ("null" as JsonText) });
  } else record(step, { kind: "settled", task: ordinal, status: "SUCCESS", ...kept });
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
  const { attempt, deliveries, nodeID, startedAt } = latestAttempt(task);
  step.flow.turnedAway.delete(task.ordinal);
  const patienceMs = task.options.exactlyOnceTaskExecution ? PATIENCE_EXACTLY_ONCE_MS : PATIENCE_MS;
  const query = { task: task.ordinal, attempt, delivery: deliveries, node: nodeID ?? "", startedAt, patienceMs };
  if (startedAt < step.flow.copiedAt) {
    const { patienceMs: _, ...attemptAsked } = query;
    const input = { kind: "outcome-reply", ...attemptAsked, reply: { kind: "silent" }, ...(cause ? { cause } : {}) } as const;
    return void step.effects.push({ kind: "timer", at: step.now, input });
  }
  step.effects.push({ kind: "query-outcome", ...query, ...(cause ? { cause } : {}) });
}

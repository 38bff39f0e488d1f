/**
 * Tasks that are to run again although their latest attempt may have succeeded unseen: its outcome was unknown, or they were cancelled while it
 * ran. A success that was recorded late, or that the worker tells of, is taken instead of a call.
 */
import { latestAttempt, type Task } from "../model/flow.ts";
import { failure, type TaskError } from "../model/values.ts";
import type { OutcomeReply } from "./inputs.ts";
import { record, type Step } from "./step.ts";

/** Its stage was entered: what is recorded counts, else the worker is asked. The stage is not ended here. */
export function resolveInDoubt(step: Step, task: Task): void {
  const { ordinal, response } = task;
  if (latestAttempt(task).status !== "SUCCESS") return queryOutcome(step, task);
  record(step, { kind: "settled", task: ordinal, status: "SUCCESS", ...(response === null ? {} : { response }) });
}

/** What a reply that tells of no outcome makes of a doubtful task: it is due, has failed, or is to be asked about once more. */
export function verdict(task: Task, reply: OutcomeReply): "due" | "failed" | "requery" {
  if (reply.kind === "running") return "requery";
  return reply.kind === "never" || task.inDoubt === "verify" ? "due" : "failed";
}

export const unknownOutcome = (): ReturnType<typeof failure> =>
  failure(
    "TASK_OUTCOME_UNKNOWN",
    "Nobody can tell whether the work of its latest attempt was done. Retry the task itself to run it all the same.",
  );
/** How long somebody is asked who may know, before nobody does: where an attempt must not be repeated, and where it may. */
const PATIENCE_EXACTLY_ONCE_MS = 60_000;
const PATIENCE_MS = 2_000;

/**
 * Has the outcome of the latest attempt asked for. Of one that was another taskflow's, of which this is a copy, no worker can tell: with the copy's key it would
 * say that there never was one.
 * @param cause what made the attempt doubtful; it is told if nobody knows
 */
export function queryOutcome(step: Step, task: Task, cause?: TaskError): void {
  const { attempt, deliveries, nodeID, startedAt } = latestAttempt(task);
  const patienceMs = task.options.exactlyOnceTaskExecution ? PATIENCE_EXACTLY_ONCE_MS : PATIENCE_MS;
  const question = { task: task.ordinal, attempt, delivery: deliveries, node: nodeID ?? "", startedAt, patienceMs };
  if (startedAt < step.flow.copiedAt) {
    const { patienceMs: _, ...asked } = question;
    const input = { kind: "outcome-reply", ...asked, reply: { kind: "silent" }, ...(cause ? { cause } : {}) } as const;
    return void step.effects.push({ kind: "timer", at: step.now, input });
  }
  step.effects.push({ kind: "query-outcome", ...question, ...(cause ? { cause } : {}) });
}

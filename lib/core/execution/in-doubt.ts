/**
 * Tasks that are to run again although their latest attempt may have succeeded unseen: its outcome was unknown, or they were cancelled while it
 * ran. A success that was recorded late, or that the worker tells of, is taken instead of a call.
 */
import { latestAttempt } from "../journal/apply.ts";
import { ask } from "../ask.ts";
import { failure } from "../model/values.ts";
import type { Task } from "../model/flow.ts";
import type { Reply } from "./inputs.ts";
import { record, type Step } from "./step.ts";

/** Its stage was entered: what is recorded counts, else the worker is asked. The stage is not ended here. */
export function clearDoubt(step: Step, task: Task): void {
  const { ordinal, response } = task;
  if (latestAttempt(task).status !== "SUCCESS") return ask(step, task);
  record(step, { kind: "settled", task: ordinal, status: "SUCCESS", ...(response === null ? {} : { response }) });
}

/** What a reply that tells of no outcome makes of a doubtful task: it is due, has failed, or is to be asked about once more. */
export function verdict(task: Task, reply: Reply): "due" | "failed" | "ask" {
  if (reply.kind === "running") return "ask";
  return reply.kind === "never" || task.doubt === "ask" ? "due" : "failed";
}

export const unknownOutcome = (): ReturnType<typeof failure> =>
  failure(
    "TASK_OUTCOME_UNKNOWN",
    "Nobody can tell whether the work of its latest attempt was done. Retry the task itself to run it all the same.",
  );

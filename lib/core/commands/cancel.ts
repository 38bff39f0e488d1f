/** Cancels a taskflow: once the facts are stored, no attempt is sent and no timer has an effect. */
import { isFinished, isSettled, latestAttempt, type Task } from "../model/flow.ts";
import type { CommandResult, CancelCommand } from "../model/command.ts";
import { compensate } from "../execution/compensation.ts";
import { dropAll } from "../execution/children.ts";
import { finishedAlready } from "./pause.ts";
import { record, type Step } from "../execution/step.ts";

export function cancel(step: Step, { reason, compensate: isUndone }: CancelCommand): CommandResult {
  const { flow } = step;
  const { taskflowId } = flow;
  if (flow.status === "CANCELLED") return { ok: true, data: { taskflowId, status: flow.status, alreadyFinished: true } };
  if (isFinished(flow.status)) return finishedAlready(flow, "cancelled");
  for (const stage of flow.stages) {
    if (stage.status !== "RUNNING" && stage.status !== "WAITING") continue;
    for (const task of stage.tasks) if (!isSettled(task.status)) giveUp(step, task);
    record(step, { kind: "stage", stage: stage.index, status: "CANCELLED" });
  }
  dropAll(step, flow.children.values());
  record(step, { kind: "flow", status: "CANCELLED", ...(reason === undefined ? {} : { reason }) });
  if (isUndone) compensate(step);
  return { ok: true, data: { taskflowId, status: flow.status } };
}

/**
 * Settles an unfinished task as CANCELLED and aborts its handler. A late answer is recorded and
 * changes no status.
 */
export function giveUp(step: Step, task: Task): void {
  const { ordinal, attempt, options } = task;
  if (task.status === "RUNNING") {
    const node = latestAttempt(task).nodeID;
    if (node !== null) step.effects.push({ kind: "abort", task: ordinal, attempt, node });
  }
  dropAll(step, task.children);
  const blocks = options.continueOnTaskFailure ? {} : { blocks: true as const };
  // It may be a late success, which a retry will use.
  const kept = task.response === null ? {} : { response: task.response };
  record(step, { kind: "settled", task: ordinal, status: "CANCELLED", ...kept, ...blocks });
}

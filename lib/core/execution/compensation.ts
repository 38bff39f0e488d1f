/**
 * Compensation: undoes the tasks that succeeded, in reverse order of completion, one after another.
 * Each has a compensating task in a stage beside the others (`flow.undo`), so that dispatch,
 * retries, timeouts and outcome queries work as for any task.
 */
import { watchTaskAge } from "./max-age.ts";
import { resolveInDoubt } from "./in-doubt.ts";
import type { Settled } from "../journal/facts.ts";
import { type Flow, isSettled, latestAttempt, nextUndo, type Task } from "../model/flow.ts";
import { record, type Step } from "./step.ts";

/** Starts a compensation, if there is something to undo. */
export function compensate(step: Step): void {
  const { flow } = step;
  const undos = flow.tasks.filter(isToBeUndone).sort((a, b) => b.settledAt - a.settledAt || b.ordinal - a.ordinal);
  if (undos.length === 0) return;
  record(step, { kind: "compensating", tasks: undos.map(({ undo }) => (undo as Task).ordinal) });
  watchNext(step);
}

function isToBeUndone({ status, undo }: Task): boolean {
  return status === "SUCCESS" && undo !== null && undo.status !== "SUCCESS";
}

/** The task succeeded and was undone afterwards. */
export function isUndone({ undo }: Task): boolean {
  return undo?.status === "SUCCESS";
}

/**
 * Whether a failed taskflow compensates: the options of the tasks that blocked it decide, or the
 * taskflow's own if none did (it passed its maxAge).
 */
export function wantsCompensation(flow: Flow): boolean {
  const blocking = flow.stages.flatMap((stage) => (stage.count.blocking > 0 ? stage.tasks.filter((task) => task.blocks) : []));
  if (blocking.length === 0) return flow.options.onFailure === "compensate";
  return blocking.some((task) => task.options.onFailure === "compensate");
}

/** The compensation of the task that has not ended, if there is one. */
export function openUndo({ undo: stage }: Flow, { undo }: Task): Task | undefined {
  return undo && stage.status === "RUNNING" && undo.open && !isSettled(undo.status) ? undo : undefined;
}

type Ending = Pick<Settled, "status" | "reason" | "response">;

/** A person ends a compensation that runs or waits; the others go on. */
export function endUndo(step: Step, undo: Task, ending: Ending): void {
  const { ordinal, attempt } = undo;
  const node = undo.status === "RUNNING" ? latestAttempt(undo).nodeID : null;
  if (node !== null) step.effects.push({ kind: "abort", task: ordinal, attempt, node });
  record(step, { kind: "settled", task: ordinal, ...ending });
  goOnUndoing(step);
}

/** Called after a compensating task was settled. */
export function goOnUndoing(step: Step): void {
  const { undo } = step.flow;
  if (undo.count.open > 0) return watchNext(step);
  record(step, {
    kind: "compensated",
    status: undo.tasks.some(({ status }) => status === "FAILED" || status === "CANCELLED") ? "FAILED" : "COMPLETED",
  });
}

function watchNext(step: Step): void {
  const next = nextUndo(step.flow);
  if (!next) return;
  watchTaskAge(step, next);
  if (next.inDoubt === null) return;
  resolveInDoubt(step, next);
  if (isSettled(next.status)) goOnUndoing(step);
}

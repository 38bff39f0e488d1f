/** Pauses and resumes a taskflow. */
import { type CommandResult, type PauseCommand, refuse, type ResumeCommand } from "../model/command.ts";
import { type Flow, isFinished } from "../model/flow.ts";
import { passOn } from "../execution/children.ts";
import { begin } from "../execution/stage.ts";
import { record, type Step } from "../execution/step.ts";
import { AWAITING_DECISION } from "../model/values.ts";

/** `statusReason` of a taskflow that a person, or its parent's pause, has paused. */
export const PAUSED = "PAUSED";

export function pause(step: Step, { reason, by }: PauseCommand): CommandResult {
  const { flow } = step;
  if (isFinished(flow.status)) return finishedAlready(flow, "paused");
  // Resuming does not begin a taskflow, so it begins before it pauses.
  begin(step);
  // A person's own pause takes precedence over the parent's.
  if (flow.pause === null) {
    record(step, { kind: "paused", pause: { reason: reason ?? null, by: by ?? null } });
    if (flow.awaiting.size === 0) record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
    passOn(step, "pause");
  } else if (by === undefined && flow.pause.by !== null) {
    record(step, { kind: "paused", pause: { reason: reason ?? null, by: null } });
  }
  return pauseResult(flow);
}

export function resume(step: Step, { by }: ResumeCommand): CommandResult {
  const { flow } = step;
  if (isFinished(flow.status)) return finishedAlready(flow, "resumed");
  const { pause: current } = flow;
  if (by !== undefined && current?.by !== by) return pauseResult(flow);
  if (current === null) return notPaused(flow);
  record(step, { kind: "paused", pause: null });
  passOn(step, "resume");
  if (flow.awaiting.size === 0) resumeUnlessPaused(step);
  return pauseResult(flow);
}

/** Nothing awaits a decision any more: RUNNING again, or still PAUSED by a person's pause. */
export function resumeUnlessPaused(step: Step): void {
  const { flow } = step;
  if (flow.pause === null) record(step, { kind: "flow", status: "RUNNING" });
  else record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
}

/** A new run stays PAUSED while a decision is needed or a pause holds. */
export function pauseAgain(step: Step): void {
  const { flow } = step;
  if (flow.awaiting.size > 0) record(step, { kind: "flow", status: "PAUSED", reason: AWAITING_DECISION });
  else if (flow.pause !== null) record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
}

function pauseResult({ taskflowId, status, statusReason }: Flow): CommandResult {
  return { ok: true, data: { taskflowId, status, statusReason } };
}

function notPaused(flow: Flow): CommandResult {
  const { taskflowId, status } = flow;
  const message =
    flow.statusReason === AWAITING_DECISION
      ? `Taskflow "${taskflowId}" cannot be resumed: it waits for a decision about a failed task. Retry, resolve or cancel that task.`
      : `Taskflow "${taskflowId}" must be PAUSED to be resumed, and is ${status}.`;
  return refuse("TASKFLOW_CONFLICT", message, { taskflowId, status });
}

export function finishedAlready({ taskflowId, status }: Flow, verb: string): CommandResult {
  const message = `Taskflow "${taskflowId}" is already ${status} and cannot be ${verb} any more.`;
  return refuse("TASKFLOW_ALREADY_FINISHED", message, { taskflowId, status });
}

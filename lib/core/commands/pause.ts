/** Holding a taskflow, and letting it go on. */
import { type CommandResult, type PauseCommand, refuse, type ResumeCommand } from "../model/command.ts";
import { type Flow, isFinished } from "../model/flow.ts";
import { passOn } from "../execution/children.ts";
import { begin } from "../execution/stage.ts";
import { record, type Step } from "../execution/step.ts";
import { AWAITING_DECISION } from "../model/values.ts";

/** `statusReason` of a taskflow that somebody paused. */
export const PAUSED = "PAUSED";

export function pause(step: Step, { reason, by }: PauseCommand): CommandResult {
  const { flow } = step;
  if (isFinished(flow.status)) return finishedAlready(flow, "paused");
  // Otherwise nothing would begin it when it goes on.
  begin(step);
  // One that somebody paused stays so, whatever becomes of its parent.
  if (flow.pause === null) {
    record(step, { kind: "paused", pause: { reason: reason ?? null, by: by ?? null } });
    if (flow.awaiting.size === 0) record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
    passOn(step, "pause");
  } else if (by === undefined && flow.pause.by !== null) {
    record(step, { kind: "paused", pause: { reason: reason ?? null, by: null } });
  }
  return said(flow);
}

export function resume(step: Step, { by }: ResumeCommand): CommandResult {
  const { flow } = step;
  if (isFinished(flow.status)) return finishedAlready(flow, "resumed");
  const { pause: current } = flow;
  if (by !== undefined && current?.by !== by) return said(flow);
  if (current === null) return notHeld(flow);
  record(step, { kind: "paused", pause: null });
  passOn(step, "resume");
  if (flow.awaiting.size === 0) goOnUnlessHeld(step);
  return said(flow);
}

/** What was waited for is decided: RUNNING again, or PAUSED by whoever paused it meanwhile. */
export function goOnUnlessHeld(step: Step): void {
  const { flow } = step;
  if (flow.pause === null) record(step, { kind: "flow", status: "RUNNING" });
  else record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
}

/** A new run of a taskflow in which somebody is still to decide, or that somebody holds. */
export function pauseAgain(step: Step): void {
  const { flow } = step;
  if (flow.awaiting.size > 0) record(step, { kind: "flow", status: "PAUSED", reason: AWAITING_DECISION });
  else if (flow.pause !== null) record(step, { kind: "flow", status: "PAUSED", reason: PAUSED });
}

function said({ taskflowId, status, statusReason }: Flow): CommandResult {
  return { ok: true, data: { taskflowId, status, statusReason } };
}

function notHeld(flow: Flow): CommandResult {
  const { taskflowId, status } = flow;
  const why =
    flow.statusReason === AWAITING_DECISION
      ? "it waits for a decision about a failed task: retry, resolve or cancel"
      : `it is ${status}, not PAUSED`;
  return refuse("TASKFLOW_CONFLICT", `Taskflow "${taskflowId}" cannot be resumed: ${why}.`, { taskflowId, status });
}

export function finishedAlready({ taskflowId, status }: Flow, verb: string): CommandResult {
  const message = `Taskflow "${taskflowId}" is ${status} already: it cannot be ${verb} any more.`;
  return refuse("TASKFLOW_ALREADY_FINISHED", message, { taskflowId, status });
}

/** Commands for single tasks. */
import { watchAge, watchTaskAge } from "../execution/max-age.ts";
import { giveUp } from "./cancel.ts";
import {
  type CommandResult,
  type CancelTaskCommand,
  refuse,
  type Refusal,
  type ResolveTaskCommand,
  type UpdateTaskCommand,
} from "../model/command.ts";
import { findTask } from "../model/find.ts";
import { type Flow, isFinished, isSettled, type Stage, type Task } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import { finishedAlready, resumeUnlessPaused } from "./pause.ts";
import { endUndo, isUndone, openUndo } from "../execution/compensation.ts";
import { afterSettled, closeStage, endOf, goOn } from "../execution/stage.ts";
import { record, type Step } from "../execution/step.ts";

export function cancelTask(step: Step, command: CancelTaskCommand): CommandResult {
  const { flow } = step;
  const task = findTask(flow, command.task);
  if ("ok" in task) return task;
  const undo = openUndo(flow, task);
  if (undo) {
    endUndo(step, undo, { status: "CANCELLED" });
    return taskResult(flow, task);
  }
  if (isFinished(flow.status)) return finishedAlready(flow, "changed");
  if (isSettled(task.status)) return notActive(flow, task);
  giveUp(step, task);
  refreshStageStatus(step, task.stage);
  afterSettled(step, task.stage);
  return taskResult(flow, task);
}

/** Settles a failed or waiting task by hand; the taskflow continues from there. */
export function resolveTask(step: Step, command: ResolveTaskCommand): CommandResult {
  const { flow } = step;
  const { outcome, response, reason } = command;
  const task = findTask(flow, command.task);
  if ("ok" in task) return task;
  const undo = openUndo(flow, task);
  if (undo) {
    endUndo(step, undo, { status: outcome, reason, ...(response === undefined ? {} : { response }) });
    return taskResult(flow, task);
  }
  if (flow.status === "CANCELLED" || flow.status === "COMPLETED") return finishedAlready(flow, "changed");
  const refusal = undecidable(flow, task);
  if (refusal) return refusal;
  if (task.status === "SUCCESS" || task.status === "SKIPPED") return notActive(flow, task);
  const wasFinished = isFinished(flow.status);
  const wasAwaiting = flow.awaiting.size > 0;
  if (wasFinished) record(step, { kind: "flow", status: "RUNNING", run: true });
  record(step, {
    kind: "settled",
    task: task.ordinal,
    status: outcome,
    reason,
    ...(response === undefined ? {} : { response }),
  });
  refreshStageStatus(step, task.stage);
  if (wasFinished) {
    watchAge(step);
    goOn(step);
  } else {
    if (wasAwaiting && flow.awaiting.size === 0) resumeUnlessPaused(step);
    afterSettled(step, task.stage);
  }
  return taskResult(flow, task);
}

/** Refuses a decision that would conflict with work in flight. */
function undecidable(flow: Flow, task: Task): Refusal | undefined {
  if (task.status === "RUNNING") return runsNow(flow, task);
  if (flow.undo.status !== "RUNNING" && flow.tasks.some(isUndone)) return compensated(flow);
  const why =
    flow.undo.status === "RUNNING"
      ? "is being compensated"
      : flow.aborting && isSettled(task.status)
        ? "was ended by a handler and waits for running attempts"
        : undefined;
  if (why === undefined) return undefined;
  const { taskflowId, status } = flow;
  return refuse("TASKFLOW_NOT_FINISHED", `Taskflow "${taskflowId}" ${why}. Try again when that has ended.`, {
    taskflowId,
    status,
  });
}

/** It would end as if the tasks that were undone stood. */
function compensated({ taskflowId, status }: Flow): Refusal {
  const message = `Taskflow "${taskflowId}" is ${status} and has been compensated: its tasks were undone. Retry it instead.`;
  return refuse("TASKFLOW_ALREADY_FINISHED", message, { taskflowId, status });
}

/** Corrects the status of an ended stage after a change to one of its tasks. */
function refreshStageStatus(step: Step, stage: Stage): void {
  if (stage.status !== "WAITING" && stage.status !== "RUNNING" && stage.status !== endOf(stage)) closeStage(step, stage);
}

/** Replaces params or options for later attempts. */
export function updateTask(step: Step, { task: ref, params, options }: UpdateTaskCommand): CommandResult {
  const { flow } = step;
  const task = findTask(flow, ref);
  if ("ok" in task) return task;
  const undo = openUndo(flow, task);
  if (task.status === "RUNNING" || undo?.status === "RUNNING") return runsNow(flow, task);
  record(step, {
    kind: "updated",
    task: task.ordinal,
    ...(params === undefined ? {} : { params }),
    ...(options === undefined ? {} : { options }),
  });
  if (task.open) watchTaskAge(step, task);
  if (undo) watchTaskAge(step, undo);
  return taskResult(flow, task);
}

function taskResult(flow: Flow, task: Task): CommandResult {
  const { taskflowId, idBase } = flow;
  const ids = { stageId: stageId(idBase, task.stage.index), taskId: taskId(idBase, task.ordinal) };
  return { ok: true, data: { taskflowId, ...ids, taskStatus: task.status, status: flow.status } };
}

function notActive(flow: Flow, task: Task): Refusal {
  const message = `Task "${task.definition.name}" of taskflow "${flow.taskflowId}" is ${task.status} and needs no decision.`;
  return refuse("TASK_NOT_ACTIVE", message, { taskflowId: flow.taskflowId, task: task.definition.name, status: task.status });
}

export function runsNow(flow: Flow, task: Task): Refusal {
  const message = `Task "${task.definition.name}" of taskflow "${flow.taskflowId}" is running. Wait for its answer, or cancel it first.`;
  return refuse("TASK_RUNNING", message, { taskflowId: flow.taskflowId, taskId: taskId(flow.idBase, task.ordinal) });
}

/** What people decide about single tasks. */
import { giveUp } from "./cancel.ts";
import {
  type Answer,
  type CancelTaskCommand,
  refuse,
  type Refusal,
  type ResolveTaskCommand,
  type UpdateTaskCommand,
} from "./command.ts";
import { findTask } from "./find.ts";
import { type Flow, isFinished, isSettled, type Stage, type Task } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";
import { finishedAlready, goOnUnlessHeld } from "./pause.ts";
import { afterSettled, closeStage, endOf, goOn } from "./stage.ts";
import { record, type Step } from "./step.ts";

export function cancelTask(step: Step, command: CancelTaskCommand): Answer {
  const { flow } = step;
  const task = findTask(flow, command.task);
  if ("ok" in task) return task;
  if (isFinished(flow.status)) return finishedAlready(flow, "changed");
  if (isSettled(task.status)) return notActive(flow, task);
  giveUp(step, task);
  afterSettled(step, task.stage);
  return told(flow, task);
}

/** Settles a task that failed or waits, and the taskflow goes on from there. */
export function resolveTask(step: Step, command: ResolveTaskCommand): Answer {
  const { flow } = step;
  const { outcome, response, reason } = command;
  const task = findTask(flow, command.task);
  if ("ok" in task) return task;
  if (flow.status === "CANCELLED" || flow.status === "COMPLETED") return finishedAlready(flow, "changed");
  if (task.status === "RUNNING") return runsNow(flow, task);
  if (task.status === "SUCCESS" || task.status === "SKIPPED") return notActive(flow, task);
  if (flow.undo.status === "RUNNING") return isBeingUndone(flow);
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
  if (wasFinished) {
    restate(step, task.stage);
    goOn(step, 0);
  } else {
    if (wasAwaiting && flow.awaiting.size === 0) goOnUnlessHeld(step);
    afterSettled(step, task.stage);
  }
  return told(flow, task);
}

/** A stage that has ended: with what it is now it may have ended better, and what never ran of it follows. */
function restate(step: Step, stage: Stage): void {
  if (stage.status === "WAITING") return;
  const { settled } = stage.count;
  if (settled < stage.tasks.length) record(step, { kind: "stage", stage: stage.index, status: "WAITING" });
  else if (stage.status !== endOf(stage)) closeStage(step, stage);
}

/** Other params or options for the attempts to come. */
export function updateTask(step: Step, { task: ref, params, options }: UpdateTaskCommand): Answer {
  const { flow } = step;
  const task = findTask(flow, ref);
  if ("ok" in task) return task;
  if (task.status === "RUNNING") return runsNow(flow, task);
  record(step, {
    kind: "updated",
    task: task.ordinal,
    ...(params === undefined ? {} : { params }),
    ...(options === undefined ? {} : { options }),
  });
  return told(flow, task);
}

function isBeingUndone({ taskflowId, status }: Flow): Refusal {
  const message = `Taskflow "${taskflowId}": what succeeded is being undone. Decide once that is over.`;
  return refuse("TASKFLOW_NOT_FINISHED", message, { taskflowId, status });
}

function told(flow: Flow, task: Task): Answer {
  const { taskflowId, idBase } = flow;
  const ids = { stageId: stageId(idBase, task.stage.index), taskId: taskId(idBase, task.ordinal) };
  return { ok: true, data: { taskflowId, ...ids, taskStatus: task.status, status: flow.status } };
}

function notActive(flow: Flow, task: Task): Refusal {
  const message = `Task "${task.definition.name}" of taskflow "${flow.taskflowId}" is ${task.status}: there is nothing to decide about it.`;
  return refuse("TASK_NOT_ACTIVE", message, { taskflowId: flow.taskflowId, task: task.definition.name, status: task.status });
}

export function runsNow(flow: Flow, task: Task): Refusal {
  const message = `Task "${task.definition.name}" of taskflow "${flow.taskflowId}" is running: wait for its answer, or cancel it first.`;
  return refuse("TASK_RUNNING", message, { taskflowId: flow.taskflowId, taskId: taskId(flow.idBase, task.ordinal) });
}

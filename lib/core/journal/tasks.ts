/** Changes to a task that several facts share. */
import { type Flow, nextUndo, type Task, taskAt } from "../model/flow.ts";

export function taskOf(flow: Flow, ordinal: number): Task {
  const task = taskAt(flow, ordinal);
  if (!task) throw new Error(`Taskflow ${flow.taskflowId} has no task ${ordinal}: its journal does not match its definition.`);
  return task;
}

/**
 * Its stage cannot end before the task is settled. A task in doubt is due once its worker has
 * replied.
 */
export function open(flow: Flow, task: Task, at: number): void {
  task.open = true;
  task.stage.count.open++;
  task.dueSince = at;
  if (task.inDoubt === null) flow.due.add(task.ordinal);
}

export function close(task: Task): void {
  if (!task.open) return;
  task.open = false;
  task.stage.count.open--;
}

/** Takes a settled task out of all counts. */
export function unsettle(flow: Flow, task: Task): void {
  const { count } = task.stage;
  if (!task.undoes) flow.settled--;
  count.settled--;
  if (task.status === "SUCCESS") count.success--;
  else if (task.status !== "SKIPPED") count.failed--;
  if (task.blocks) count.blocking--;
  task.blocks = false;
  task.isResolved = false;
  flow.awaiting.delete(task.ordinal);
}

export function dueNextUndo(flow: Flow, at: number): void {
  const next = nextUndo(flow);
  if (!next) return;
  next.dueSince = at;
  if (next.inDoubt === null) flow.due.add(next.ordinal);
}

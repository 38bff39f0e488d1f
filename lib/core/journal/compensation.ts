/** The start of a compensation. */
import { currentDefinition, type Flow, isSettled, type Task } from "../model/flow.ts";
import { fill } from "../model/template.ts";
import type { Compensating } from "./facts.ts";
import { dueNextUndo, taskOf, unsettle } from "./tasks.ts";

/**
 * Opens all compensations and makes the first due. Their params derive from the tasks they undo.
 */
export function startUndo(flow: Flow, { tasks }: Compensating, at: number): void {
  const { undo } = flow;
  undo.status = "RUNNING";
  undo.startedAt = at;
  undo.finishedAt = null;
  flow.undoing = { order: tasks, next: 0 };
  for (const ordinal of tasks) {
    const task = taskOf(flow, ordinal);
    task.inDoubt = inDoubtOfUndo(task);
    if (isSettled(task.status)) unsettle(flow, task);
    task.status = "WAITING";
    task.runAttempts = 0;
    task.open = true;
    undo.count.open++;
    task.definition = { ...task.definition, params: undoParams(task.undoes) };
  }
  dueNextUndo(flow, at);
}

/** An earlier compensation of the same success ended with an unknown outcome. */
function inDoubtOfUndo({ status, error, options }: Task): Task["inDoubt"] {
  if (status !== "FAILED" || error?.type !== "TASK_OUTCOME_UNKNOWN") return null;
  return options.exactlyOnceTaskExecution ? "verify-or-fail" : "verify";
}

function undoParams(task: Task | null): unknown {
  const { params = {}, compensate } = (task && currentDefinition(task)) ?? {};
  const response = JSON.parse(task?.response ?? "null") as unknown;
  return compensate?.params === undefined ? { params, response } : fill(compensate.params, { params, response });
}

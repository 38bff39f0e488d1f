/** How a taskflow goes from stage to stage, and ends. */
import { isPastAge, watchAge, watchTaskAge } from "./age.ts";
import { type Flow, isSettled, type Stage, type TaskError } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";
import { record, type Step } from "./step.ts";

export function begin(step: Step): void {
  const { flow } = step;
  if (flow.status !== "WAITING") return;
  record(step, { kind: "flow", status: "RUNNING" });
  watchAge(step);
  enterStage(step, 0);
}

function enterStage(step: Step, index: number): void {
  const { flow, now } = step;
  const stage = flow.stages[index];
  if (!stage) return finish(step);
  if (isPastAge(flow, now)) return finish(step);
  record(step, { kind: "stage", stage: index, status: "RUNNING" });
  for (const task of stage.tasks) watchTaskAge(step, task);
}

/** Called after a task of the stage was settled. */
export function afterSettled(step: Step, stage: Stage): void {
  if (stage.status !== "RUNNING") return;
  if (stage.count.settled === stage.tasks.length) return endStage(step, stage);
  stopIfAborted(step, stage);
}

/**
 * A taskflow that a handler aborted ends when nothing of it runs any more. What waits for another attempt ends with it; what never ran
 * stays WAITING.
 */
export function stopIfAborted(step: Step, stage: Stage): void {
  if (!step.flow.aborting || stage.status !== "RUNNING" || stage.count.running > 0) return;
  for (const task of stage.tasks) {
    if (task.status !== "WAITING" || task.attempts.length === 0 || !task.error) continue;
    record(step, { kind: "settled", task: task.ordinal, status: "FAILED", error: task.error });
  }
  endStage(step, stage);
}

function endStage(step: Step, stage: Stage): void {
  const { success, failed, settled, blocking } = stage.count;
  const unfinished = stage.tasks.length - settled;
  const status = failed + unfinished === 0 ? "COMPLETED" : success > 0 ? "PARTIAL_COMPLETED" : "FAILED";
  record(step, { kind: "stage", stage: stage.index, status });
  if (blocking > 0 || step.flow.aborting) return finish(step);
  return enterStage(step, stage.index + 1);
}

function finish(step: Step): void {
  const { flow, now } = step;
  const blocked = flow.aborting || flow.stages.some((stage) => stage.count.blocking > 0);
  const failed = flow.stages.reduce((sum, stage) => sum + stage.count.failed, 0);
  const success = flow.stages.reduce((sum, stage) => sum + stage.count.success, 0);
  if (isPastAge(flow, now)) {
    const error = {
      type: "MAX_AGE_EXCEEDED",
      name: "TaskflowError",
      message: `The taskflow is older than its maxAge of ${flow.options.maxAgeMs} ms.`,
    };
    return record(step, { kind: "flow", status: "FAILED", error });
  }
  if (blocked || (failed > 0 && success === 0)) return record(step, { kind: "flow", status: "FAILED", error: failureOf(flow) });
  record(step, { kind: "flow", status: failed > 0 ? "PARTIAL_COMPLETED" : "COMPLETED" });
}

/** The error of the taskflow: that of the first task that stopped it, else of the first that failed, with where it stands. */
function failureOf(flow: Flow): TaskError {
  const isBlocked = flow.stages.some((stage) => stage.count.blocking > 0);
  for (const stage of flow.stages) {
    if (isBlocked && stage.count.blocking === 0) continue;
    for (const task of stage.tasks) {
      if (!isSettled(task.status) || !task.error || (isBlocked && !task.blocks)) continue;
      return {
        type: task.error.type,
        name: task.error.name,
        message: `Task "${task.definition.name}" of stage "${stage.name}" failed: ${task.error.message}`,
        data: { stageId: stageId(flow.idBase, stage.index), taskId: taskId(flow.idBase, task.ordinal) },
      };
    }
  }
  return { type: "TASKFLOW_FAILED", name: "TaskflowError", message: "Nothing of the taskflow succeeded." };
}

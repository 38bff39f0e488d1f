/** Stage transitions, and the end of a taskflow. */
import { isPastAge, watchAge, watchTaskAge } from "./max-age.ts";
import { passOn } from "./children.ts";
import type { ConditionValues, Part, Resolution } from "../model/resolution.ts";
import { failure, type TaskError } from "../model/values.ts";
import { compensate, wantsCompensation } from "./compensation.ts";
import { resolveInDoubt } from "./in-doubt.ts";
import { type Flow, isFinished, isSettled, type Stage } from "../model/flow.ts";
import { stageId, taskId } from "../model/ids.ts";
import { record, type Step } from "./step.ts";
import { takeBackHeld } from "./turned-away.ts";

export function begin(step: Step): void {
  const { flow } = step;
  if (flow.status !== "WAITING") return;
  record(step, { kind: "flow", status: "RUNNING" });
  watchAge(step);
  goOn(step);
}

/**
 * Enters the next stage that has work, or ends the taskflow. After a retry that may be a stage
 * before others that have already run.
 */
export function goOn(step: Step, evaluated?: Evaluated): void {
  const { flow, now } = step;
  let isBlocked = false;
  for (let index = flow.passed; index < flow.stages.length; index++) {
    const stage = flow.stages[index] as Stage;
    if (isToRun(stage, isBlocked)) {
      if (isPastAge(flow, now)) break;
      const condition = conditionOf(step, stage, evaluated);
      if (condition === undefined) return;
      if (condition.kind === "failed") return failStage(step, stage, condition.error);
      if (stage.status !== "WAITING") record(step, { kind: "stage", stage: index, status: "WAITING" });
      if (condition.kind === "skipped") {
        skip(step, stage, condition.values);
        continue;
      }
      enter(step, stage, isBlocked);
      if (stage.count.open > 0) return;
      // Late successes settled all of its tasks.
      closeStage(step, stage);
    }
    if (stage.count.blocking === 0) continue;
    // A failure from an earlier run does not hold back tasks selected for this run.
    if (stage.blockedAt > flow.runSeq) break;
    isBlocked = true;
  }
  if (!isFinished(flow.status)) finish(step, evaluated);
}

/** The values that were computed for the next stage, or for the end. */
interface Evaluated {
  readonly part: Part;
  readonly resolution: Resolution;
}

const HOLDS: Resolution = { kind: "resolved", parts: {} };

/** Whether a stage runs; undefined: that is computed, and `goOn` is called again. */
function conditionOf(step: Step, { when, index }: Stage, evaluated: Evaluated | undefined): Resolution | undefined {
  if (when === undefined) return HOLDS;
  if (evaluated?.part.kind === "stage" && evaluated.part.stage === index) return evaluated.resolution;
  step.effects.push({ kind: "evaluate", part: { kind: "stage", stage: index } });
  return undefined;
}

function skip(step: Step, { index, tasks }: Stage, whenValues: ConditionValues): void {
  for (const task of tasks) if (!isSettled(task.status)) record(step, { kind: "settled", task: task.ordinal, status: "SKIPPED" });
  record(step, { kind: "stage", stage: index, status: "SKIPPED", whenValues });
}

/** A stage that cannot begin ends the taskflow; its tasks stay WAITING. */
function failStage(step: Step, { index }: Stage, error: TaskError): void {
  record(step, { kind: "stage", stage: index, status: "FAILED" });
  fail(step, error);
}

function isToRun({ status, count, tasks }: Stage, isBlocked: boolean): boolean {
  if (isBlocked) return count.selected > 0;
  return status === "WAITING" || count.settled < tasks.length;
}

function enter(step: Step, stage: Stage, onlyChosen: boolean): void {
  record(step, { kind: "stage", stage: stage.index, status: "RUNNING", ...(onlyChosen ? { only: true as const } : {}) });
  for (const task of stage.tasks) {
    if (!task.open) continue;
    watchTaskAge(step, task);
    if (task.inDoubt !== null) resolveInDoubt(step, task);
  }
}

/**
 * Called after a task of the stage was settled: the last open task ends it, unless a decision is
 * needed.
 */
export function afterSettled(step: Step, stage: Stage): void {
  if (stage.status !== "RUNNING") return;
  const { flow, now } = step;
  if (stage.count.open === 0 && (flow.awaiting.size === 0 || isPastAge(flow, now))) return endStage(step, stage);
  stopIfAborted(step, stage);
}

/**
 * Ends an aborted taskflow once none of its attempts runs. Tasks that wait for another attempt fail
 * with their latest error; tasks that never ran stay WAITING.
 */
export function stopIfAborted(step: Step, stage: Stage): void {
  if (!step.flow.aborting || stage.status !== "RUNNING") return;
  takeBackHeld(step, stage.tasks);
  if (stage.count.running > 0) return;
  for (const task of stage.tasks) {
    if (!task.open || task.status !== "WAITING" || task.attempts.length === 0 || !task.error) continue;
    record(step, { kind: "settled", task: task.ordinal, status: "FAILED", error: task.error });
  }
  endStage(step, stage);
}

export function endStage(step: Step, stage: Stage): void {
  closeStage(step, stage);
  if (step.flow.aborting) return finish(step);
  return goOn(step);
}

/** Records how a stage ended, without moving on. */
export function closeStage(step: Step, stage: Stage): void {
  record(step, { kind: "stage", stage: stage.index, status: endOf(stage) });
}

/** The final status that follows from the stage's tasks. */
export function endOf({ count, tasks }: Stage): "COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" {
  const unfinished = tasks.length - count.settled;
  if (count.failed + unfinished === 0) return "COMPLETED";
  return count.success > 0 ? "PARTIAL_COMPLETED" : "FAILED";
}

function finish(step: Step, evaluated?: Evaluated): void {
  const { flow, now } = step;
  // Its end also ends the pause that it passed on to its children.
  if (flow.pause !== null) passOn(step, "resume");
  const blocked = flow.aborting || flow.stages.some((stage) => stage.count.blocking > 0);
  const failed = flow.stages.reduce((sum, stage) => sum + stage.count.failed, 0);
  const success = flow.stages.reduce((sum, stage) => sum + stage.count.success, 0);
  if (isPastAge(flow, now)) {
    const message = `The taskflow has passed its maxAge of ${flow.options.maxAge} ms.`;
    return fail(step, failure("MAX_AGE_EXCEEDED", message));
  }
  if (blocked || (failed > 0 && success === 0)) return fail(step, failureOf(flow));
  const status = failed > 0 ? "PARTIAL_COMPLETED" : "COMPLETED";
  if (flow.definition.output === undefined) record(step, { kind: "flow", status });
  else if (evaluated?.part.kind === "end") finishWith(step, status, evaluated.resolution);
  else step.effects.push({ kind: "evaluate", part: { kind: "end" } });
}

function finishWith(step: Step, status: "COMPLETED" | "PARTIAL_COMPLETED", resolution: Resolution): void {
  if (resolution.kind === "failed") return fail(step, resolution.error);
  const { output = null } = resolution.kind === "resolved" ? resolution.parts : {};
  record(step, { kind: "flow", status, output });
}

function fail(step: Step, error: TaskError): void {
  record(step, { kind: "flow", status: "FAILED", error });
  if (wantsCompensation(step.flow)) compensate(step);
}

/**
 * The error of the first task that stopped the taskflow, else of the first that failed, with their
 * ids.
 */
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
  return failure("TASKFLOW_FAILED", "No task of the taskflow succeeded.");
}

/**
 * Templates and conditions: computed when their part is about to run, once in a run. Plain ones are
 * computed at once; for all others the effect `evaluate` returns with the input `evaluated`.
 */
import { type Flow, isFinished, type Task, taskAt } from "../model/flow.ts";
import type { Resolution } from "../model/resolution.ts";
import type { Input } from "./inputs.ts";
import { goOn } from "./stage.ts";
import { record, type Step } from "./step.ts";
import { failUnstarted, settle } from "./task.ts";

/** Fills in the templates of a task. */
export interface Resolver {
  /** Undefined: the task has neither templates nor a condition. "later": they need `evaluate`. */
  resolve(flow: Flow, task: Task): Resolution | "later" | undefined;
}

/** Returns true if an attempt of the task may begin now. */
export function isResolved(step: Step, resolver: Resolver, task: Task): boolean {
  // Those of a compensation were filled in when it was made.
  if (task.resolved || task.undoes) return true;
  const resolution = resolver.resolve(step.flow, task);
  if (resolution === undefined) return true;
  if (resolution !== "later") return acceptResolution(step, task, resolution);
  step.flow.due.delete(task.ordinal);
  step.effects.push({ kind: "evaluate", part: { kind: "task", task: task.ordinal } });
  return false;
}

/** Returns true if an attempt may begin with the values. */
function acceptResolution(step: Step, task: Task, resolution: Resolution): boolean {
  switch (resolution.kind) {
    case "resolved":
      record(step, { kind: "resolved", task: task.ordinal, ...resolution.parts });
      return true;
    case "skipped":
      settle(step, task, { status: "SKIPPED", whenValues: resolution.values });
      return false;
    case "failed":
      failUnstarted(step, task, resolution.error);
      return false;
  }
}

export function takeEvaluated(step: Step, input: Extract<Input, { kind: "evaluated" }>): void {
  const { flow } = step;
  if (input.part.kind === "task") return takeEvaluatedTask(step, input, input.part.task);
  const isBetweenStages = !flow.stages.some(({ status }) => status === "RUNNING");
  // A retry, or a coordinator that has recovered it, has asked anew.
  if (isFinished(flow.status) || !isBetweenStages || flow.retryAttempt !== input.retryAttempt) return;
  goOn(step, input);
}

function takeEvaluatedTask(step: Step, input: Extract<Input, { kind: "evaluated" }>, ordinal: number): void {
  const { flow } = step;
  const task = taskAt(flow, ordinal);
  if (!task?.open || task.status !== "WAITING" || task.retryAt !== null || flow.aborting) return;
  const isCurrent = task.definition === input.definition && flow.retryAttempt === input.retryAttempt;
  if (!isCurrent || task.resolved || acceptResolution(step, task, input.resolution)) flow.due.add(ordinal);
}

import { latestAttempt } from "./journal/apply.ts";
import type { Task } from "./model/flow.ts";
import type { TaskError } from "./model/values.ts";
import type { Step } from "./execution/step.ts";

/** How long somebody is asked who may know, before nobody does: where an attempt must not be repeated, and where it may. */
const PATIENCE_EXACTLY_ONCE_MS = 60_000;
const PATIENCE_MS = 2_000;

/**
 * Has the outcome of the latest attempt asked for. Of one that was another taskflow's, of which this is a copy, no worker can tell: with the copy's key it would
 * say that there never was one.
 * @param cause what made the attempt doubtful; it is told if nobody knows
 */
export function ask(step: Step, task: Task, cause?: TaskError): void {
  const { attempt, deliveries, nodeID, startedAt } = latestAttempt(task);
  const patienceMs = task.options.exactlyOnceTaskExecution ? PATIENCE_EXACTLY_ONCE_MS : PATIENCE_MS;
  const question = { task: task.ordinal, attempt, delivery: deliveries, node: nodeID ?? "", startedAt, patienceMs };
  if (startedAt < step.flow.copiedAt) {
    const { patienceMs: _, ...asked } = question;
    const input = { kind: "asked", ...asked, reply: { kind: "silent" }, ...(cause ? { cause } : {}) } as const;
    return void step.effects.push({ kind: "timer", at: step.now, input });
  }
  step.effects.push({ kind: "ask", ...question, ...(cause ? { cause } : {}) });
}

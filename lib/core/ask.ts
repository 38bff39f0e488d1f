import { latestAttempt } from "./apply.ts";
import type { Task, TaskError } from "./flow.ts";
import type { Step } from "./step.ts";

/** How long somebody is asked who may know, before nobody does: where an attempt must not be repeated, and where it may. */
const PATIENCE_EXACTLY_ONCE_MS = 60_000;
const PATIENCE_MS = 2_000;

/**
 * Has the outcome of the running attempt asked for.
 * @param cause what made the attempt doubtful; it is told if nobody knows
 */
export function ask(step: Step, task: Task, cause?: TaskError): void {
  const { attempt, deliveries, nodeID, startedAt } = latestAttempt(task);
  const patienceMs = task.options.exactlyOnceTaskExecution ? PATIENCE_EXACTLY_ONCE_MS : PATIENCE_MS;
  const question = { task: task.ordinal, attempt, delivery: deliveries, node: nodeID ?? "", startedAt, patienceMs };
  step.effects.push({ kind: "ask", ...question, ...(cause ? { cause } : {}) });
}

import { watchAge, watchTaskAge } from "./age.ts";
import { latestAttempt } from "./apply.ts";
import { isFinished, type Task } from "./flow.ts";
import { begin } from "./stage.ts";
import { record, type Step } from "./step.ts";
import { loseAttempt } from "./task.ts";

/** An attempt is delivered at most this often. */
export const MAX_DELIVERIES = 5;

/**
 * A coordinator goes on with a taskflow that it has read from the store. What was sent before may be running, done, or never have left:
 * in the default mode it is delivered again under the same attempt and key. What waits gets its timers back.
 */
export function recover(step: Step, fence: number, inFlight?: ReadonlySet<number>): void {
  const { flow } = step;
  if (flow.fence !== fence) record(step, { kind: "owned", fence });
  if (isFinished(flow.status)) return;
  if (flow.status === "WAITING") return begin(step);
  watchAge(step);
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  for (const task of stage?.tasks ?? []) {
    if (isFinished(flow.status)) return;
    if (task.status === "WAITING") recoverWaiting(step, task);
    else if (task.status === "RUNNING" && !inFlight?.has(task.ordinal)) recoverAttempt(step, task);
  }
}

function recoverAttempt(step: Step, task: Task): void {
  const { deliveries, nodeID } = latestAttempt(task);
  const lost = {
    type: "TASK_OUTCOME_UNKNOWN",
    name: "TaskflowError",
    message: `The coordinator was interrupted while the attempt ran, and it was delivered ${deliveries} times.`,
    ...(nodeID === null ? {} : { nodeID }),
  };
  if (task.options.exactlyOnceTaskExecution || deliveries >= MAX_DELIVERIES) loseAttempt(step, task, lost);
  else step.flow.due.add(task.ordinal);
}

function recoverWaiting(step: Step, task: Task): void {
  watchTaskAge(step, task);
  if (task.retryAt === null) {
    step.flow.due.add(task.ordinal);
    return;
  }
  const input = { kind: "retry-due", task: task.ordinal, attempt: task.attempt } as const;
  step.effects.push({ kind: "timer", at: task.retryAt, input });
}

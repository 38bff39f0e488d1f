/** Age budgets (`maxAge`): of a run of the taskflow, and of a task since it could first have run in it. */
import type { Flow, Task } from "../model/flow.ts";
import type { Step } from "./step.ts";

/** When no attempt of it may start any more; null: without limit. */
export function ageLimit(flow: Flow): number | null {
  const { maxAge } = flow.options;
  return maxAge === undefined ? null : flow.runStartedAt + maxAge;
}

export function taskAgeLimit(task: Task): number | null {
  const { maxAge } = task.options;
  return maxAge === undefined || task.dueSince === null ? null : task.dueSince + maxAge;
}

export function isPastAge(flow: Flow, now: number): boolean {
  const limit = ageLimit(flow);
  return limit !== null && now >= limit;
}

/** True if no attempt of the task may start any more: its own age or that of the taskflow is over. */
export function isTooOld(flow: Flow, task: Task, now: number): boolean {
  const limit = taskAgeLimit(task);
  // What is to be undone is undone however old the taskflow is.
  return (task.undoes === null && isPastAge(flow, now)) || (limit !== null && now >= limit);
}

/** Has the taskflow looked at again when its age is over. */
export function watchAge({ flow, effects }: Step): void {
  const at = ageLimit(flow);
  if (at !== null) effects.push({ kind: "timer", at, input: { kind: "age" } });
}

/** The age of a task matters only where it ends before that of its taskflow. */
export function watchTaskAge({ flow, effects }: Step, task: Task): void {
  const at = taskAgeLimit(task);
  const flowLimit = ageLimit(flow);
  if (at === null || (task.undoes === null && flowLimit !== null && flowLimit <= at)) return;
  effects.push({ kind: "timer", at, input: { kind: "age", task: task.ordinal } });
}

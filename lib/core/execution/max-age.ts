/**
 * Age limits (`maxAge`): of a run of the taskflow, and of a task since it became due in that run.
 */
import type { Flow, Task } from "../model/flow.ts";
import type { Step } from "./step.ts";

/** The time from which no attempt may start any more; null: no limit. */
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

/** No attempt of the task may start any more: its own maxAge or that of the taskflow is over. */
export function isTooOld(flow: Flow, task: Task, now: number): boolean {
  const limit = taskAgeLimit(task);
  // The taskflow's maxAge does not stop compensations.
  return (task.undoes === null && isPastAge(flow, now)) || (limit !== null && now >= limit);
}

/** Sets a timer for the end of the taskflow's maxAge. */
export function watchAge({ flow, effects }: Step): void {
  const at = ageLimit(flow);
  if (at !== null) effects.push({ kind: "timer", at, input: { kind: "age" } });
}

/** Sets a timer for the end of a task's maxAge, if it ends before that of the taskflow. */
export function watchTaskAge({ flow, effects }: Step, task: Task): void {
  const at = taskAgeLimit(task);
  const flowLimit = ageLimit(flow);
  if (at === null || (task.undoes === null && flowLimit !== null && flowLimit <= at)) return;
  effects.push({ kind: "timer", at, input: { kind: "age", task: task.ordinal } });
}

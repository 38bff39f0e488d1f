/** When a taskflow next has something to do without a new input. */
import { ageLimit, taskAgeLimit } from "../execution/max-age.ts";
import { delayEnd } from "../execution/task.ts";
import type { Flow, Task } from "../model/flow.ts";

/** It waits for an input. An integer, so that it is stored and compared like any other time. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * 0 if work is in flight or could be done now; else the earliest end of a delay or a maxAge, or
 * `NEVER`. Until that time the taskflow may leave memory: `recover` restores it from its journal.
 */
export function nextDue(flow: Flow, now: number): number {
  if (flow.status === "WAITING") return 0;
  // It sends commands to its children only while it is in memory.
  if (flow.childCount.active + flow.childCount.abandoned > 0) return 0;
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  if (!stage || stage.count.running > 0 || flow.repeats.size > 0) return 0;
  const isPaused = flow.status === "PAUSED";
  if (!isPaused && flow.due.size > 0) return 0;
  let next = ageLimit(flow) ?? NEVER;
  for (const task of stage.tasks) if (task.open) next = Math.min(next, dueOf(task, isPaused, now));
  return next;
}

function dueOf(task: Task, isPaused: boolean, now: number): number {
  // An outcome query is in flight.
  if (task.inDoubt !== null) return 0;
  const limit = taskAgeLimit(task) ?? NEVER;
  return isPaused ? limit : Math.min(limit, task.retryAt === null ? 0 : delayEnd(task, now));
}

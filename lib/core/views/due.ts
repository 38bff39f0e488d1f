/** When something can happen to a taskflow next, if nobody tells it anything. */
import { ageLimit, taskAgeLimit } from "../execution/max-age.ts";
import type { Flow, Task } from "../model/flow.ts";

/** No time at all: it waits for somebody. Still an integer, so that it can be stored and compared like any other. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * 0 where something is under way or could be done now; else the earliest time at which a delay or an age is over, or `NEVER`. Until then all of it is in its
 * journal, and `recover` makes of that what it is in memory.
 */
export function nextDue(flow: Flow): number {
  if (flow.status === "WAITING") return 0;
  // What it has to tell its children it tells while it is in memory.
  if (flow.childCount.active + flow.childCount.abandoned > 0) return 0;
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  if (!stage || stage.count.running > 0 || flow.repeats.size > 0) return 0;
  const isPaused = flow.status === "PAUSED";
  if (!isPaused && flow.due.size > 0) return 0;
  let next = ageLimit(flow) ?? NEVER;
  for (const task of stage.tasks) if (task.open) next = Math.min(next, dueOf(task, isPaused));
  return next;
}

function dueOf(task: Task, isPaused: boolean): number {
  // Its worker is being asked.
  if (task.inDoubt !== null) return 0;
  const limit = taskAgeLimit(task) ?? NEVER;
  return isPaused ? limit : Math.min(limit, task.retryAt ?? 0);
}

/** Compares what a coordinator has in memory with what the journal tells. */
import type { Flow, Stage, Task } from "../../lib/core/model/flow.ts";

const FLOW_FIELDS = [
  "taskflowId",
  "idBase",
  "status",
  "statusReason",
  "createdAt",
  "startedAt",
  "finishedAt",
  "retryAttempt",
  "runStartedAt",
  "seq",
  "fence",
  "settled",
  "aborting",
] as const;
const STAGE_FIELDS = ["status", "startedAt", "finishedAt"] as const;
const TASK_FIELDS = ["status", "attempt", "runAttempts", "attemptsOmitted", "dueSince", "retryAt", "response"] as const;

/**
 * The first difference, as a sentence; undefined if there is none. What is due is no part of the
 * journal.
 */
export function differenceOf(memory: Flow, journal: Flow): string | undefined {
  const own = fields(FLOW_FIELDS, memory, journal, "taskflow") ?? deep(memory.error, journal.error, "error of the taskflow");
  if (own !== undefined) return own;
  for (const [index, stage] of journal.stages.entries()) {
    const found = stageDifference(memory.stages[index] as Stage, stage);
    if (found !== undefined) return found;
  }
  return undefined;
}

function stageDifference(memory: Stage, journal: Stage): string | undefined {
  const own =
    fields(STAGE_FIELDS, memory, journal, journal.name) ?? deep(memory.count, journal.count, `counts of ${journal.name}`);
  if (own !== undefined) return own;
  for (const [index, task] of journal.tasks.entries()) {
    const other = memory.tasks[index] as Task;
    const what = `task ${task.ordinal}`;
    const found =
      fields(TASK_FIELDS, other, task, what) ?? deep(other.error, task.error, `error of ${what}`) ?? attempts(other, task, what);
    if (found !== undefined) return found;
  }
  return undefined;
}

function attempts(memory: Task, journal: Task, what: string): string | undefined {
  return memory.attempts.length === 0 && journal.attempts.length === 0
    ? undefined
    : deep(memory.attempts, journal.attempts, `attempts of ${what}`);
}

function fields<T>(names: readonly (keyof T)[], memory: T, journal: T, what: string): string | undefined {
  for (const name of names) {
    if (memory[name] !== journal[name])
      return `${String(name)} of ${what} is ${String(memory[name])}, by the journal ${String(journal[name])}`;
  }
  return undefined;
}

function deep(memory: unknown, journal: unknown, what: string): string | undefined {
  return isSame(memory, journal) ? undefined : `${what} is ${JSON.stringify(memory)}, by the journal ${JSON.stringify(journal)}`;
}

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => isSame((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]));
}

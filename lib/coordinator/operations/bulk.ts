/** One decision about any number of taskflows: page by page, a few at a time, each for itself. */
import type { CommandResult, Command } from "../../core/model/command.ts";
import { isTaskflowError } from "../../errors/errors.ts";
import type { TaskflowPage, TaskflowQuery } from "../../ports/store.ts";

export type BulkAction = "cancel" | "retry" | "pause" | "resume" | "delete";

/** How far it is. */
export interface BulkProgress {
  /** Taskflows that matched when it began. */
  matched: number;
  done: number;
  /** Nothing was to be done: it has ended before, say. */
  skipped: number;
  /** By the type of the error. */
  failed: Record<string, number>;
}

export interface BulkWork {
  readonly list: (query: TaskflowQuery) => Promise<TaskflowPage>;
  /** Carries it out for one. */
  readonly act: (taskflowId: string) => Promise<CommandResult>;
  /** Told after each page. */
  readonly progress: (progress: Readonly<BulkProgress>) => void;
  /** It is to end early. */
  readonly isOver: () => boolean;
}

const PAGE = 1_000;

/** Taskflows that are decided at the same time. */
const AT_ONCE = 64;

/** What says that there was nothing to do. */
const SKIPPED: Readonly<Record<BulkAction, readonly string[]>> = {
  cancel: ["TASKFLOW_NOT_FOUND", "TASKFLOW_ALREADY_FINISHED"],
  retry: ["TASKFLOW_NOT_FOUND", "TASKFLOW_NOT_RETRYABLE"],
  pause: ["TASKFLOW_NOT_FOUND", "TASKFLOW_ALREADY_FINISHED"],
  // In conflict: it is not paused.
  resume: ["TASKFLOW_NOT_FOUND", "TASKFLOW_ALREADY_FINISHED", "TASKFLOW_CONFLICT"],
  delete: ["TASKFLOW_NOT_FOUND", "TASKFLOW_NOT_FINISHED"],
};

/** The command that the action stands for; none: it is deleted. */
export function commandOf(
  action: BulkAction,
  { reason, mode }: { readonly reason?: string | undefined; readonly mode?: "all" | "failed" | undefined },
): Command | undefined {
  if (action === "delete") return undefined;
  if (action === "retry") return { kind: "retry", ...(mode ? { mode } : {}) };
  return { kind: action, ...(reason === undefined ? {} : { reason }) };
}

/**
 * Acts once on each taskflow that matches and was created before `until`, whatever happens to the
 * others.
 * @throws STORE_UNAVAILABLE if they cannot be listed; actions taken so far stand
 */
export async function runBulk(action: BulkAction, filter: TaskflowQuery, until: number, work: BulkWork): Promise<BulkProgress> {
  const createdBefore = Math.min(filter.createdBefore ?? until, until);
  const query: TaskflowQuery = { ...filter, createdBefore, sort: "createdAt", pageSize: PAGE };
  const progress: BulkProgress = { matched: 0, done: 0, skipped: 0, failed: {} };
  let page = await work.list(query);
  progress.matched = matchesOf(page);
  for (;;) {
    const left = page.rows.values();
    await Promise.all(Array.from({ length: AT_ONCE }, () => decide(action, left, work, progress)));
    work.progress(progress);
    if (page.nextCursor === undefined || work.isOver()) return progress;
    page = await work.list({ ...query, cursor: page.nextCursor });
  }
}

export function matchesOf({ counts }: TaskflowPage): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

async function decide(
  action: BulkAction,
  left: Iterable<{ readonly taskflowId: string }>,
  { act, isOver }: BulkWork,
  progress: BulkProgress,
): Promise<void> {
  for (const { taskflowId } of left) {
    if (isOver()) return;
    const type = await act(taskflowId).then(outcomeOf, errorTypeOf);
    if (type === "done") progress.done++;
    else if (type === "nothing" || SKIPPED[action].includes(type)) progress.skipped++;
    else progress.failed[type] = (progress.failed[type] ?? 0) + 1;
  }
}

function outcomeOf(answer: CommandResult): string {
  if (!answer.ok) return answer.type;
  const { alreadyFinished, retried } = answer.data;
  return alreadyFinished === true || (Array.isArray(retried) && retried.length === 0) ? "nothing" : "done";
}

function errorTypeOf(error: unknown): string {
  if (isTaskflowError(error)) return error.type;
  return error instanceof Error ? error.name : "Error";
}

import type { Entry } from "../../core/journal/facts.ts";
import { type Flow, isFinished, isOver } from "../../core/model/flow.ts";
import { decodeEntry, replay } from "../../core/journal/journal.ts";
import type { Logger } from "../../ports/logger.ts";
import { isTaskflowError, taskflowUnreadable } from "../../errors/errors.ts";
import type { Store, StoredTaskflow, TaskflowRow, Write } from "../../ports/store.ts";
import { storedEntry } from "../../ports/stored-entry.ts";
import { recordOf } from "../../util/record.ts";
import { backoff, sleep } from "../../util/timer.ts";
import type { Ports } from "./ports.ts";
import { projectionOf } from "./projection.ts";
import { FORMAT } from "./settings.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export type ReadJournal = Pick<StoredTaskflow, "row" | "entries" | "revision">;

/** A taskflow as the store tells of it. */
export interface Restored {
  readonly row: TaskflowRow;
  readonly entries: readonly Entry[];
  readonly flow: Flow;
}

/** Facts in a journal since its snapshot. */
export function factsIn(entries: readonly Entry[]): number {
  return entries.reduce((sum, { facts }) => sum + (facts[0]?.kind === "compacted" ? 0 : facts.length), 0);
}

/** @throws TASKFLOW_UNREADABLE for a row that this version cannot go on from */
export function checkReadable({ taskflowId, format, fence }: TaskflowRow): void {
  if (format > FORMAT) throw taskflowUnreadable(taskflowId, `its format ${format} is newer than ${FORMAT}, that of this version`);
  if (!Number.isSafeInteger(fence + 1)) throw taskflowUnreadable(taskflowId, `its fence must be a safe integer, got ${fence}`);
}

/** @throws TASKFLOW_UNREADABLE */
export function rehydrate({ row, entries: texts, revision }: ReadJournal): Restored {
  const { taskflowId } = row;
  checkReadable(row);
  try {
    const entries = texts.map(decodeEntry);
    return { row, entries, flow: replay(entries, revision) };
  } catch (error) {
    throw taskflowUnreadable(taskflowId, messageOf(error));
  }
}

const DAMAGE: ReadonlySet<unknown> = new Set(["RangeError", "SyntaxError", "TypeError"]);

/**
 * The store answers, and its content cannot be used. By name: errors of another realm count too.
 */
export function isDamage(error: unknown): boolean {
  return isTaskflowError(error, "TASKFLOW_UNREADABLE") || DAMAGE.has(recordOf(error)["name"]);
}

/** The error to throw for what came of reading a taskflow. */
export function asUnreadable(taskflowId: string, error: unknown): unknown {
  if (!isDamage(error) || isTaskflowError(error)) return error;
  return taskflowUnreadable(taskflowId, messageOf(error));
}

export function messageOf(error: unknown): string {
  const { message } = recordOf(error);
  return typeof message === "string" ? message : String(error);
}

/** @throws TASKFLOW_UNREADABLE, STORE_UNAVAILABLE */
export async function readStored(store: Pick<Store, "read">, taskflowId: string): Promise<StoredTaskflow | undefined> {
  try {
    return await store.read(taskflowId);
  } catch (error) {
    throw asUnreadable(taskflowId, error);
  }
}

/** The same; undefined, and said to people, if its journal cannot be read. */
export function rehydrateOrLog(stored: ReadJournal, logger: Logger): Restored | undefined {
  try {
    return rehydrate(stored);
  } catch (error) {
    logger.error(`Taskflow ${stored.row.taskflowId} cannot be read from the store and is set aside.`, error);
    return undefined;
  }
}

/**
 * Repairs the row of an ended taskflow: the owner that stored the end may have died or lost the
 * taskflow before it wrote the row. Not before the fence is in the journal: a finished taskflow is
 * looked after by nobody, and a former owner could still store something.
 */
export async function repairProjectionIfFinished(
  { store, logger }: Ports,
  { taskflowId, fence, status }: TaskflowRow,
  flow: Flow,
): Promise<void> {
  if (!isOver(flow) || isFinished(status) || flow.fence !== fence) return;
  await store.repair(taskflowId, fence, projectionOf(flow)).catch((error: unknown) => {
    logger.warn(`The row of taskflow ${taskflowId} could not be written; trying again after the next start.`, error);
  });
}

/**
 * Repairs the row of an unfinished taskflow: an entry whose commit went unanswered may have left it
 * behind, and nothing else may happen for long. True if there was something to write. Callers must
 * await it, so that it cannot race with the write of a later entry.
 */
export async function repairProjectionIfStale({ store, logger }: Ports, row: TaskflowRow, flow: Flow): Promise<boolean> {
  const { taskflowId, fence, status, startedAt, retryAttempt, annotations } = row;
  const projection = projectionOf(flow);
  const isTrue =
    status === projection.status &&
    startedAt === projection.startedAt &&
    retryAttempt === projection.retryAttempt &&
    annotations.length === (projection.annotations ?? []).length;
  if (isOver(flow) || isTrue) return false;
  await store.repair(taskflowId, fence, projection).catch((error: unknown) => {
    logger.warn(
      `The row of taskflow ${taskflowId} could not be written; lists may show an outdated status until it changes.`,
      error,
    );
  });
  return true;
}

const revisionOf = (write: Write): number => (write.kind === "create" ? 1 : write.revision);

export function isStored(stored: StoredTaskflow | undefined, write: Write | undefined): boolean {
  return write !== undefined && stored !== undefined && storedEntry(stored, revisionOf(write)) === write.entry;
}

/** Is the write the last thing that was stored of its taskflow? */
export function isLast(stored: StoredTaskflow, write: Write | undefined): boolean {
  return write !== undefined && isStored(stored, write) && stored.revision === revisionOf(write);
}

/**
 * Reads a taskflow, repeatedly until the store answers. Undefined if it does not exist or has
 * ended.
 */
export async function readPatiently(
  { store, logger, clock }: Ports,
  taskflowId: string,
  isEnded: () => boolean,
): Promise<StoredTaskflow | undefined> {
  const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  while (!isEnded()) {
    try {
      return await store.read(taskflowId);
    } catch (error) {
      if (isDamage(error)) {
        logger.error(`Taskflow ${taskflowId} is damaged in the store and is set aside.`, error);
        return undefined;
      }
      logger.warn(`Taskflow ${taskflowId} cannot be read; trying again.`, error);
      await sleep(pause(), clock);
    }
  }
  return undefined;
}

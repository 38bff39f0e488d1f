import type { Entry } from "../core/facts.ts";
import type { Flow } from "../core/flow.ts";
import { decodeEntry, replay } from "../core/journal.ts";
import type { Logger } from "../ports/logger.ts";
import type { StoredTaskflow, Write } from "../ports/store.ts";
import type { Ports } from "./ports.ts";

/** A taskflow as the store tells of it. */
export interface Restored {
  readonly entries: readonly Entry[];
  readonly flow: Flow;
}

/** @throws Error if its journal cannot be read */
export function restore(stored: StoredTaskflow): Restored {
  const entries = stored.entries.map(decodeEntry);
  return { entries, flow: replay(entries) };
}

/** The same; undefined, and said to people, if its journal cannot be read. */
export function restoreOrTell(stored: StoredTaskflow, logger: Logger): Restored | undefined {
  try {
    return restore(stored);
  } catch (error) {
    logger.error(`Taskflow ${stored.row.taskflowId} cannot be read from the store and is put aside.`, error);
    return undefined;
  }
}

const revisionOf = (write: Write): number => (write.kind === "create" ? 1 : write.revision);

export function isStored(stored: StoredTaskflow | undefined, write: Write | undefined): boolean {
  return write !== undefined && stored?.entries[revisionOf(write) - 1] === write.entry;
}

/** Is the write the last thing that was stored of its taskflow? */
export function isLast(stored: StoredTaskflow, write: Write | undefined): boolean {
  return write !== undefined && isStored(stored, write) && stored.entries.length === revisionOf(write);
}

/** Reads a taskflow, asking until the store answers. Undefined if there is none, or if it is over. */
export async function readPatiently(
  { store, logger, clock }: Ports,
  taskflowId: string,
  isOver: () => boolean,
): Promise<StoredTaskflow | undefined> {
  for (let wait = 50; !isOver(); wait = Math.min(wait * 2, 2_000)) {
    try {
      return await store.read(taskflowId);
    } catch (error) {
      if (error instanceof RangeError) {
        logger.error(`Taskflow ${taskflowId} is damaged in the store and is put aside.`, error);
        return undefined;
      }
      logger.warn(`Taskflow ${taskflowId} cannot be read; trying again.`, error);
      await new Promise<void>((resolve) => void clock.after(wait, resolve));
    }
  }
  return undefined;
}

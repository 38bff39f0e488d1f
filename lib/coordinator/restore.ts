import type { Entry } from "../core/facts.ts";
import type { Flow } from "../core/flow.ts";
import { decodeEntry, replay } from "../core/journal.ts";
import type { Logger } from "../ports/logger.ts";
import type { StoredTaskflow, Write } from "../ports/store.ts";

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

/** Is the write the last thing that was stored of its taskflow? */
export function isStored({ entries }: StoredTaskflow, write: Write | undefined): boolean {
  if (write === undefined) return false;
  const revision = write.kind === "create" ? 1 : write.revision;
  return entries.length === revision && entries[revision - 1] === write.entry;
}

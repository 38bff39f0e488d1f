import type { Flow } from "../core/flow.ts";
import { decodeEntry, replay } from "../core/journal.ts";
import type { StoredTaskflow } from "../ports/store.ts";

/** The taskflow that the store tells of. @throws Error if its journal cannot be read */
export function restore(stored: StoredTaskflow): Flow {
  return replay(stored.entries.map(decodeEntry));
}

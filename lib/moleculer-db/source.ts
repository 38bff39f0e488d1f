import type { TaskflowRow } from "../ports/store.ts";
import type { Filters } from "./filters.ts";

/** The taskflows of a store, to be read beside its coordinators. */
export interface TaskflowSource {
  /** Idempotent. @throws Error with a sentence that says what to do */
  open(): Promise<void>;
  /** Idempotent. It can be opened again. */
  close(): Promise<void>;
  find(filters: Filters): Promise<TaskflowRow[]>;
  /** In any order. */
  withIds(ids: readonly string[]): Promise<TaskflowRow[]>;
  count(filters: Filters): Promise<number>;
}

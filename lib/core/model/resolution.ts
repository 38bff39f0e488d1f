/** How the templates of a task are filled in. */
import type { TaskError } from "./values.ts";

/** The parts of a task's definition that had templates, with their values. */
export interface ResolvedParts {
  readonly params?: unknown;
  readonly taskDetails?: unknown;
}

export type Resolution =
  | { readonly kind: "resolved"; readonly parts: ResolvedParts }
  /** A value cannot be computed; another attempt would not change that. */
  | { readonly kind: "failed"; readonly error: TaskError };

/** How templates and conditions are computed: the results that the engine works with. */
import type { TaskError } from "./values.ts";

/** The part of a taskflow whose templates or condition are computed. */
export type Part =
  | { readonly kind: "task"; readonly task: number }
  | { readonly kind: "stage"; readonly stage: number }
  /** The taskflow's output. */
  | { readonly kind: "end" };

/** Values in place of templates; a part of a definition without templates is absent. */
export interface ResolvedParts {
  readonly params?: unknown;
  readonly taskDetails?: unknown;
  readonly output?: unknown;
}

/** The values of the paths in a condition, by path. */
export type ConditionValues = Readonly<Record<string, unknown>>;

export type Resolution =
  | { readonly kind: "resolved"; readonly parts: ResolvedParts }
  /** The part's `when` is false. */
  | { readonly kind: "skipped"; readonly values: ConditionValues }
  /** A value cannot be computed; another attempt would not change that. */
  | { readonly kind: "failed"; readonly error: TaskError };

import type { TaskStatus } from "../../../schemas/common.schema.ts";
import type { Options } from "../../../schemas/options.ts";
import type { TaskErrorDetails as TaskError } from "../../../schemas/taskflow-details.schema.ts";

export type { JsonText, StageStatus, TaskflowStatus, TaskStatus } from "../../../schemas/common.schema.ts";
export type { TaskErrorDetails as TaskError } from "../../../schemas/taskflow-details.schema.ts";
/** Statuses in the store: QUEUED is derived on reading. */
export type StoredTaskStatus = Exclude<TaskStatus, "QUEUED">;
/** A task as `produce` accepted it. Its type defines `taskDetails`. */
export interface TaskDefinition {
  readonly name: string;
  readonly type: string;
  readonly taskDetails: unknown;
  readonly params?: unknown;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly options?: Options;
  /** An expression; if it is false, the task is SKIPPED. */
  readonly when?: string;
  /** Undoes it: a task of the same type. */
  readonly compensate?: { readonly taskDetails: unknown; readonly params?: unknown };
}
/** A definition as it is stored: validated, in the long form, with its options as written. */
export interface StoredDefinition {
  readonly name?: string;
  readonly options?: Options;
  readonly context?: unknown;
  readonly tags?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly tenant?: string;
  /** Any JSON value with templates: computed when the taskflow ends with success. */
  readonly output?: unknown;
  readonly stages: readonly {
    readonly name: string;
    readonly options?: Options;
    /** An expression; if it is false, the stage is SKIPPED. */
    readonly when?: string;
    readonly tasks: readonly TaskDefinition[];
  }[];
}
/** An error of a task or a taskflow that the engine itself raises. */
export function failure(type: string, message: string, data?: unknown): TaskError {
  return { type, name: "TaskflowError", message, ...(data === undefined ? {} : { data }) };
}
/** `statusReason` of a taskflow that is PAUSED until a person decides about a failed task. */
export const AWAITING_DECISION = "AWAITING_DECISION";

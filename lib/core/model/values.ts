import type { Options } from "../../../schemas/options.ts";

export type TaskflowStatus = "WAITING" | "RUNNING" | "PAUSED" | "COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED";
export type StageStatus = "WAITING" | "RUNNING" | "COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED" | "SKIPPED";
export type TaskStatus = "WAITING" | "QUEUED" | "RUNNING" | "SUCCESS" | "FAILED" | "CANCELLED" | "SKIPPED";
/** What a task can be in the store: QUEUED is worked out when it is read. */
export type StoredTaskStatus = Exclude<TaskStatus, "QUEUED">;
/** The text of a JSON value. Encoded once where a value enters, then shared by the journal, the events and the messages. */
export type JsonText = string & { readonly JsonText: never };
/** What is kept of an error. */
export interface TaskError {
  type: string;
  name: string;
  message: string;
  code?: number | string;
  data?: unknown;
  stack?: string;
  nodeID?: string;
}
/** A task as `produce` took it. What `taskDetails` may be is for its type to say. */
export interface TaskDefinition {
  readonly name: string;
  readonly type: string;
  readonly taskDetails: unknown;
  readonly params?: unknown;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly options?: Options;
  /** What undoes it: a task of the same type. */
  readonly compensate?: { readonly taskDetails: unknown; readonly params?: unknown };
}
/** A definition as it is stored: checked, in the long form. Its options are still those that were written. */
export interface StoredDefinition {
  readonly name?: string;
  readonly options?: Options;
  readonly context?: unknown;
  readonly tags?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly tenant?: string;
  readonly stages: readonly {
    readonly name: string;
    readonly options?: Options;
    readonly tasks: readonly TaskDefinition[];
  }[];
}
/** The error of a task or a taskflow that the engine itself names. */
export function failure(type: string, message: string, data?: unknown): TaskError {
  return { type, name: "TaskflowError", message, ...(data === undefined ? {} : { data }) };
}
/** `statusReason` of a taskflow that is PAUSED until a person has decided about a failed task. */
export const AWAITING_DECISION = "AWAITING_DECISION";

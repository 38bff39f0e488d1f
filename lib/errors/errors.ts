/**
 * Creates and recognises the errors listed in `catalogue.ts`.
 *
 * Over the bus an error keeps name, message, code, type, retryable, data and stack, and loses its
 * class. So errors are recognised by `type` (`isTaskflowError`), never by `instanceof`, and every
 * further property is part of `data`.
 */
import { Errors } from "moleculer";
import { ERRORS, type CatalogueEntry, type TaskflowErrorType } from "./catalogue.ts";
import { recordOf } from "../util/record.ts";

export { ERRORS, type CatalogueEntry, type TaskflowErrorType } from "./catalogue.ts";

/**
 * An error of the catalogue from any source: thrown here, received over the bus, or read from a
 * task's `error`.
 */
export interface TaskflowErrorLike<T extends string = TaskflowErrorType> {
  name: string;
  message: string;
  code: number;
  type: T;
  retryable?: boolean;
  data?: unknown;
  stack?: string;
  nodeID?: string;
}

/** Thrown by actions. Check `type`: the class does not survive the bus. */
export class TaskflowError extends Errors.MoleculerError {
  constructor(type: TaskflowErrorType, message: string, data?: unknown) {
    const entry: CatalogueEntry = ERRORS[type];
    super(message, entry.code, type, data);
    this.retryable = entry.retryable === true;
  }
}

/** An error of the catalogue; `message` is a sentence that names its subject and the remedy. */
export function taskflowError(type: TaskflowErrorType, message: string, data?: unknown): TaskflowError {
  return new TaskflowError(type, message, data);
}

/** The error for a refusal; TASKFLOW_CONFLICT if this version does not know its type. */
export function errorOfRefusal({ type, message, data }: { type: string; message: string; data?: unknown }): TaskflowError {
  return taskflowError(Object.hasOwn(ERRORS, type) ? (type as TaskflowErrorType) : "TASKFLOW_CONFLICT", message, data);
}

export function taskflowNotFound(taskflowId: string): TaskflowError {
  return taskflowError("TASKFLOW_NOT_FOUND", `There is no taskflow "${taskflowId}".`, { taskflowId });
}

/** @param reason completes "cannot be read: …" */
export function taskflowUnreadable(taskflowId: string, reason: string): TaskflowError {
  const message = `Taskflow "${taskflowId}" cannot be read: ${reason}. It can be exported as it is stored, and deleted.`;
  return taskflowError("TASKFLOW_UNREADABLE", message, { taskflowId, reason });
}

/** Thrown by a handler: the task fails without another attempt. The task's error keeps `data`. */
export class PermanentError extends Errors.MoleculerError {
  constructor(message: string, data?: unknown) {
    super(message, ERRORS.PERMANENT_ERROR.code, "PERMANENT_ERROR", data);
  }
}

/**
 * Thrown by a handler: an expected failure, without another attempt. With "task" only the task
 * fails and the taskflow continues; with "workflow" the whole taskflow ends FAILED once its running
 * tasks have answered. The task's error keeps `data`, with `abort` added.
 */
export class ExpectedError extends Errors.MoleculerError {
  constructor(message: string, abort: "task" | "workflow" = "task", data: Readonly<Record<string, unknown>> = {}) {
    super(message, ERRORS.EXPECTED_ERROR.code, "EXPECTED_ERROR", { ...data, abort });
  }
}

/**
 * Whether it is an error of the catalogue (of this `type`): thrown here, received over the bus, or
 * a task's `error`.
 */
export function isTaskflowError<T extends TaskflowErrorType = TaskflowErrorType>(
  err: unknown,
  type?: T,
): err is TaskflowErrorLike<T> {
  const found = recordOf(err)["type"];
  return typeof found === "string" && (type === undefined ? Object.hasOwn(ERRORS, found) : found === type);
}

/**
 * Whether an ExpectedError ends the task or the whole taskflow; undefined for every other error.
 */
export function abortOf(err: unknown): "task" | "workflow" | undefined {
  if (!isTaskflowError(err, "EXPECTED_ERROR")) return undefined;
  const { data } = err;
  return recordOf(data)["abort"] === "workflow" ? "workflow" : "task";
}

/** Client errors that may be temporary. */
const TEMPORARY_CODES: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Whether a later attempt would fail the same way. True for validation errors, client errors 4xx
 * other than 408, 425 and 429, PermanentError and ExpectedError (and classes derived from them). An
 * error with `retryable: true`, such as Moleculer's ServiceNotFoundError (404), is not permanent.
 */
export function isPermanentError(err: unknown): boolean {
  if (isTaskflowError(err, "PERMANENT_ERROR") || isTaskflowError(err, "EXPECTED_ERROR")) return true;
  const { retryable, name, code } = recordOf(err);
  if (retryable === true) return false;
  if (name === "ValidationError") return true;
  return typeof code === "number" && code >= 400 && code < 500 && !TEMPORARY_CODES.has(code);
}

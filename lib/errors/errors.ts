/**
 * The errors of taskflows, made and told apart. What there is stands in `error-catalogue.ts`.
 *
 * Over the bus an error keeps name, message, code, type, retryable, data and stack, and loses its class. So everything here is told by `type`
 * (`isTaskflowError`), never by `instanceof`; what a class knows beyond that stands in `data`.
 */
import { Errors } from "moleculer";
import { ERRORS, type CatalogueEntry, type TaskflowErrorType } from "./catalogue.ts";
import { recordOf } from "../util/record.ts";

export { ERRORS, type CatalogueEntry, type TaskflowErrorType } from "./catalogue.ts";

/** An error of the catalogue as anyone may hold it: thrown here, come over the bus, or read from a task's `error`. */
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

/** What the actions throw. `type` tells which one it is; the class does not survive the bus. */
export class TaskflowError extends Errors.MoleculerError {
  constructor(type: TaskflowErrorType, message: string, data?: unknown) {
    const entry: CatalogueEntry = ERRORS[type];
    super(message, entry.code, type, data);
    this.retryable = entry.retryable === true;
  }
}

/** An error of the catalogue; `message` is a sentence that names what it is about and what to do. */
export function taskflowError(type: TaskflowErrorType, message: string, data?: unknown): TaskflowError {
  return new TaskflowError(type, message, data);
}

/** What is thrown for a refusal, which is data; TASKFLOW_CONFLICT if its type is of a later version. */
export function errorOfRefusal({ type, message, data }: { type: string; message: string; data?: unknown }): TaskflowError {
  return taskflowError(Object.hasOwn(ERRORS, type) ? (type as TaskflowErrorType) : "TASKFLOW_CONFLICT", message, data);
}

export function taskflowNotFound(taskflowId: string): TaskflowError {
  return taskflowError("TASKFLOW_NOT_FOUND", `There is no taskflow "${taskflowId}".`, { taskflowId });
}

/** Thrown by a handler: the task fails without another attempt. `data` is kept on the task's error. */
export class PermanentError extends Errors.MoleculerError {
  constructor(message: string, data?: unknown) {
    super(message, ERRORS.PERMANENT_ERROR.code, "PERMANENT_ERROR", data);
  }
}

/**
 * Thrown by a handler: a failure that was to be expected, without another attempt. With "task" only the task fails and the taskflow goes on;
 * with "workflow" the whole taskflow ends FAILED once what is running has answered. `data` is kept, with `abort` added to it.
 */
export class ExpectedError extends Errors.MoleculerError {
  constructor(message: string, abort: "task" | "workflow" = "task", data: Readonly<Record<string, unknown>> = {}) {
    super(message, ERRORS.EXPECTED_ERROR.code, "EXPECTED_ERROR", { ...data, abort });
  }
}

/** Is it an error of the catalogue (of this `type`)? Also for one that came over the bus, and for a task's `error`. */
export function isTaskflowError<T extends TaskflowErrorType = TaskflowErrorType>(
  err: unknown,
  type?: T,
): err is TaskflowErrorLike<T> {
  const found = recordOf(err)["type"];
  return typeof found === "string" && (type === undefined ? Object.hasOwn(ERRORS, found) : found === type);
}

/** How far an ExpectedError reaches; undefined for every other error. */
export function abortOf(err: unknown): "task" | "workflow" | undefined {
  if (!isTaskflowError(err, "EXPECTED_ERROR")) return undefined;
  const { data } = err;
  return recordOf(data)["abort"] === "workflow" ? "workflow" : "task";
}

/** Client errors that a later attempt may not meet again. */
const TEMPORARY_CODES: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * May a later attempt of the same work not help? True for validation errors, client errors 4xx other than 408, 425, 429, PermanentError and
 * ExpectedError (and classes derived from them). An error that says `retryable: true` of itself, as Moleculer's ServiceNotFoundError (404), is not permanent.
 */
export function isPermanentError(err: unknown): boolean {
  if (isTaskflowError(err, "PERMANENT_ERROR") || isTaskflowError(err, "EXPECTED_ERROR")) return true;
  const { retryable, name, code } = recordOf(err);
  if (retryable === true) return false;
  if (name === "ValidationError") return true;
  return typeof code === "number" && code >= 400 && code < 500 && !TEMPORARY_CODES.has(code);
}

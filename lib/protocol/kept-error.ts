/**
 * The parts of an error that are kept: plain JSON, bounded in length and depth, whatever was
 * thrown.
 */
import type { TaskError } from "../core/model/values.ts";
import { recordOf } from "../util/record.ts";
import { omitted } from "./truncate.ts";

/** Longest texts kept of an error, in characters; data beyond it is replaced by its size. */
const MESSAGE_LIMIT = 8_192;
const STACK_LIMIT = 16_384;
const DATA_LIMIT = 262_144;
const NAME_LIMIT = 256;
/** Levels of `data`; `{ $omitted: true }` stands for the containers below. */
const DATA_DEPTH = 64;
/** Causes that are kept, and characters of each one's message. */
const MAX_CAUSES = 5;
const CAUSE_LIMIT = 4_096;

/** An error as it was thrown: nothing about it is certain. */
export interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
  readonly data?: unknown;
  readonly stack?: unknown;
  readonly nodeID?: unknown;
  readonly retryable?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly causes?: unknown;
}

const FIELDS = ["name", "message", "code", "type", "data", "stack", "nodeID", "retryable", "cause", "errors", "causes"] as const;

/**
 * The readable fields of an error: its getters may throw. A value that is no object is its own
 * message.
 */
export function readable(thrown: unknown): ErrorLike {
  if (typeof thrown !== "object" || thrown === null) return { message: String(thrown) };
  const fields: Record<string, unknown> = {};
  for (const field of FIELDS) {
    try {
      const value = (thrown as ErrorLike)[field];
      if (value !== undefined) fields[field] = value;
    } catch {
      // Left out.
    }
  }
  return fields;
}

export const dataOf = ({ data }: ErrorLike): Readonly<Record<string, unknown>> => recordOf(data);

/** Half of a pair of surrogates at the cut would match other text in a store. */
const cut = (text: string, limit: number): string =>
  (text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} characters)`).toWellFormed();

/** `data` of an error as plain JSON, or the reason why there is none. */
function plainData(data: unknown): unknown {
  try {
    const text = jsonOf(data);
    if (text === undefined) return undefined;
    return text.length <= DATA_LIMIT ? shallow(JSON.parse(text), DATA_DEPTH) : omitted(text.length);
  } catch (error) {
    return { $unreadable: String(error) };
  }
}

/** What is nested thousands deep overflows the stack of JSON.stringify. */
function jsonOf(data: unknown): string | undefined {
  try {
    return JSON.stringify(data);
  } catch (error) {
    if (error instanceof RangeError) return JSON.stringify(shallow(data, DATA_DEPTH));
    throw error;
  }
}

/** Recursive, as deep as the limit at most. */
function shallow(value: unknown, levels: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return { $omitted: true };
  if (Array.isArray(value)) return value.map((each) => shallow(each, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shallow(each, levels - 1)]));
}

const nameOf = ({ name }: ErrorLike): string => (typeof name === "string" ? cut(name, NAME_LIMIT) : "Error");

const typeOf = (error: ErrorLike): string =>
  typeof error.type === "string" && error.type !== "" ? cut(error.type, NAME_LIMIT) : nameOf(error);

function messageOf(error: ErrorLike, thrown: unknown, limit: number): string {
  if (typeof error.message === "string") return cut(error.message, limit);
  if (thrown instanceof Error) return "The handler threw an error that cannot be read.";
  try {
    return cut(`The handler threw ${Array.isArray(thrown) ? "an array" : "an object"}: ${JSON.stringify(thrown)}`, limit);
  } catch {
    return "The handler threw an object that cannot be read.";
  }
}

const codeOf = ({ code }: ErrorLike): { code?: number | string } => {
  if (typeof code === "number") return { code };
  return typeof code === "string" ? { code: cut(code, NAME_LIMIT) } : {};
};

/**
 * The errors below an error: its `cause`, the `errors` of an AggregateError, and those of each.
 * Nearest first.
 */
function causesOf(error: ErrorLike): NonNullable<TaskError["causes"]> {
  const causes: NonNullable<TaskError["causes"]> = [];
  const queue = below(error);
  for (const thrown of queue) {
    if (causes.length === MAX_CAUSES) break;
    const cause = readable(thrown);
    causes.push({ type: typeOf(cause), name: nameOf(cause), message: messageOf(cause, thrown, CAUSE_LIMIT), ...codeOf(cause) });
    queue.push(...below(cause));
  }
  return causes;
}

/** `causes` stands in an error that was kept before. */
function below({ cause, errors, causes }: ErrorLike): unknown[] {
  const lists = [errors, causes].filter((list) => Array.isArray(list)) as unknown[][];
  return [...(cause === undefined || cause === null ? [] : [cause]), ...lists.flatMap((list) => list.slice(0, MAX_CAUSES))];
}

/** Does an error have causes? Moleculer leaves them behind where an error crosses the bus. */
export const hasCauses = (thrown: unknown): boolean => below(readable(thrown)).length > 0;

/** The error of a task, from what was thrown. */
export function toTaskError(thrown: unknown): TaskError {
  const error = readable(thrown);
  const data = error.data === undefined || error.data === null ? undefined : plainData(error.data);
  const causes = causesOf(error);
  return {
    type: typeOf(error),
    name: nameOf(error),
    message: messageOf(error, thrown, MESSAGE_LIMIT),
    ...codeOf(error),
    ...(data === undefined ? {} : { data }),
    ...(causes.length > 0 ? { causes } : {}),
    ...(typeof error.stack === "string" ? { stack: cut(error.stack, STACK_LIMIT) } : {}),
    ...(typeof error.nodeID === "string" ? { nodeID: cut(error.nodeID, NAME_LIMIT) } : {}),
  };
}

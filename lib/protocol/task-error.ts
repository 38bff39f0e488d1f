/** What is kept of an error that a call ended with, and what it says about the work (`docs/delivery.md` has the table). */
import type { TaskError } from "../core/model/values.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import { omitted } from "./truncate.ts";
import { abortOf, isPermanentError } from "../errors/errors.ts";

/** Longest texts kept of an error, in characters; data beyond it is replaced by its size. */
const MESSAGE_LIMIT = 8_192;
const STACK_LIMIT = 16_384;
const DATA_LIMIT = 262_144;

/** Turned away before any handler ran, or never sent: told by Moleculer's own node, so without a `nodeID` on the error. */
const NEVER_SENT: ReadonlySet<string> = new Set(["BrokerDisconnectedError", "RequestSkippedError", "QueueIsFullError"]);
const NO_SERVICE: ReadonlySet<string> = new Set(["ServiceNotFoundError", "ServiceNotAvailableError"]);
/** A worker with the mixin began nothing. */
const TURNED_AWAY: ReadonlySet<unknown> = new Set(["TASKFLOW_FENCED", "TASK_LEDGER_UNAVAILABLE"]);
const TOO_LARGE: ReadonlySet<unknown> = new Set(["MAX_PAYLOAD_EXCEEDED", "PAYLOAD_TOO_LARGE"]);

interface ErrorLike {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  type?: unknown;
  data?: unknown;
  stack?: unknown;
  nodeID?: unknown;
}

const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} characters)`;

/** `data` of an error as plain JSON, or what can be said of it. */
function plainData(data: unknown): unknown {
  try {
    const text = JSON.stringify(data);
    if (text === undefined) return undefined;
    return text.length <= DATA_LIMIT ? (JSON.parse(text) as unknown) : omitted(text.length);
  } catch (error) {
    return { $unreadable: String(error) };
  }
}

export function toTaskError(thrown: unknown): TaskError {
  const error: ErrorLike = typeof thrown === "object" && thrown !== null ? thrown : { message: String(thrown) };
  const name = typeof error.name === "string" ? cut(error.name, 256) : "Error";
  const data = error.data === undefined || error.data === null ? undefined : plainData(error.data);
  return {
    type: typeof error.type === "string" && error.type !== "" ? cut(error.type, 256) : name,
    name,
    message: cut(typeof error.message === "string" ? error.message : "", MESSAGE_LIMIT),
    ...(typeof error.code === "number" ? { code: error.code } : {}),
    ...(typeof error.code === "string" ? { code: cut(error.code, 256) } : {}),
    ...(data === undefined ? {} : { data }),
    ...(typeof error.stack === "string" ? { stack: cut(error.stack, STACK_LIMIT) } : {}),
    ...(typeof error.nodeID === "string" ? { nodeID: cut(error.nodeID, 256) } : {}),
  };
}

/** `data.retryAfter` of an error: seconds, or an HTTP date. */
function retryAfterMs(error: ErrorLike, now: number): number | undefined {
  const { data } = error;
  const value = typeof data === "object" && data !== null && "retryAfter" in data ? data.retryAfter : undefined;
  if (typeof value === "number" && Number.isFinite(value)) return Math.max(0, value * 1000);
  if (typeof value !== "string") return undefined;
  if (/^\d+(\.\d+)?$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * @param action the action that was called
 * @param isLocal the handler runs in this process: then no error carries a `nodeID`, and nothing is lost on the way
 */
export function classifyError(thrown: unknown, action: string, isLocal: boolean, now: number): Outcome {
  const error: ErrorLike = typeof thrown === "object" && thrown !== null ? thrown : {};
  const { name, data, nodeID } = error;
  const isOurs = typeof data === "object" && data !== null && "action" in data && data.action === action;
  const isRemote = typeof nodeID === "string";
  if (typeof name === "string") {
    if (NO_SERVICE.has(name) && (isOurs || (!isRemote && !isLocal))) return { kind: "not-sent" };
    if (NEVER_SENT.has(name) && (isRemote || isLocal ? isOurs && name === "QueueIsFullError" : true)) return { kind: "not-sent" };
    if (name === "RequestRejectedError" && !isRemote && isOurs) {
      const message = "The node that ran the attempt is gone.";
      return { kind: "unknown", error: { ...toTaskError(thrown), type: "WORKER_LOST", message } };
    }
    if (name === "RequestTimeoutError" && isOurs)
      return { kind: "unknown", error: { ...toTaskError(thrown), type: "TASK_TIMEOUT" } };
  }
  if (isOurs && TURNED_AWAY.has(error.type)) return { kind: "not-sent" };
  if (isOurs && error.type === "TASK_OUTCOME_UNKNOWN") return { kind: "unknown", error: toTaskError(thrown) };
  if (TOO_LARGE.has(error.type) || TOO_LARGE.has(error.code)) {
    const what = isRemote
      ? "The work was done, but its answer does not fit into a message"
      : "The task does not fit into a message";
    const message = `${what} of the bus (max_payload): ${String(error.message)}`;
    return { kind: "failed", error: { ...toTaskError(thrown), type: "PAYLOAD_TOO_LARGE", message }, permanent: true };
  }
  // The work was done; doing it again gives the same answer.
  if (error.type === "RESPONSE_NOT_SERIALIZABLE") return { kind: "failed", error: toTaskError(thrown), permanent: true };
  const abort = abortOf(thrown);
  const retryAfter = retryAfterMs(error, now);
  return {
    kind: "failed",
    error: toTaskError(thrown),
    permanent: isPermanentError(thrown),
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
    ...(abort === undefined ? {} : { abort }),
  };
}

/** Did the worker refuse a delivery because a coordinator was told before that it never began? It says nothing of the attempt. */
export function isRefusedDelivery(thrown: unknown, action: string): boolean {
  const { type, data }: ErrorLike = typeof thrown === "object" && thrown !== null ? thrown : {};
  const isOurs = typeof data === "object" && data !== null && "action" in data && data.action === action;
  return isOurs && type === "TASK_DELIVERY_REFUSED";
}

/**
 * The meaning of a failed request: the bus's word about it, or the error of its handler
 * (`docs/delivery.md` has the table).
 */
import type { Outcome } from "../core/execution/inputs.ts";
import { abortOf, isPermanentError } from "../errors/errors.ts";
import { MAX_DURATION_MS } from "../util/duration.ts";
import { dataOf, type ErrorLike, readable, toTaskError } from "./kept-error.ts";

const NO_SERVICE: ReadonlySet<unknown> = new Set(["ServiceNotFoundError", "ServiceNotAvailableError"]);
/** Raised by the caller's own node before anything is sent. */
const NEVER_SENT: ReadonlySet<unknown> = new Set(["BrokerDisconnectedError", "RequestSkippedError", "QueueIsFullError"]);
/** From a worker with the mixin: the handler did not run. */
const TURNED_AWAY: ReadonlySet<unknown> = new Set(["TASKFLOW_FENCED", "TASK_LEDGER_UNAVAILABLE"]);
const TURNED_AWAY_OR_UNKNOWN: ReadonlySet<unknown> = new Set([...TURNED_AWAY, "TASK_OUTCOME_UNKNOWN", "TASK_DELIVERY_REFUSED"]);

/**
 * Numbers from here on are times, not delays in seconds: epoch seconds, then epoch milliseconds.
 */
const EPOCH_SECONDS = 1_000_000_000;
const EPOCH_MILLISECONDS = 100_000_000_000;

/**
 * `data.retryAfter` of an error: seconds, an HTTP or ISO date, or an epoch time. At most 10
 * years.
 */
function retryAfterMs(error: ErrorLike, now: number): number | undefined {
  const value = dataOf(error)["retryAfter"];
  const isNumeric = typeof value === "number" || (typeof value === "string" && /^\d+(\.\d+)?$/.test(value.trim()));
  const number = isNumeric ? Number(value) : Number.NaN;
  const delay = isNumeric ? delayOf(number, now) : typeof value === "string" ? Date.parse(value) - now : Number.NaN;
  return Number.isNaN(delay) ? undefined : Math.min(Math.max(0, delay), MAX_DURATION_MS);
}

function delayOf(value: number, now: number): number {
  if (value >= EPOCH_MILLISECONDS) return value - now;
  return value >= EPOCH_SECONDS ? value * 1_000 - now : value * 1_000;
}

/**
 * A request as its caller knows it: an error is the bus's word only if it names this very request.
 */
export interface Request {
  readonly action: string;
  /** The node that it was sent to. */
  readonly node: string;
  /** The node that sent it. */
  readonly caller: string;
  /** Of the attempt, if it is a task's. */
  readonly key?: string;
  /**
   * For a call within the caller's own process: whether its handler has begun. Then no error has a
   * `nodeID`, and nothing is lost on the way. Absent: the call went to another process.
   */
  readonly hasBegun?: boolean;
}

/**
 * The bus's word about a failed request; undefined: its handler ran and threw the error. A
 * handler's inner call can fail with the same errors, even for the same action. Moleculer names the
 * node that an error is about: a node without the service names itself, while a full queue or a
 * timeout at the worker names the caller. The worker mixin names the attempt.
 */
function wordOfTheBus(thrown: unknown, error: ErrorLike, request: Request): Outcome | undefined {
  const { name, type } = error;
  const data = dataOf(error);
  if (TURNED_AWAY_OR_UNKNOWN.has(type)) {
    if (request.key === undefined || data["key"] !== request.key) return undefined;
    return TURNED_AWAY.has(type) ? { kind: "not-sent" } : { kind: "unknown", error: toTaskError(thrown) };
  }
  const isOf = (node: string): boolean => data["action"] === request.action && data["nodeID"] === node;
  const timedOut = (): Outcome => ({ kind: "unknown", error: { ...toTaskError(thrown), type: "TASK_TIMEOUT" } });
  if (request.hasBegun !== undefined) {
    if (request.hasBegun) return undefined;
    if (NO_SERVICE.has(name) || name === "QueueIsFullError") return { kind: "not-sent" };
    return name === "RequestTimeoutError" ? timedOut() : undefined;
  }
  if (typeof error.nodeID === "string") {
    if (NO_SERVICE.has(name) && isOf(request.node)) return { kind: "not-sent" };
    if (name === "QueueIsFullError" && isOf(request.caller)) return { kind: "not-sent" };
    return name === "RequestTimeoutError" && isOf(request.caller) ? timedOut() : undefined;
  }
  if (NO_SERVICE.has(name) || NEVER_SENT.has(name)) return { kind: "not-sent" };
  if (name === "RequestTimeoutError") return timedOut();
  if (name !== "RequestRejectedError") return undefined;
  const message = "The node that ran the attempt is gone.";
  return { kind: "unknown", error: { ...toTaskError(thrown), type: "WORKER_LOST", message } };
}

/**
 * Whether a handler's error could be taken for the bus's word about its own request. A worker with
 * the mixin then has the coordinator fetch the outcome from its ledger.
 */
export function resemblesWordOfTheBus(thrown: unknown, action: string): boolean {
  const error = readable(thrown);
  const { name } = error;
  const isOfTheBus = NO_SERVICE.has(name) || NEVER_SENT.has(name) || name === "RequestTimeoutError";
  return isOfTheBus && dataOf(error)["action"] === action;
}

/** How a request that failed ended. */
export function classifyError(thrown: unknown, request: Request, now: number): Outcome {
  const error = readable(thrown);
  const word = wordOfTheBus(thrown, error, request);
  if (word) return word;
  if (error.code === "MAX_PAYLOAD_EXCEEDED" || error.type === "MAX_PAYLOAD_EXCEEDED") {
    const isRemote = typeof error.nodeID === "string";
    const subject = isRemote
      ? "The worker's answer, or a message that its handler sent, does not fit into a message"
      : "The task does not fit into a message";
    const message = `${subject} of the bus (max_payload): ${String(error.message)}`;
    return { kind: "failed", error: { ...toTaskError(thrown), type: "PAYLOAD_TOO_LARGE", message }, permanent: true };
  }
  return failedOutcome(thrown, now);
}

/** The outcome of a handler that threw. */
export function failedOutcome(thrown: unknown, now: number): Extract<Outcome, { kind: "failed" }> {
  const error = readable(thrown);
  const abort = abortOf(error);
  const retryAfter = retryAfterMs(error, now);
  return {
    kind: "failed",
    error: toTaskError(thrown),
    // The work was done; doing it again gives the same answer.
    permanent: error.type === "RESPONSE_NOT_SERIALIZABLE" || isPermanentError(error),
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
    ...(abort === undefined ? {} : { abort }),
  };
}

/**
 * Whether the worker rejected this delivery because it had answered `never` for it, which says
 * nothing about the attempt.
 */
export function isRefusedDelivery(thrown: unknown, key: string): boolean {
  const error = readable(thrown);
  return error.type === "TASK_DELIVERY_REFUSED" && dataOf(error)["key"] === key;
}

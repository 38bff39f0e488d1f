/**
 * The outcome of an attempt as plain JSON: stored in the ledger and sent in answer to a query. It
 * holds the same as the answer of the call itself, so a coordinator reads both alike. It also
 * guards the worker's process: Moleculer ends it for an error or a meta that does not fit into a
 * message or is not JSON.
 */
import { Errors } from "moleculer";
import type { TaskError } from "../core/model/values.ts";
import { readable, toTaskError } from "../protocol/kept-error.ts";
import { payloadTooLarge } from "../adapters/nats/packets.ts";
import { taskflowError } from "../errors/errors.ts";
import { LONGEST_OUTCOME } from "../protocol/large-outcome.ts";
import { dataText } from "../util/no-data.ts";
import { recordOf } from "../util/record.ts";

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly type: string;
  readonly code?: number | string;
  readonly data?: unknown;
  readonly causes?: TaskError["causes"];
  readonly stack: string;
  readonly retryable: boolean;
  readonly nodeID: string;
}

/** `delivery`: the one whose handler ran. */
export type WireOutcome =
  | { readonly ok: true; readonly delivery: number; readonly response: unknown }
  | { readonly ok: false; readonly delivery: number; readonly error: WireError };

/**
 * An outcome with its text, and the value or error for the caller of the action: the handler's own
 * if it can be sent.
 */
export interface AttemptResult {
  readonly text: string;
  /** The delivery whose handler ran. */
  readonly delivery: number;
  readonly deliver: { readonly value: unknown } | { readonly error: Error };
}

const SHORT_MESSAGE = 1_000;

/** The run of a handler: its node, its delivery, and the bytes that an error may take. */
export interface HandlerRun {
  readonly nodeID: string;
  readonly delivery: number;
  readonly maxBytes: number;
}

/** A response may be larger than a message: the coordinator fetches it then. */
export function endedWell(value: unknown, run: HandlerRun): AttemptResult {
  const { delivery } = run;
  let text: string;
  try {
    text = `{"ok":true,"delivery":${delivery},"response":${dataText(value)}}`;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `The work was done, but its answer is not JSON: ${why}`;
    return endedBadly(taskflowError("RESPONSE_NOT_SERIALIZABLE", message), run);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= LONGEST_OUTCOME) return { text, delivery, deliver: { value } };
  return endedBadly(
    payloadTooLarge("The work was done. Its answer", bytes, LONGEST_OUTCOME, { outcome: { success: true } }),
    run,
  );
}

export function endedBadly(thrown: unknown, { nodeID, delivery, maxBytes }: HandlerRun): AttemptResult {
  const limit = Math.min(maxBytes, LONGEST_OUTCOME);
  let error: WireError;
  let whole: Error | undefined;
  try {
    error = wireErrorOf(thrown, nodeID, limit);
    if (thrown instanceof Error && isSame(thrown, error)) whole = thrown;
  } catch {
    // Reading it throws.
    error = wireErrorOf(new Error("The handler threw an error that cannot be read."), nodeID, limit);
  }
  const text = JSON.stringify({ ok: false, delivery, error } satisfies WireOutcome);
  return { text, delivery, deliver: { error: whole ?? revive(error) } };
}

function wireErrorOf(thrown: unknown, nodeID: string, limit: number): WireError {
  const given = readable(thrown);
  const known = toTaskError(thrown);
  const error: WireError = {
    ...known,
    // The fields of an error that the engine reads have to stay when the rest of its data goes.
    ...(isCut(known.data) ? { data: { ...recordOf(known.data), ...wordsToTheEngine(given.data) } } : {}),
    stack: known.stack ?? `${known.name}: ${known.message}`,
    retryable: given.retryable === true,
    nodeID: known.nodeID ?? nodeID,
  };
  if (Buffer.byteLength(JSON.stringify(error)) <= limit) return error;
  const message = error.message.slice(0, SHORT_MESSAGE);
  return { ...error, message, stack: `${error.name}: ${message}`, data: { $omitted: true, ...wordsToTheEngine(given.data) } };
}

function wordsToTheEngine(data: unknown): object {
  const { abort, retryAfter } = recordOf(data);
  const isShort = typeof retryAfter === "number" || (typeof retryAfter === "string" && retryAfter.length <= 64);
  return { ...(abort === "task" || abort === "workflow" ? { abort } : {}), ...(isShort ? { retryAfter } : {}) };
}

/** Whether it replaces data that is too large, or not JSON. */
function isCut(data: unknown): boolean {
  const { $omitted, $unreadable } = recordOf(data);
  return $omitted !== undefined || $unreadable !== undefined;
}

/**
 * Whether the thrown error is as complete as the wire can carry it, so that it can be sent as it
 * is.
 */
function isSame(thrown: Error, { name, message, type, code, stack, data }: WireError): boolean {
  const given = readable(thrown);
  return (
    given.name === name &&
    given.message === message &&
    given.stack === stack &&
    (given.type === undefined || given.type === null || given.type === type) &&
    (given.code === undefined || given.code === null || given.code === code) &&
    !isCut(data)
  );
}

/** An error to be thrown again. */
export function revive({ name, message, type, code, data, causes, stack, retryable, nodeID }: WireError): Error {
  const error: Error = new Errors.MoleculerError(message, 500, type, data);
  return Object.assign(error, { name, code, retryable, nodeID, stack, ...(causes ? { causes } : {}) });
}

/** A stored outcome in the form that a caller gets. */
export function revived(text: string): AttemptResult {
  const outcome = JSON.parse(text) as WireOutcome;
  return {
    text,
    delivery: outcome.delivery,
    deliver: outcome.ok ? { value: outcome.response } : { error: revive(outcome.error) },
  };
}

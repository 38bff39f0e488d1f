/**
 * NATS message headers, written and read as bytes. nats.js builds, validates and joins a map of
 * headers for each message, and parses it at the other end, which costs more than the rest of the
 * message. `client.publish` only calls `encode()` of its argument, so one encoded string is enough;
 * and the receiver needs a single header, which a byte search finds.
 */
import type { Msg, MsgHdrs } from "nats";
import { loadPeer } from "../system/peer-package.ts";
import { WIRE_PROTOCOL } from "../../protocol/names.ts";
import type { WireHeaders } from "../../protocol/wire-context.ts";

export const CONTEXT_HEADER = "Taskflow-Execution-Context";

const LINE_END = "\r\n";
const FIRST_LINE = "NATS/1.0\r\n";
const CONTEXT_START = Buffer.from(`${LINE_END}${CONTEXT_HEADER}:`);
const CARRIAGE_RETURN = 13;
const NOT_PRINTABLE = /[^\x20-\x7e]/;

/**
 * JSON text that is safe in a header: the same value without line ends, in ASCII only (other
 * characters as `\uXXXX`). Line ends in JSON text can only be white space between tokens: those
 * inside strings are escaped already.
 */
export function toHeaderJson(text: string): string {
  let safe = text;
  // UTF-8 is as long as the text exactly when all of it is ASCII; this check is native and much
  // faster than a RegExp.
  if (Buffer.byteLength(safe) !== safe.length) {
    safe = safe.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  return safe.includes("\n") || safe.includes("\r") ? safe.replace(/[\r\n]/g, " ") : safe;
}

/**
 * The header block of one message.
 *
 * @param context JSON text of the execution context; undefined if it travels in the payload.
 * @param headers the small headers; undefined if there are none.
 * @throws RangeError for a value with control or non-ASCII characters: it could end the header
 * and begin another one.
 */
export function encodeHeaders(context: string | undefined, headers: WireHeaders | undefined): Buffer {
  return Buffer.from(headerBlock(context, headers), "latin1");
}

/** The same block before it is encoded: ASCII only. */
export function headerBlock(context: string | undefined, headers: WireHeaders | undefined): string {
  let block = FIRST_LINE;
  if (context !== undefined) block += `${CONTEXT_HEADER}: ${toHeaderJson(context)}\r\n`;
  if (headers !== undefined) {
    const { taskflowId, stageId, taskId, attempt, delivery, fence, idempotencyKey, traceparent } = headers;
    checkPrintable(taskflowId, stageId, taskId, idempotencyKey, traceparent ?? "");
    block +=
      `Taskflow-Id: ${taskflowId}\r\nTaskflow-Stage-Id: ${stageId}\r\nTaskflow-Task-Id: ${taskId}\r\n` +
      `Taskflow-Attempt: ${attempt}\r\nTaskflow-Delivery: ${delivery}\r\nTaskflow-Fence: ${fence}\r\n` +
      `Taskflow-Protocol: ${WIRE_PROTOCOL}\r\nTaskflow-Idempotency-Key: ${idempotencyKey}\r\n`;
    if (traceparent !== undefined) block += `traceparent: ${traceparent}\r\n`;
  }
  return block + LINE_END;
}

function checkPrintable(...values: string[]): void {
  if (!values.some((each) => NOT_PRINTABLE.test(each))) return;
  const value = values.find((each) => NOT_PRINTABLE.test(each));
  throw new RangeError(`${JSON.stringify(value)} cannot travel in a NATS header: only printable ASCII characters can`);
}

/** A block of headers in the client's form. */
export function decodeHeaders(block: Uint8Array): MsgHdrs {
  const headers = loadPeer("nats", "NatsTransporter").headers();
  for (const line of asBuffer(block).toString("latin1").split(LINE_END).slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

/**
 * The fields of a message received by nats.js (msg.js): the bytes of headers and payload, and the
 * length of the headers, or -1.
 */
interface ReceivedMessage {
  readonly _msg?: { readonly hdr?: number };
  readonly _rdata?: Uint8Array;
}

/**
 * The JSON text of the execution context in a message's headers, not parsed; undefined if it has
 * none.
 * @param isKnown the client's private parts may be used
 */
export function readContextHeader(message: Msg, isKnown: boolean): string | undefined {
  const { _msg, _rdata } = isKnown ? (message as unknown as ReceivedMessage) : {};
  const length = _msg?.hdr;
  if (length === undefined || _rdata === undefined) return message.headers?.get(CONTEXT_HEADER) || undefined;
  return length > 0 ? findContext(asBuffer(_rdata).subarray(0, length)) : undefined;
}

function findContext(block: Buffer): string | undefined {
  const found = block.indexOf(CONTEXT_START);
  if (found < 0) return undefined;
  const start = found + CONTEXT_START.length;
  const end = block.indexOf(CARRIAGE_RETURN, start);
  return block.toString("utf8", start, end < 0 ? block.length : end);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

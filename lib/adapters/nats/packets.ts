/** The parts of Moleculer's packets that the NATS transporter changes on their way out. */
import { Errors, Serializers } from "moleculer";
import { CONTEXT_KEY } from "../../protocol/names.ts";

type Meta = Record<string, unknown>;

/** The fields of a packet that the transporter uses. */
export interface WirePacket {
  readonly type: string;
  readonly target?: string | null;
  readonly payload: WirePayload;
}

export interface WirePayload {
  id?: string;
  action?: string;
  /** 1: no other call made this one. */
  level?: number;
  meta?: Meta | null;
  success?: boolean;
  data?: unknown;
  /** In Moleculer's form. */
  error?: { name?: string; message?: string; code?: string | number; type?: string };
  stream?: unknown;
  seq?: number;
}

/** Packet types of Moleculer's protocol. */
export const REQUEST = "REQ";
export const RESPONSE = "RES";

/**
 * A copy of a meta without the execution context; objects of handlers and callers are never
 * changed.
 */
export function withoutContext(meta: Meta): Meta {
  const { [CONTEXT_KEY]: _context, ...rest } = meta;
  return rest;
}

/**
 * Runs `write` while the payload has another meta. The payload is Moleculer's own object and
 * `write` ends before anybody else sees it: cheaper than a copy of the payload for each message.
 */
export function withMeta<T>(payload: WirePayload, meta: Meta | undefined, write: () => T): T {
  const original = payload.meta;
  (payload as { meta: Meta | null | undefined }).meta = meta;
  try {
    return write();
  } finally {
    (payload as { meta: Meta | null | undefined }).meta = original;
  }
}

/**
 * Whether payloads are plain JSON text, so that JSON text may be put into them. A serializer that
 * overrides it is not.
 */
export function writesPlainJson(serializer: { serialize: unknown } | undefined): boolean {
  return serializer?.serialize === Serializers.JSON.prototype.serialize;
}

/**
 * The payload as JSON with ready-made text as the execution context of its meta, without parsing
 * that text.
 */
export function spliceContext(payload: WirePayload, meta: Meta, context: string): string {
  const rest = JSON.stringify(meta);
  const outer = withMeta(payload, undefined, () => JSON.stringify(payload));
  const innerTail = rest === "{}" ? "}" : `,${rest.slice(1)}`;
  const outerTail = outer === "{}" ? "}" : `,${outer.slice(1)}`;
  return `{"meta":{"${CONTEXT_KEY}":${context}${innerTail}${outerTail}`;
}

const CONTEXT_FIRST = `","meta":{"${CONTEXT_KEY}":`;
const ID_FIRST = '{"id":"';
/** Longer ids are not searched for. */
const LONGEST_HEAD = 160;
const COMMA = 44;
const CLOSING_BRACE = 125;

/**
 * A response's JSON without the execution context, which stands first in its meta; the same bytes
 * where nothing was cut. The rest is a response only if the context still had the length that it
 * was sent with: behind a cut inside it braces are left over, and one behind it takes `success`
 * away.
 *
 * @param lengthOf bytes of the context that was sent with the request of this id; 0 if it is not
 * known
 */
export function skipContext(data: Buffer, lengthOf: (id: string) => number): Buffer {
  const head = data.toString("latin1", 0, LONGEST_HEAD);
  const found = head.startsWith(ID_FIRST) ? head.indexOf(CONTEXT_FIRST) : -1;
  if (found < 0) return data;
  const length = lengthOf(head.slice(ID_FIRST.length, found));
  const start = found + CONTEXT_FIRST.length;
  const end = data[start + length];
  if (length === 0 || (end !== COMMA && end !== CLOSING_BRACE)) return data;
  const inMeta = start - CONTEXT_KEY.length - 3;
  return Buffer.concat([data.subarray(0, inMeta), data.subarray(start + length + (end === COMMA ? 1 : 0))]);
}

export function isResponse(packet: object | null): boolean {
  return packet !== null && "payload" in packet && typeof (packet.payload as WirePayload | null)?.success === "boolean";
}

/** A message over the server's `max_payload`. `bytes` counts headers and payload. */
export function payloadTooLarge(what: string, bytes: number, limit: number, details: object = {}): Error {
  const message = `${what} takes ${bytes} bytes, more than the ${limit} of a NATS message (max_payload). Send less, or raise max_payload of the NATS server.`;
  return new Errors.MoleculerClientError(message, 413, "PAYLOAD_TOO_LARGE", { bytes, limit, ...details });
}

export function isPayloadTooLarge(error: unknown): error is Error & { data: { bytes: number; limit: number } } {
  return error instanceof Errors.MoleculerClientError && error.type === "PAYLOAD_TOO_LARGE";
}

const SUMMARY_LENGTH = 500;

/**
 * A summary of an outcome that could not be sent: whether the action succeeded, and its error in
 * short.
 */
export function outcomeOf({ success, error }: WirePayload): object {
  if (error === undefined) return { success };
  const cut = (value: unknown): unknown => (typeof value === "string" ? value.slice(0, SUMMARY_LENGTH) : value);
  return { success, error: { name: cut(error.name), message: cut(error.message), type: cut(error.type), code: cut(error.code) } };
}

/**
 * A small failure in place of a response that cannot be sent, so that the caller gets an answer.
 * The meta is omitted: it may be the cause.
 */
export function refusal(payload: WirePayload, error: unknown, nodeID: string): WirePayload {
  const known = toMoleculerError(error);
  const { name, message, code, type } = known;
  const data: unknown = known.data;
  const refused = {
    ...(payload.id !== undefined && { id: payload.id }),
    meta: {},
    success: false,
    data: null,
    error: { name, message, code, type, data, retryable: false, nodeID },
  };
  // Ends a stream that has begun; without these fields the caller would take it for an answer to a
  // settled call.
  return payload.seq === undefined ? refused : { ...refused, stream: false, seq: payload.seq };
}

function toMoleculerError(error: unknown): Errors.MoleculerError {
  if (error instanceof Errors.MoleculerError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new Errors.MoleculerError(`The response cannot be sent: ${reason}`, 500, "RESPONSE_NOT_SERIALIZABLE");
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

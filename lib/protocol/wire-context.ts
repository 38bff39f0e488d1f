/**
 * The execution context of a task on its way to the worker, as ready-made JSON text.
 *
 * The coordinator has the parts of a context as text already, because responses and params are
 * stored that way. It passes a `WireContext` as `opts.meta.taskflowExecutionContext` of
 * `broker.call`; the project's transporter sends the text as it is, without parsing it and writing
 * it again. Any other transporter or serializer calls `toJSON` and works too.
 *
 * Only messages go through a transporter. An action of the coordinator's own process receives the
 * meta object itself: pass it `.value` instead of the instance.
 */

import { CONTEXT_KEY } from "./names.ts";
import { recordOf } from "../util/record.ts";

/**
 * Fields with small headers of their own, for workers in other languages and for people who read
 * the wire.
 */
export interface WireHeaders {
  readonly taskflowId: string;
  readonly stageId: string;
  readonly taskId: string;
  /** From 0. */
  readonly attempt: number;
  /** 1 at first, one more with each repetition of the same attempt. */
  readonly delivery: number;
  readonly fence: number;
  /** `taskflowId:taskId:attempt`. */
  readonly idempotencyKey: string;
  /** W3C trace context. */
  readonly traceparent?: string;
}

export class WireContext {
  readonly headers: WireHeaders;
  /** Undefined once it was let go of. */
  #text: string | undefined;
  readonly #isSentOnce: boolean;
  #value: unknown;
  #sentBytes = 0;

  /**
   * @param text a JSON object. It is trusted: text that is not JSON reaches the worker as an
   * invalid packet, which is dropped
   * @param isSentOnce the text is released once it was sent. Otherwise it lives as long as the
   * call; the texts of running calls were a third of what the garbage collector copied
   */
  constructor(text: string, headers: WireHeaders, isSentOnce = false) {
    this.#text = text;
    this.headers = headers;
    this.#isSentOnce = isSentOnce;
  }

  /** @throws Error once it was let go of: a call is not sent twice */
  get text(): string {
    if (this.#text === undefined) throw new Error("An execution context must not be sent twice: create a new one for each call.");
    return this.#text;
  }

  /** Bytes of the text that was sent in a payload; 0 if it was not. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /**
   * @param isAscii whether the payload that it came in has as many bytes as characters; undefined
   * if it did not come in a payload
   */
  wasSent(isAscii: boolean | undefined): void {
    if (isAscii !== undefined) this.#sentBytes = isAscii ? this.text.length : Buffer.byteLength(this.text);
    if (this.#isSentOnce) this.#text = undefined;
  }

  /**
   * The context as an object, parsed when first read, and the same object each time. Undefined once
   * it was released.
   */
  get value(): unknown {
    this.#value ??= this.toJSON();
    return this.#value;
  }

  /**
   * For `JSON.stringify` and Moleculer's serializers: a fresh copy of the context, so that `value`
   * is never shared by accident.
   */
  toJSON(): unknown {
    return this.#text === undefined ? undefined : JSON.parse(this.#text);
  }
}

/**
 * The execution context in a `ctx.meta`, from the wire or still a `WireContext`; undefined if there
 * is none.
 */
export function readExecutionContext(meta: unknown): object | undefined {
  const found = recordOf(meta)[CONTEXT_KEY];
  const context = found instanceof WireContext ? found.value : found;
  return typeof context === "object" && context !== null ? context : undefined;
}

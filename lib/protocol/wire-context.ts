/**
 * The execution context of a task on its way to the worker, as ready-made JSON text.
 *
 * The coordinator has the parts of a context as text already (responses and params are stored that way). It puts a
 * `WireContext` at `opts.meta.taskflowExecutionContext` of `broker.call`, and the project's transporter sends the text as it
 * is, without parsing it and writing it again. Any other transporter or serializer calls `toJSON` and works too.
 *
 * Only messages go through a transporter. An action of the coordinator's own process gets the meta object itself: give it
 * `.value` instead of the instance.
 */

import { CONTEXT_KEY } from "./names.ts";
import { recordOf } from "../util/record.ts";

/** What travels in small headers of its own, for workers in other languages and for people who look at the wire. */
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
   * @param text a JSON object. It is trusted: text that is not JSON reaches the worker as an invalid packet, which is dropped.
   * @param isSentOnce its text is let go of when it was sent. Otherwise it lives as long as the call does; texts of calls that are under way were a third of what
   * the garbage collector copied
   */
  constructor(text: string, headers: WireHeaders, isSentOnce = false) {
    this.#text = text;
    this.headers = headers;
    this.#isSentOnce = isSentOnce;
  }

  /** @throws Error once it was let go of: a call is not sent twice */
  get text(): string {
    if (this.#text === undefined)
      throw new Error("An execution context that was sent cannot be sent again: make a new one for each call.");
    return this.#text;
  }

  /** Bytes of the text that was sent in a payload; 0 if it was not. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** @param isAscii the payload that it was sent in has as many bytes as characters; undefined if it was not sent in a payload */
  wasSent(isAscii: boolean | undefined): void {
    if (isAscii !== undefined) this.#sentBytes = isAscii ? this.text.length : Buffer.byteLength(this.text);
    if (this.#isSentOnce) this.#text = undefined;
  }

  /** The context as an object, parsed when first read; the same object each time. Undefined once it was let go of. */
  get value(): unknown {
    this.#value ??= this.toJSON();
    return this.#value;
  }

  /** For `JSON.stringify` and the serializers of Moleculer: a fresh copy of the context, so that nobody shares `value` unknowingly. */
  toJSON(): unknown {
    return this.#text === undefined ? undefined : JSON.parse(this.#text);
  }
}

/** The execution context in a `ctx.meta`, whether it came over the wire or is still a `WireContext`; undefined if there is none. */
export function readExecutionContext(meta: unknown): object | undefined {
  const found = recordOf(meta)[CONTEXT_KEY];
  const context = found instanceof WireContext ? found.value : found;
  return typeof context === "object" && context !== null ? context : undefined;
}

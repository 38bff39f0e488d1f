/**
 * Makes a Moleculer action of a catalogue entry and its handler: checks the params, wraps the
 * answer.
 */
import type { Context, Service } from "moleculer";
import { MESSAGE_FRAME } from "../../lib/protocol/chunks.ts";
import { CONTEXT_KEY } from "../../lib/protocol/names.ts";
import { bytesOf } from "../../lib/protocol/truncate.ts";
import type { Reader } from "../../lib/coordinator/queries/queries.ts";
import { readParams, type ReadParams, validationError } from "../../lib/validation/index.ts";
import { type ActionAnswers, type ActionName, ACTIONS } from "../../schemas/actions/index.ts";
import { type Engine, engineOf } from "./engine.ts";

/** A call as its handler sees it. */
export class Call {
  readonly service: Service;
  readonly ctx: Context;
  readonly #engine: Engine;

  constructor(engine: Engine, service: Service, ctx: Context) {
    this.#engine = engine;
    this.service = service;
    this.ctx = ctx;
  }

  /** How long the caller waits for the answer, in ms. */
  get timeoutMs(): number {
    return this.ctx.options.timeout || Infinity;
  }

  /** Aborted when the caller's node leaves; undefined for a caller on this node. */
  get gone(): AbortSignal | undefined {
    return this.#engine.callers.signalOf(this.ctx.nodeID);
  }

  /** Who gets the answer. Moleculer sends the caller's meta back with it. */
  get reader(): Reader {
    const { broker } = this.service;
    const isLocal = (this.ctx.nodeID ?? broker.nodeID) === broker.nodeID;
    const { [CONTEXT_KEY]: _, ...meta } = this.ctx.meta as Record<string, unknown>;
    return { isLocal, maxBytes: isLocal ? Infinity : this.#engine.bus.maxMessageBytes - MESSAGE_FRAME - bytesOf(meta) };
  }
}

/** Answers the `data` of the action. */
export type Handler<A extends ActionName> = (
  engine: Engine,
  params: ReadParams<A>,
  call: Call,
) => ActionAnswers[A] | Promise<ActionAnswers[A]>;

/** As Moleculer takes it, named so that the declarations of the service can name it. */
export interface MoleculerAction {
  handler: (this: Service, ctx: Context) => Promise<unknown>;
}

export function moleculerAction<A extends ActionName>(name: A, handler: Handler<A>): MoleculerAction {
  return {
    async handler(ctx) {
      const engine = engineOf(this);
      const params = readParams(name, ctx.params, engine.limits);
      try {
        return { success: true, data: await handler(engine, params, new Call(engine, this, ctx)) };
      } catch (error) {
        if (!(error instanceof RangeError) || !takesCursor(name)) throw error;
        throw validationError(`The params of taskflow.${name} are not valid`, [
          { path: "/cursor", message: error.message, keyword: "format" },
        ]);
      }
    },
  };
}

/** A cursor that no page gave is the caller's mistake, which shows when it is read. */
function takesCursor(name: ActionName): boolean {
  const { params } = ACTIONS[name];
  return "properties" in params && "cursor" in params.properties;
}

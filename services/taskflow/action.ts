/** How every action of the service is made: its params checked, its answer wrapped and made to fit. */
import type { Context, Service } from "moleculer";
import { MESSAGE_FRAME } from "../../lib/protocol/chunks.ts";
import { CONTEXT_KEY } from "../../lib/protocol/names.ts";
import { bytesOf } from "../../lib/protocol/truncate.ts";
import type { Reader } from "../../lib/coordinator/queries/queries.ts";
import { validateParams, validationError } from "../../lib/validation/index.ts";
import type { ActionName, ActionParams } from "../../schemas/actions.schema.ts";
import { type Engine, engineOf } from "./engine.ts";

/** Moleculer sends the caller's meta back with the answer. */
export function readerOf({ bus }: Engine, { broker }: Service, ctx: Context): Reader {
  const isLocal = (ctx.nodeID ?? broker.nodeID) === broker.nodeID;
  const { [CONTEXT_KEY]: _, ...meta } = ctx.meta as Record<string, unknown>;
  return { isLocal, maxBytes: isLocal ? Infinity : bus.maxMessageBytes - MESSAGE_FRAME - bytesOf(meta) };
}

export type Handler<A extends ActionName> = (
  engine: Engine,
  params: ActionParams[A],
  service: Service,
  reader: Reader,
) => unknown;

/** As Moleculer takes it, named so that the declarations of what is made of actions can name it. */
export interface Action {
  handler: (this: Service, ctx: Context) => Promise<unknown>;
}

/** An action: its params checked against the schema of its name, its answer wrapped. */
export function action<A extends ActionName>(name: A, handler: Handler<A>): Action {
  return {
    async handler(ctx) {
      const params = validateParams(name, ctx.params);
      try {
        const engine = engineOf(this);
        return { success: true, data: await handler(engine, params, this, readerOf(engine, this, ctx)) };
      } catch (error) {
        // A cursor that is not ours is the caller's mistake.
        if (!(error instanceof RangeError)) throw error;
        throw validationError(`The params of taskflow.${name} are not valid`, [
          { path: "/cursor", message: error.message, keyword: "format" },
        ]);
      }
    },
  };
}

/** The actions of the service `taskflow` that decide something: each is carried out by the owner of its taskflow, whichever coordinator is asked. */
import type { Context, Service } from "moleculer";
import type { Answer } from "../../lib/core/model/command.ts";
import { fitAnswer } from "../../lib/coordinator/queries/truncate.ts";
import type { Reader } from "../../lib/coordinator/queries/queries.ts";
import { ERRORS, taskflowError, type TaskflowErrorType } from "../../lib/errors/errors.ts";
import { copyJson } from "../../lib/util/copy-json.ts";
import { DECIDING_ACTIONS, type DecidingAction, readForwarded, readOrder } from "../../lib/validation/index.ts";
import { readerOf } from "./action.ts";
import { type Engine, engineOf } from "./engine.ts";

interface OrderAction {
  readonly handler: (this: Service, ctx: Context) => Promise<unknown>;
}

/** What the owner remembers is not handed out: a caller in this process gets a copy. */
function told(data: Readonly<Record<string, unknown>>, { isLocal, maxBytes }: Reader): Readonly<Record<string, unknown>> {
  return isLocal ? (copyJson(data) as Record<string, unknown>) : fitAnswer(data, maxBytes);
}

function deciding(action: DecidingAction): OrderAction {
  return {
    async handler(this: Service, ctx: Context) {
      const engine = engineOf(this);
      const { taskflowId, order } = readOrder(action, ctx.params, engine.limits);
      const answer = await engine.coordinator.command(taskflowId, order);
      if (answer.ok) return { success: true, data: told(answer.data, readerOf(engine, this, ctx)) };
      const type = Object.hasOwn(ERRORS, answer.type) ? (answer.type as TaskflowErrorType) : "TASKFLOW_CONFLICT";
      throw taskflowError(type, answer.message, answer.data);
    },
  };
}

/** Between coordinators. Without an answer: the taskflow is not this one's. */
async function carryOut(engine: Engine, params: unknown, reader: Reader): Promise<{ answer?: Answer }> {
  const { taskflowId, order } = readForwarded(params);
  const answer = await engine.coordinator.heed(taskflowId, order);
  if (!answer) return {};
  return { answer: answer.ok ? { ok: true, data: told(answer.data, reader) } : answer };
}

const DECISIONS = DECIDING_ACTIONS.map((name) => [name, deciding(name)] as const);

export const ORDER_ACTIONS: Readonly<Record<DecidingAction | "carryOut", OrderAction>> = {
  ...(Object.fromEntries(DECISIONS) as Record<DecidingAction, OrderAction>),
  carryOut: {
    async handler(this: Service, ctx: Context) {
      const engine = engineOf(this);
      return { success: true, data: await carryOut(engine, ctx.params, readerOf(engine, this, ctx)) };
    },
  },
};

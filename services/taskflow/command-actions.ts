/** The actions of the service `taskflow` that decide something: each is carried out by the owner of its taskflow, whichever coordinator is asked. */
import type { Context, Service } from "moleculer";
import type { CommandResult } from "../../lib/core/model/command.ts";
import { truncateAnswer } from "../../lib/coordinator/queries/truncate.ts";
import type { Reader } from "../../lib/coordinator/queries/queries.ts";
import { ERRORS, taskflowError, type TaskflowErrorType } from "../../lib/errors/errors.ts";
import { copyJson } from "../../lib/util/copy-json.ts";
import { DECIDING_ACTIONS, type DecidingAction, readForwarded, readCommand } from "../../lib/validation/index.ts";
import { readerOf } from "./action.ts";
import { type Engine, engineOf } from "./engine.ts";

interface CommandAction {
  readonly handler: (this: Service, ctx: Context) => Promise<unknown>;
}

/** What the owner remembers is not handed out: a caller in this process gets a copy. */
function told(data: Readonly<Record<string, unknown>>, { isLocal, maxBytes }: Reader): Readonly<Record<string, unknown>> {
  return isLocal ? (copyJson(data) as Record<string, unknown>) : truncateAnswer(data, maxBytes);
}

function deciding(action: DecidingAction): CommandAction {
  return {
    async handler(this: Service, ctx: Context) {
      const engine = engineOf(this);
      const { taskflowId, order } = readCommand(action, ctx.params, engine.limits);
      const answer = await engine.coordinator.command(taskflowId, order);
      if (answer.ok) return { success: true, data: told(answer.data, readerOf(engine, this, ctx)) };
      const type = Object.hasOwn(ERRORS, answer.type) ? (answer.type as TaskflowErrorType) : "TASKFLOW_CONFLICT";
      throw taskflowError(type, answer.message, answer.data);
    },
  };
}

/** Between coordinators. Without an answer: the taskflow is not this one's. */
async function execute(engine: Engine, params: unknown, reader: Reader): Promise<{ answer?: CommandResult }> {
  const { taskflowId, order } = readForwarded(params);
  const answer = await engine.coordinator.handleForwarded(taskflowId, order);
  if (!answer) return {};
  return { answer: answer.ok ? { ok: true, data: told(answer.data, reader) } : answer };
}

const DECISIONS = DECIDING_ACTIONS.map((name) => [name, deciding(name)] as const);

export const COMMAND_ACTIONS: Readonly<Record<DecidingAction | "executeCommand", CommandAction>> = {
  ...(Object.fromEntries(DECISIONS) as Record<DecidingAction, CommandAction>),
  executeCommand: {
    async handler(this: Service, ctx: Context) {
      const engine = engineOf(this);
      return { success: true, data: await execute(engine, ctx.params, readerOf(engine, this, ctx)) };
    },
  },
};

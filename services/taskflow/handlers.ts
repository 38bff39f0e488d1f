/** What each action of the catalogue does. The compiler asks for one handler for each entry. */
import { copyJson } from "../../lib/util/copy-json.ts";
import { parseDuration } from "../../lib/util/duration.ts";
import { truncateAnswer } from "../../lib/coordinator/queries/truncate.ts";
import { deleteTaskflow } from "../../lib/coordinator/operations/delete.ts";
import type { Reader } from "../../lib/coordinator/queries/queries.ts";
import type { OwnersCommand } from "../../lib/validation/index.ts";
import { type ActionAnswers, type ActionName, ACTIONS, type CommandAction } from "../../schemas/actions/index.ts";
import { DEFAULT_EVENTS_SIZE, DEFAULT_WAIT_MS } from "../../schemas/actions/taskflows.ts";
import { type Call, type Handler, moleculerAction, type MoleculerAction } from "./action.ts";
import { bulk } from "./bulk.ts";
import type { Engine } from "./engine.ts";
import { health } from "./health.ts";
import { importTaskflow } from "./import.ts";
import { listQuery } from "./list-query.ts";
import { pauseActions, resumeActions } from "./pause-actions.ts";
import { dataOf, produce, produceBelow } from "./produce-action.ts";
import { reportOutcome } from "./report-outcome.ts";

type Data = Readonly<Record<string, unknown>>;

/** The owner keeps its results: a caller in this process gets a copy. */
function ownData(data: Data, { isLocal, maxBytes }: Reader): Data {
  return isLocal ? (copyJson(data) as Data) : truncateAnswer(data, maxBytes);
}

/** The result of the owner is the answer (`lib/core/commands`). */
async function command<A extends CommandAction>(
  { coordinator }: Engine,
  { taskflowId, request }: OwnersCommand,
  { reader }: Call,
): Promise<ActionAnswers[A]> {
  return ownData(dataOf(await coordinator.command(taskflowId, request)), reader) as ActionAnswers[A];
}

const HANDLERS: { readonly [A in ActionName]: Handler<A> } = {
  produce,
  getTaskflowDetails: ({ queries }, { taskflowId, ...shown }, { reader }) => queries.details(reader, taskflowId, shown),
  listTaskflows: (engine, params) => engine.queries.list(listQuery(engine, params)),
  waitForTaskflow: ({ queries }, { taskflowId, timeout = DEFAULT_WAIT_MS, ...shown }, { reader, timeoutMs, gone }) =>
    queries.wait(reader, taskflowId, Math.min(parseDuration(timeout), timeoutMs), shown, gone),
  getEvents: ({ queries }, { taskflowId, since = 0, limit = DEFAULT_EVENTS_SIZE }, { reader }) =>
    queries.events(reader, taskflowId, since, limit),
  explainTaskflow: ({ explanations }, { taskflowId }) => explanations.explain(taskflowId),
  deleteTaskflow,

  getTask: ({ queries }, { taskflowId, taskId }, { reader }) => queries.task(reader, taskflowId, taskId),
  listTasks: ({ queries }, params, { reader }) => queries.tasks(reader, params),
  getPreviousStageRes: ({ queries }, { taskflowId, taskId, cursor }, { reader }) =>
    queries.previousStageRes(reader, taskflowId, taskId, cursor),
  getValue: ({ queries }, { ref, offset }, { reader }) => queries.value(reader, ref, offset),

  cancelTaskflow: command<"cancelTaskflow">,
  retryTaskflow: command<"retryTaskflow">,
  pauseTaskflow: command<"pauseTaskflow">,
  resumeTaskflow: command<"resumeTaskflow">,
  cancelTask: command<"cancelTask">,
  resolveTask: command<"resolveTask">,
  updateTask: command<"updateTask">,
  annotateTaskflow: command<"annotateTaskflow">,

  bulk,
  exportTaskflow: ({ copies }, { taskflowId, cursor }, { reader }) => copies.export(reader, taskflowId, cursor),
  importTaskflow,
  pauseActions,
  resumeActions,
  listPausedActions: async ({ pauses }) => ({ rows: [...(await pauses.list())] }),
  health,
  live: () => ({ live: true }),
  ready: ({ ready, coordinator }) => ({ ready: ready && !coordinator.isDraining }),

  async executeCommand({ coordinator }, { taskflowId, request }, { reader }) {
    const answer = await coordinator.handleForwarded(taskflowId, request);
    if (!answer) return {};
    return { answer: answer.ok ? { ok: true, data: ownData(answer.data, reader) } : answer };
  },
  produceBelow,
  reportOutcome,
};

/** The actions of the service, by name. */
export function moleculerActions(): Record<ActionName, MoleculerAction> {
  const names = Object.keys(ACTIONS) as ActionName[];
  return Object.fromEntries(names.map(actionOf)) as Record<ActionName, MoleculerAction>;
}

function actionOf<A extends ActionName>(name: A): [A, MoleculerAction] {
  return [name, moleculerAction(name, HANDLERS[name])];
}

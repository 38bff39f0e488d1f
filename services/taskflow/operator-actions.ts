/** Actions with which people run the whole. */
import type { Service } from "moleculer";
import { getEventsEndpoint } from "../../lib/protocol/events-subject.ts";
import { validateExport, validationError } from "../../lib/validation/index.ts";
import type { ActionParams } from "../../schemas/actions.schema.ts";
import { action } from "./action.ts";
import { bulk } from "./bulk.ts";
import { deleteTaskflow } from "../../lib/coordinator/operations/delete.ts";
import { pauseActions, resumeActions } from "./pause-actions.ts";
import type { Engine } from "./engine.ts";

export const OPERATION_ACTIONS = {
  explainTaskflow: action("explainTaskflow", ({ explanations }, { taskflowId }) => explanations.explain(taskflowId)),
  deleteTaskflow: action("deleteTaskflow", (engine, params) => deleteTaskflow(engine, params)),
  exportTaskflow: action("exportTaskflow", ({ copies }, { taskflowId, cursor }, _service, reader) =>
    copies.export(reader, taskflowId, cursor),
  ),
  importTaskflow: action("importTaskflow", (engine, params, service) => importTaskflow(engine, params, service)),
  bulk: action("bulk", (engine, params, service) => bulk(engine, params, service)),
  pauseActions: action("pauseActions", (engine, params, service) => pauseActions(engine, params, service)),
  resumeActions: action("resumeActions", (engine, params, service) => resumeActions(engine, params, service)),
  listPausedActions: action("listPausedActions", async ({ pauses }) => ({ rows: await pauses.list() })),
};

async function importTaskflow(
  engine: Engine,
  params: ActionParams["importTaskflow"],
  { broker }: Service,
): Promise<Record<string, unknown>> {
  const checked = validateExport(params, engine);
  if (!checked.ok) throw validationError("The export is not valid", checked.problems);
  const { taskflowId, ...rest } = await engine.copies.import(checked.journal, params.newTaskflowId);
  return { taskflowId, eventSubscription: getEventsEndpoint(taskflowId, true, broker.namespace), ...rest };
}

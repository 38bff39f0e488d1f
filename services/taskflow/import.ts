/** The action `importTaskflow`. */
import { getEventsEndpoint } from "../../lib/protocol/events-subject.ts";
import { validateExport, validationError } from "../../lib/validation/index.ts";
import type { ActionAnswers, ActionParams } from "../../schemas/actions/index.ts";
import type { Call } from "./action.ts";
import type { Engine } from "./engine.ts";

export async function importTaskflow(
  engine: Engine,
  params: ActionParams["importTaskflow"],
  { service: { broker } }: Call,
): Promise<ActionAnswers["importTaskflow"]> {
  const checked = validateExport(params, engine);
  if (!checked.ok) throw validationError("The export is not valid", checked.problems);
  const { taskflowId, ...rest } = await engine.copies.import(checked.journal, params.newTaskflowId);
  return { taskflowId, eventSubscription: getEventsEndpoint(taskflowId, true, broker.namespace), ...rest };
}

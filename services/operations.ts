/** Actions with which people run the whole. */
import { action } from "./action.ts";
import { pauseActions, resumeActions } from "./paused-actions.ts";

export const OPERATION_ACTIONS = {
  explainTaskflow: action("explainTaskflow", ({ explanations }, { taskflowId }) => explanations.explain(taskflowId)),
  pauseActions: action("pauseActions", (engine, params, service) => pauseActions(engine, params, service)),
  resumeActions: action("resumeActions", (engine, params, service) => resumeActions(engine, params, service)),
  listPausedActions: action("listPausedActions", async ({ pauses }) => ({ rows: await pauses.list() })),
};

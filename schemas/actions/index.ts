/**
 * The catalogue of the service's actions: the only place of their params, answers, errors, kinds
 * and rights. The service, the client's types and the checks derive from it. A new action is an
 * entry here and a handler in `services/taskflow/handlers.ts`; one without the other does not
 * compile.
 */
import type { Static } from "typebox";
import { PreviousStageResponseSchema } from "../execution-context.schema.ts";
import { ExplanationSchema } from "../explanation.schema.ts";
import { TaskDetailsSchema, TaskflowDetailsSchema } from "../taskflow-details.schema.ts";
import { TaskflowEventSchema } from "../taskflow-event.schema.ts";
import type { Action } from "./action.ts";
import { COMMAND_ACTIONS } from "./commands.ts";
import { INTERNAL_ACTIONS } from "./internal.ts";
import { OPERATION_ACTIONS } from "./operations.ts";
import { TASK_ACTIONS } from "./tasks.ts";
import { TASKFLOW_ACTIONS } from "./taskflows.ts";

export { EVERY_ACTION, RIGHTS, type Action, type ActionKind, type Right, type Route } from "./action.ts";

export const ACTIONS = {
  ...TASKFLOW_ACTIONS,
  ...TASK_ACTIONS,
  ...COMMAND_ACTIONS,
  ...OPERATION_ACTIONS,
  ...INTERNAL_ACTIONS,
} satisfies Record<string, Action>;

/** Schemas that answers refer to by `$id`. */
export const COMPONENTS = [
  TaskflowDetailsSchema,
  TaskDetailsSchema,
  TaskflowEventSchema,
  ExplanationSchema,
  PreviousStageResponseSchema,
];

/** Name of an action of the service `taskflow`. */
export type ActionName = keyof typeof ACTIONS;
/** Commands that an owner executes. */
export type CommandAction = keyof typeof COMMAND_ACTIONS;
/** Actions for callers: all but those between coordinators and workers. */
export type PublicAction = Exclude<ActionName, keyof typeof INTERNAL_ACTIONS>;

/** `ActionParams["getTask"]`: the params of that action. */
export type ActionParams = { [A in ActionName]: Static<(typeof ACTIONS)[A]["params"]> };
/** `ActionAnswers["getTask"]`: the `data` of its answer. */
export type ActionAnswers = { [A in ActionName]: Static<(typeof ACTIONS)[A]["answer"]> };

/** ACTION: calls an action of a Moleculer service. The answer is the task's response. */
import { ActionDetailsSchema, type ActionDetails } from "../../../schemas/task-types/action.schema.ts";
import { SEND } from "../../core/model/task-type.ts";
import type { SendingTaskType } from "../../ports/task-types.ts";
import { actionNameOf } from "../../protocol/action-name.ts";
import { check } from "./check.ts";
import { dispatch } from "./dispatch.ts";
import { explain } from "./explain.ts";

export const action: SendingTaskType<ActionDetails> = {
  name: "ACTION",
  schema: ActionDetailsSchema,
  check,
  begin: () => SEND,
  target: actionNameOf,
  dispatch,
  explain,
};

/** Params of the actions with which people run the whole: explain, pause rules, copies, bulk. */
import { Type } from "typebox";
import { Name, TaskflowId } from "./common.schema.ts";

const closed = { additionalProperties: false };

/** Characters of which names of actions are made, and wildcards. */
const ActionPattern = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9_$.*?-]+$",
  description: "Pattern of names of actions: `*` within a part, `**` over parts, `?` one character",
});

export const OPERATION_SCHEMAS = {
  explainTaskflow: Type.Object({ taskflowId: TaskflowId }, closed),
  pauseActions: Type.Object({ pattern: ActionPattern, reason: Type.Optional(Name("Why")) }, closed),
  resumeActions: Type.Object({ pattern: ActionPattern }, closed),
  listPausedActions: Type.Object({}, closed),
};

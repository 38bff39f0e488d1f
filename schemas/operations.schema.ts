/** Params of the actions with which people run the whole: explain, pause rules, copies, bulk. */
import { Type } from "typebox";
import { Name, TaskflowId } from "./common.schema.ts";
import { FILTER } from "./filter.schema.ts";

const closed = { additionalProperties: false };

/** Characters of which names of actions are made, and wildcards. */
const ActionPattern = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9_$.*?-]+$",
  description: "Pattern of names of actions: `*` within a part, `**` over parts, `?` one character",
});

/** Of an export. Its facts are in `lib/validation/fact-schemas.ts`. */
export const EntrySchema = Type.Object(
  {
    at: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000, description: "Epoch milliseconds" }),
    facts: Type.Array(Type.Unknown()),
  },
  closed,
);

/** Format of the journals that this version reads and writes. */
const EXPORT_FORMAT = 1;

export const OPERATION_SCHEMAS = {
  exportTaskflow: Type.Object(
    {
      taskflowId: TaskflowId,
      cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description: "`nextCursor` of the part before" })),
    },
    closed,
  ),
  importTaskflow: Type.Object(
    {
      format: Type.Literal(EXPORT_FORMAT),
      taskflowId: Type.String({ minLength: 1, maxLength: 128, description: "Of the original" }),
      revision: Type.Integer({ minimum: 1 }),
      exportedAt: Type.Optional(Type.Integer({ minimum: 0 })),
      entries: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 10_000_000 }),
      newTaskflowId: Type.Optional(TaskflowId),
    },
    closed,
  ),
  explainTaskflow: Type.Object({ taskflowId: TaskflowId }, closed),
  bulk: Type.Object(
    {
      action: Type.Enum(["cancel", "retry", "pause", "resume", "delete"]),
      filter: Type.Object(FILTER, { ...closed, minProperties: 1, description: "As of listTaskflows" }),
      reason: Type.Optional(Name("Why: of cancel, pause and resume")),
      mode: Type.Optional(Type.Enum(["all", "failed"], { description: "Of retry" })),
      dryRun: Type.Optional(Type.Boolean({ description: "Only counts what matches" })),
    },
    closed,
  ),
  pauseActions: Type.Object({ pattern: ActionPattern, reason: Type.Optional(Name("Why")) }, closed),
  resumeActions: Type.Object({ pattern: ActionPattern }, closed),
  listPausedActions: Type.Object({}, closed),
};

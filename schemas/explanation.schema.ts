/** The answer of `explainTaskflow`: why a taskflow is not moving. */
import { Type, type Static } from "typebox";
import { Count, Nullable, TASKFLOW_STATUSES, TaskflowId } from "./common.schema.ts";
import { REASON_CODES, type ReasonCode } from "./reasons.ts";

const closed = { additionalProperties: false };
const code = Type.Enum(REASON_CODES, { description: "Kind of reason" });

const ReasonSchema = Type.Object(
  {
    code,
    sentence: Type.String({ description: "For people; its wording may change" }),
    data: Type.Unsafe<Record<string, unknown>>({ type: "object", description: "Numbers and times of the sentence" }),
    movedBy: Type.String({ description: "The event that would move it" }),
    stageId: Type.Optional(Type.String()),
    taskId: Type.Optional(Type.String()),
  },
  closed,
);
/** One reason why a part of a taskflow is not moving. */
export interface Reason extends Static<typeof ReasonSchema> {}

export const ExplanationSchema = Type.Object(
  {
    taskflowId: TaskflowId,
    status: Nullable(Type.Enum(TASKFLOW_STATUSES, { description: "null: the store cannot be read" })),
    summary: Type.String({ description: "The first reason as a sentence" }),
    reasons: Type.Array(ReasonSchema),
    omitted: Type.Optional(
      Type.Unsafe<Partial<Record<ReasonCode, number>>>({
        type: "object",
        propertyNames: code,
        additionalProperties: Count("Reasons of this code"),
        description: "Numbers of omitted reasons, by code",
      }),
    ),
  },
  { ...closed, $id: "Explanation" },
);
/** Why a taskflow is not moving: `explainTaskflow`. */
export interface Explanation extends Static<typeof ExplanationSchema> {}

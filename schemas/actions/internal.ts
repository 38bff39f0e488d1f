/** Actions that only coordinators and workers call. They need no right. */
import { Type } from "typebox";
import { CommandRequestSchema, CommandResultSchema } from "../command.schema.ts";
import { JsonObject } from "../common.schema.ts";
import type { Action } from "./action.ts";
import { closed, taskflowId, taskId } from "./params.ts";

/** Without an answer: the taskflow belongs to another coordinator. */
const forwarded = Type.Object({ answer: Type.Optional(CommandResultSchema) }, closed);

export const INTERNAL_ACTIONS = {
  executeCommand: {
    summary: "From a coordinator: a command for a taskflow of the called coordinator.",
    kind: "internal",
    params: Type.Object({ taskflowId, request: CommandRequestSchema }, closed),
    answer: forwarded,
    errors: ["TASKFLOW_OVERLOADED", "STORE_UNAVAILABLE"],
  },
  produceBelow: {
    summary: "From a coordinator: produces a taskflow nested in one of the called coordinator.",
    kind: "internal",
    params: Type.Object(
      {
        producer: Type.Object(
          { taskflowId, taskId, attempt: Type.Integer({ minimum: 0 }), delivery: Type.Integer({ minimum: 1 }) },
          closed,
        ),
        taskflowId,
        isChosen: Type.Boolean(),
        taskflow: JsonObject("As `produce` accepts it"),
        meta: JsonObject("The producer's meta"),
      },
      closed,
    ),
    answer: forwarded,
    errors: ["TASKFLOW_OVERLOADED", "STORE_UNAVAILABLE"],
  },
  reportOutcome: {
    summary: "From a worker: the outcome of an attempt whose own answer may be lost.",
    kind: "internal",
    params: Type.Object(
      {
        key: Type.String({ minLength: 1, maxLength: 512, description: "`taskflowId:taskId:attempt`" }),
        action: Type.String({ minLength: 1, maxLength: 1_024, description: "The action that the attempt called" }),
        outcome: JsonObject("`{ ok: true, delivery, response }` or `{ ok: false, delivery, error }`"),
      },
      closed,
    ),
    answer: Type.Object({ accepted: Type.Boolean({ description: "The worker need not report it again" }) }, closed),
    errors: ["STORE_UNAVAILABLE"],
  },
} satisfies Record<string, Action>;

/** Actions that read tasks and their values. */
import { Type } from "typebox";
import { Ref, TASK_STATUSES } from "../common.schema.ts";
import type { PreviousStageResponse } from "../execution-context.schema.ts";
import { SEVERAL } from "../filter.schema.ts";
import type { TaskDetails } from "../taskflow-details.schema.ts";
import type { Action } from "./action.ts";
import { closed, cursor, nextCursor, pageSize, stageId, taskflowId, taskId } from "./params.ts";

export const DEFAULT_TASKS_SIZE = 100;

const status = Type.Enum(TASK_STATUSES);
const task = Ref<TaskDetails>("TaskDetails");

export const TASK_ACTIONS = {
  getTask: {
    summary: "One task. A value that exceeds a message is `{ $ref, bytes }`, for `getValue`.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object({ taskflowId, taskId }, closed),
    answer: task,
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "TASK_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
  listTasks: {
    summary: "Tasks in definition order, page by page; values as in `getTask`.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object(
      {
        taskflowId,
        stageId: Type.Optional(stageId),
        status: Type.Optional(Type.Union([status, Type.Array(status, SEVERAL)], { description: "One of these" })),
        cursor,
        pageSize: pageSize(DEFAULT_TASKS_SIZE),
      },
      closed,
    ),
    answer: Type.Object({ rows: Type.Array(task), nextCursor }, closed),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STAGE_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
  getPreviousStageRes: {
    summary: "The responses of the previous stage, as the task receives them, page by page; values as in `getTask`.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object({ taskflowId, taskId, cursor }, closed),
    answer: Type.Object({ rows: Type.Array(Ref<PreviousStageResponse>("PreviousStageResponse")), nextCursor }, closed),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "TASK_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
  getValue: {
    summary: "A chunk of the JSON text behind a `$ref`.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object(
      {
        ref: Type.String({ minLength: 1, maxLength: 1_024, description: "A `$ref`" }),
        offset: Type.Optional(
          Type.Integer({
            minimum: 0,
            default: 0,
            description: "`nextOffset` of the previous chunk, in UTF-16 units of the JSON text",
          }),
        ),
      },
      closed,
    ),
    answer: Type.Object(
      {
        chunk: Type.String(),
        nextOffset: Type.Optional(Type.Integer({ description: "Start of the next chunk; absent in the last one" })),
      },
      closed,
    ),
    errors: ["TASKFLOW_CONFLICT", "TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "TASK_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
} satisfies Record<string, Action>;

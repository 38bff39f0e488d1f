/** Params of the actions of the service `taskflow`, `produce` apart (`taskflow.schema.ts`). A later action adds its schema here. */
import { Type, type Static } from "typebox";
import { Duration, JsonObject, MAX_PAGE_SIZE, Name, TASK_STATUSES, TaskflowId } from "./common.schema.ts";
import { FILTER, SEVERAL } from "./filter.schema.ts";
import { OPERATION_SCHEMAS } from "./operations.schema.ts";

const closed = { additionalProperties: false };
const taskflowId = TaskflowId;
const taskId = Name("Id or name of a task");
const stages = Type.Optional(
  Type.Array(Name("Id or name of a stage"), { maxItems: 10_000, description: "Only these are in the tree" }),
);
const depth = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 1_000, description: "Levels of nested taskflows; all if absent" }),
);
const cursor = Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description: "`nextCursor` of the page before" }));
const pageSize = Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_SIZE }));

const taskStatus = Type.Enum(TASK_STATUSES);

const empty = Type.Object({}, closed);

export const ACTION_SCHEMAS = {
  getTaskflowDetails: Type.Object({ taskflowId, depth, stages }, closed),
  getTask: Type.Object({ taskflowId, taskId }, closed),
  getValue: Type.Object(
    {
      ref: Type.String({ minLength: 1, maxLength: 1_024, description: "A `$ref`" }),
      offset: Type.Optional(Type.Integer({ minimum: 0, description: "`nextOffset` of the part before" })),
    },
    closed,
  ),
  listTasks: Type.Object(
    {
      taskflowId,
      stageId: Type.Optional(Name("Id or name of a stage")),
      status: Type.Optional(Type.Union([taskStatus, Type.Array(taskStatus, SEVERAL)])),
      cursor,
      pageSize,
    },
    closed,
  ),
  getPreviousStageRes: Type.Object({ taskflowId, taskId, cursor }, closed),
  listTaskflows: Type.Object(
    {
      ...FILTER,
      sort: Type.Optional(Type.Enum(["createdAt", "-createdAt"])),
      pageSize,
      cursor,
    },
    closed,
  ),
  waitForTaskflow: Type.Object(
    { taskflowId, timeout: Type.Optional(Duration(0, "How long to wait; default 60000 ms")), depth, stages },
    closed,
  ),
  getEvents: Type.Object(
    {
      taskflowId,
      since: Type.Optional(Type.Integer({ minimum: 0, description: "`seq` of the last event that is known; default 0" })),
      limit: pageSize,
    },
    closed,
  ),
  deleteTaskflow: Type.Object({ taskflowId }, closed),
  reportOutcome: Type.Object(
    {
      key: Type.String({ minLength: 1, maxLength: 512, description: "`taskflowId:taskId:attempt`" }),
      action: Type.String({ minLength: 1, maxLength: 1_024, description: "The action that the attempt called" }),
      outcome: JsonObject("`{ ok: true, response }` or `{ ok: false, error }`"),
    },
    closed,
  ),
  ...OPERATION_SCHEMAS,
  health: empty,
  live: empty,
  ready: empty,
};

export type ActionName = keyof typeof ACTION_SCHEMAS;
/** `ActionParams["getTask"]` is what that action takes. */
export type ActionParams = { [A in ActionName]: Static<(typeof ACTION_SCHEMAS)[A]> };

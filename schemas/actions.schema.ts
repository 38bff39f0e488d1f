/** Params of the actions of the service `taskflow`, `produce` apart (`taskflow.schema.ts`). A later action adds its schema here. */
import { Type, type Static } from "typebox";
import {
  AttributeValue,
  Duration,
  JsonObject,
  MAX_NAME_LENGTH,
  MAX_PAGE_SIZE,
  NAME_PATTERN,
  Name,
  TASKFLOW_STATUSES,
  TASK_STATUSES,
  TaskflowId,
} from "./common.schema.ts";

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
const time = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, description: `${description}, epoch milliseconds` }));

/** Of a filter that takes one value, or an array of those that may be. */
const several = { minItems: 1, maxItems: 100 };
const taskStatus = Type.Enum(TASK_STATUSES);
const taskflowStatus = Type.Enum(TASKFLOW_STATUSES);
const errorType = Name("Type of an error");

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
      status: Type.Optional(Type.Union([taskStatus, Type.Array(taskStatus, several)])),
      cursor,
      pageSize,
    },
    closed,
  ),
  getPreviousStageRes: Type.Object({ taskflowId, taskId, cursor }, closed),
  listTaskflows: Type.Object(
    {
      status: Type.Optional(Type.Union([taskflowStatus, Type.Array(taskflowStatus, several)])),
      name: Type.Optional(Name("The whole name")),
      tenant: Type.Optional(Name("Whose they are")),
      template: Type.Optional(Name("Name of the template they were made of")),
      tags: Type.Optional(Type.Array(Name("A tag"), { maxItems: 50, description: "All of them" })),
      attributes: Type.Optional(
        Type.Unsafe<Record<string, string | number | boolean>>({
          type: "object",
          maxProperties: 50,
          propertyNames: { minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN },
          additionalProperties: AttributeValue,
          description: "All of them",
        }),
      ),
      parentTaskflowId: Type.Optional(TaskflowId),
      createdAfter: time("Created after"),
      createdBefore: time("Created before"),
      errorType: Type.Optional(Type.Union([errorType, Type.Array(errorType, several)])),
      text: Type.Optional(
        Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH, description: "Part of the name, the id, a tag or an attribute" }),
      ),
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
  health: empty,
  live: empty,
  ready: empty,
};

export type ActionName = keyof typeof ACTION_SCHEMAS;
/** `ActionParams["getTask"]` is what that action takes. */
export type ActionParams = { [A in ActionName]: Static<(typeof ACTION_SCHEMAS)[A]> };

/** Params of the actions of the service `taskflow`, `produce` apart (`taskflow.schema.ts`). A later action adds its schema here. */
import { Type, type Static } from "typebox";
import { Duration, JsonObject, MAX_PAGE_SIZE, MAX_REASON_LENGTH, Name, TASK_STATUSES, TaskflowId } from "./common.schema.ts";
import { FILTER, SEVERAL } from "./filter.schema.ts";
import { OPERATION_SCHEMAS } from "./operations.schema.ts";
import { TaskOptionsSchema } from "./options.schema.ts";
import { CommandIdSchema, ExpectSchema, ForwardedSchema } from "./command.schema.ts";

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

/** What every action that decides something takes. */
const deciding = { taskflowId, expect: Type.Optional(ExpectSchema), commandId: Type.Optional(CommandIdSchema) };
const Reason = (description: string) => Type.String({ minLength: 1, maxLength: MAX_REASON_LENGTH, description });
const reason = Type.Optional(Reason("Why, for people"));
const many = { minItems: 1, maxItems: 100_000 };

/** A stage, whole or some tasks of it. One schema with two types rather than a union: AJV then names the one problem there is. */
export type StageSelection = string | { stageId: string; taskIds?: string[] };
const StageSelectionSchema = Type.Unsafe<StageSelection>({
  ...Name("Id or name of a stage"),
  type: ["string", "object"],
  properties: { stageId: Name("Id or name of a stage"), taskIds: Type.Array(taskId, many) },
  required: ["stageId"],
  ...closed,
});
const TaskSelectionSchema = Type.Object({ stageId: Type.Optional(Name("Id or name of its stage")), taskId }, closed);

/** Characters of the JSON text of an annotation's value. */
export const MAX_ANNOTATION_LENGTH = 64 * 1024;

const empty = Type.Object({}, closed);

export const ACTION_SCHEMAS = {
  getTaskflowDetails: Type.Object({ taskflowId, depth, stages }, closed),
  getTask: Type.Object({ taskflowId, taskId }, closed),
  getValue: Type.Object(
    {
      ref: Type.String({ minLength: 1, maxLength: 1_024, description: "A `$ref`" }),
      offset: Type.Optional(
        Type.Integer({ minimum: 0, description: "`nextOffset` of the part before: UTF-16 units of the JSON text" }),
      ),
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
  cancelTaskflow: Type.Object(
    { ...deciding, reason, compensate: Type.Optional(Type.Boolean({ description: "Undo what succeeded" })) },
    closed,
  ),
  retryTaskflow: Type.Object(
    {
      ...deciding,
      stagesInfo: Type.Optional(
        Type.Array(StageSelectionSchema, { ...many, description: "Stages, or tasks of them, that run again" }),
      ),
      tasksInfo: Type.Optional(Type.Array(TaskSelectionSchema, { ...many, description: "Tasks that run again" })),
      mode: Type.Optional(
        Type.Enum(["all", "failed"], {
          description: "Without it: what did not succeed of a task with exactlyOnceTaskExecution, everything of another",
        }),
      ),
      force: Type.Optional(Type.Boolean({ description: "Also what succeeded under exactlyOnceTaskExecution" })),
      cascade: Type.Optional(Type.Boolean({ description: "Also the finished stages behind what runs again" })),
      dryRun: Type.Optional(Type.Boolean({ description: "Only answer what would happen" })),
    },
    closed,
  ),
  pauseTaskflow: Type.Object({ ...deciding, reason }, closed),
  resumeTaskflow: Type.Object({ ...deciding, reason }, closed),
  cancelTask: Type.Object({ ...deciding, taskId }, closed),
  resolveTask: Type.Object(
    {
      ...deciding,
      taskId,
      outcome: Type.Enum(["SUCCESS", "SKIPPED"]),
      response: Type.Optional(Type.Unknown({ description: "What stands for its answer; null if absent" })),
      reason: Reason("Why, for people"),
    },
    closed,
  ),
  updateTask: Type.Object(
    {
      ...deciding,
      taskId,
      params: Type.Optional(JsonObject("Params of its next attempts")),
      options: Type.Optional(TaskOptionsSchema),
    },
    closed,
  ),
  annotateTaskflow: Type.Object(
    { ...deciding, type: Name("What it is"), value: Type.Unknown({ description: "Any JSON" }) },
    closed,
  ),
  executeCommand: ForwardedSchema,
  /** Between coordinators. */
  produceBelow: Type.Object(
    {
      producer: Type.Object({ taskflowId, taskId, attempt: Type.Integer({ minimum: 0 }) }, closed),
      taskflowId,
      isChosen: Type.Boolean(),
      taskflow: JsonObject("As `produce` takes it"),
      meta: JsonObject("Of the producer"),
    },
    closed,
  ),
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

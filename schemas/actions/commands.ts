/** Commands: each changes one taskflow. Its owner executes it, whichever coordinator is called. */
import { Type, type Static } from "typebox";
import type { TaskflowErrorType } from "../../lib/errors/catalogue.ts";
import { JsonObject, Name, Nullable, TASK_STATUSES, TASKFLOW_STATUSES } from "../common.schema.ts";
import { TaskOptionsSchema } from "../options.schema.ts";
import type { Action } from "./action.ts";
import { closed, command, Reason, stageId, taskflowId, taskId } from "./params.ts";

const reason = Type.Optional(Reason("Why, for people"));
const many = { minItems: 1, maxItems: 100_000 };

/**
 * A whole stage, or some of its tasks. Not a union: AJV reports one problem for a list of types,
 * several for a union.
 */
export type StageSelection = string | { stageId: string; taskIds?: string[] };
const StageSelectionSchema = Type.Unsafe<StageSelection>({
  ...stageId,
  type: ["string", "object"],
  properties: { stageId, taskIds: Type.Array(taskId, many) },
  required: ["stageId"],
  ...closed,
});
const TaskSelectionSchema = Type.Object({ stageId: Type.Optional(Name("Id or name of its stage")), taskId }, closed);

/** Maximum number of bytes of JSON of an annotation's value. */
export const MAX_ANNOTATION_LENGTH = 64 * 1024;

const status = Type.Enum(TASKFLOW_STATUSES, { description: "Of the taskflow" });
const place = { stageId: Type.String(), taskId: Type.String() };
const PlaceSchema = Type.Object(place, closed);
/** A task of a taskflow, by ids. */
export interface TaskPlace extends Static<typeof PlaceSchema> {}
const Places = (description: string) => Type.Array(PlaceSchema, { description });

const RetriedSchema = Type.Object(
  {
    taskflowId,
    retryAttempt: Type.Integer({ minimum: 0, description: "Number of the new run" }),
    retried: Places("Tasks that run again"),
    reused: Type.Optional(Places("Of a dry run: tasks that would stay as they are")),
    compensated: Type.Optional(Places("Of a dry run: tasks that would be undone")),
    follows: Type.Optional(Places("Of a dry run: tasks that never ran, and would run")),
    truncated: Type.Optional(Type.Boolean({ description: "The lists are shortened to fit into one message" })),
  },
  closed,
);
/** Answer of `retryTaskflow`, and of its dry run, which previews its exact effect. */
export interface Retried extends Static<typeof RetriedSchema> {}

const DecidedSchema = Type.Object(
  {
    taskflowId,
    status,
    statusReason: Type.Optional(Nullable(Type.String({ description: "Of pauseTaskflow and resumeTaskflow" }))),
    alreadyFinished: Type.Optional(Type.Literal(true, { description: "It was already cancelled" })),
  },
  closed,
);
/** Answer of `cancelTaskflow`, `pauseTaskflow` and `resumeTaskflow`. */
export interface Decided extends Static<typeof DecidedSchema> {}

const TaskDecidedSchema = Type.Object({ taskflowId, ...place, taskStatus: Type.Enum(TASK_STATUSES), status }, closed);
/** Answer of `cancelTask`, `resolveTask` and `updateTask`. */
export interface TaskDecided extends Static<typeof TaskDecidedSchema> {}

/** `expect` may name a task that is unknown; the owner may be out of reach. */
const EVERY_COMMAND: readonly TaskflowErrorType[] = [
  "TASKFLOW_NOT_FOUND",
  "TASKFLOW_UNREADABLE",
  "TASK_NOT_FOUND",
  "TASKFLOW_CONFLICT",
  "TASKFLOW_OVERLOADED",
  "STORE_UNAVAILABLE",
];

export const COMMAND_ACTIONS = {
  cancelTaskflow: {
    summary: "Ends a taskflow and its nested taskflows: once this has answered, no attempt is sent any more.",
    kind: "command",
    right: "taskflow:cancel",
    params: Type.Object(
      {
        ...command,
        reason,
        compensate: Type.Optional(Type.Boolean({ default: false, description: "Undo the tasks that succeeded" })),
      },
      closed,
    ),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  retryTaskflow: {
    summary: "Starts a new run of a taskflow that has ended or waits for a decision: of all tasks or of a selection.",
    kind: "command",
    right: "taskflow:retry",
    params: Type.Object(
      {
        ...command,
        stagesInfo: Type.Optional(
          Type.Array(StageSelectionSchema, { ...many, description: "Stages, or some of their tasks, that run again" }),
        ),
        tasksInfo: Type.Optional(Type.Array(TaskSelectionSchema, { ...many, description: "Tasks that run again" })),
        mode: Type.Optional(
          Type.Enum(["all", "failed"], {
            description: "Absent: all tasks, except those that succeeded under exactlyOnceTaskExecution",
          }),
        ),
        force: Type.Optional(
          Type.Boolean({ default: false, description: "Also tasks that succeeded under exactlyOnceTaskExecution" }),
        ),
        cascade: Type.Optional(
          Type.Boolean({ default: false, description: "Also the finished stages after those that run again" }),
        ),
        dryRun: Type.Optional(Type.Boolean({ default: false, description: "Only return what would happen" })),
      },
      closed,
    ),
    answer: RetriedSchema,
    errors: [...EVERY_COMMAND, "STAGE_NOT_FOUND", "TASKFLOW_NOT_RETRYABLE", "TASKFLOW_EXACTLY_ONCE", "TASK_RUNNING"],
  },
  pauseTaskflow: {
    summary: "Pauses a taskflow and its nested taskflows: no attempt starts; answers of running attempts still count.",
    kind: "command",
    right: "taskflow:pause",
    params: Type.Object({ ...command, reason }, closed),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  resumeTaskflow: {
    summary: "Resumes a paused taskflow.",
    kind: "command",
    right: "taskflow:resume",
    params: Type.Object({ ...command, reason }, closed),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  cancelTask: {
    summary: "Ends a waiting or running task as CANCELLED.",
    kind: "command",
    right: "taskflow:cancel",
    params: Type.Object({ ...command, taskId }, closed),
    answer: TaskDecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED", "TASK_NOT_ACTIVE"],
  },
  resolveTask: {
    summary: "Settles a failed or waiting task by hand; the taskflow continues.",
    kind: "command",
    right: "taskflow:resolve",
    params: Type.Object(
      {
        ...command,
        taskId,
        outcome: Type.Enum(["SUCCESS", "SKIPPED"]),
        response: Type.Optional(Type.Unknown({ description: "Replaces the handler's answer; absent: null" })),
        reason: Reason("Why, for people"),
      },
      closed,
    ),
    answer: TaskDecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED", "TASKFLOW_NOT_FINISHED", "TASK_RUNNING", "TASK_NOT_ACTIVE"],
  },
  updateTask: {
    summary: "Changes params or options of a task for its next attempts.",
    kind: "command",
    right: "taskflow:update",
    params: Type.Object(
      {
        ...command,
        taskId,
        params: Type.Optional(JsonObject("Params of its next attempts")),
        options: Type.Optional(TaskOptionsSchema),
      },
      closed,
    ),
    answer: TaskDecidedSchema,
    errors: [...EVERY_COMMAND, "TASK_RUNNING"],
  },
  annotateTaskflow: {
    summary: "Adds an annotation, which `getTaskflowDetails` returns and `listTaskflows` can filter by.",
    kind: "command",
    right: "taskflow:annotate",
    params: Type.Object(
      { ...command, type: Name("Type of the annotation"), value: Type.Unknown({ description: "Any JSON" }) },
      closed,
    ),
    answer: Type.Object({ taskflowId, type: Type.String() }, closed),
    errors: EVERY_COMMAND,
  },
} satisfies Record<string, Action>;

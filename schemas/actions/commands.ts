/** Commands: each changes one taskflow, and its owner executes it, whichever coordinator is called. */
import { Type, type Static } from "typebox";
import type { TaskflowErrorType } from "../../lib/errors/catalogue.ts";
import { JsonObject, Name, Nullable, TASK_STATUSES, TASKFLOW_STATUSES } from "../common.schema.ts";
import { TaskOptionsSchema } from "../options.schema.ts";
import type { Action } from "./action.ts";
import { closed, command, Reason, stageId, taskflowId, taskId } from "./params.ts";

const reason = Type.Optional(Reason("Why, for people"));
const many = { minItems: 1, maxItems: 100_000 };

/** A stage, whole or some tasks of it. One schema with two types rather than a union: AJV then names the one problem there is. */
export type StageSelection = string | { stageId: string; taskIds?: string[] };
const StageSelectionSchema = Type.Unsafe<StageSelection>({
  ...stageId,
  type: ["string", "object"],
  properties: { stageId, taskIds: Type.Array(taskId, many) },
  required: ["stageId"],
  ...closed,
});
const TaskSelectionSchema = Type.Object({ stageId: Type.Optional(Name("Id or name of its stage")), taskId }, closed);

/** Characters of the JSON text of an annotation's value. */
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
    retryAttempt: Type.Integer({ minimum: 0, description: "Number of the run that has begun" }),
    retried: Places("Tasks that run again"),
    reused: Type.Optional(Places("Of a dry run: tasks that stay as they are")),
    compensated: Type.Optional(Places("Of a dry run: tasks that would be undone")),
    follows: Type.Optional(Places("Of a dry run: tasks that never ran, and would")),
    truncated: Type.Optional(Type.Boolean({ description: "The lists were cut, so that the answer fits into one message" })),
  },
  closed,
);
/** Answer of `retryTaskflow`, and of its dry run, which tells exactly what would happen. */
export interface Retried extends Static<typeof RetriedSchema> {}

const DecidedSchema = Type.Object(
  {
    taskflowId,
    status,
    statusReason: Type.Optional(Nullable(Type.String({ description: "Of pauseTaskflow and resumeTaskflow" }))),
    alreadyFinished: Type.Optional(Type.Literal(true, { description: "It had been cancelled before" })),
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
  "TASK_NOT_FOUND",
  "TASKFLOW_CONFLICT",
  "TASKFLOW_OVERLOADED",
  "STORE_UNAVAILABLE",
];

export const COMMAND_ACTIONS = {
  cancelTaskflow: {
    summary: "Ends a taskflow, and those nested in it: once this has answered, nothing of it is sent any more.",
    kind: "command",
    right: "taskflow:cancel",
    params: Type.Object(
      {
        ...command,
        reason,
        compensate: Type.Optional(Type.Boolean({ default: false, description: "Undo what succeeded" })),
      },
      closed,
    ),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  retryTaskflow: {
    summary: "A new run of a taskflow that has ended or waits for a decision: of everything, or of a selection.",
    kind: "command",
    right: "taskflow:retry",
    params: Type.Object(
      {
        ...command,
        stagesInfo: Type.Optional(
          Type.Array(StageSelectionSchema, { ...many, description: "Stages, or tasks of them, that run again" }),
        ),
        tasksInfo: Type.Optional(Type.Array(TaskSelectionSchema, { ...many, description: "Tasks that run again" })),
        mode: Type.Optional(
          Type.Enum(["all", "failed"], {
            description: "Without it: what did not succeed of a task with exactlyOnceTaskExecution, everything of another",
          }),
        ),
        force: Type.Optional(Type.Boolean({ default: false, description: "Also what succeeded under exactlyOnceTaskExecution" })),
        cascade: Type.Optional(Type.Boolean({ default: false, description: "Also the finished stages behind what runs again" })),
        dryRun: Type.Optional(Type.Boolean({ default: false, description: "Only answer what would happen" })),
      },
      closed,
    ),
    answer: RetriedSchema,
    errors: [...EVERY_COMMAND, "STAGE_NOT_FOUND", "TASKFLOW_NOT_RETRYABLE", "TASKFLOW_EXACTLY_ONCE", "TASK_RUNNING"],
  },
  pauseTaskflow: {
    summary: "Starts nothing new of a taskflow and of those nested in it; answers of running attempts are taken.",
    kind: "command",
    right: "taskflow:pause",
    params: Type.Object({ ...command, reason }, closed),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  resumeTaskflow: {
    summary: "Lets a paused taskflow go on.",
    kind: "command",
    right: "taskflow:resume",
    params: Type.Object({ ...command, reason }, closed),
    answer: DecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED"],
  },
  cancelTask: {
    summary: "Ends a task that waits or runs, as CANCELLED.",
    kind: "command",
    right: "taskflow:cancel",
    params: Type.Object({ ...command, taskId }, closed),
    answer: TaskDecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED", "TASK_NOT_ACTIVE"],
  },
  resolveTask: {
    summary: "Settles a failed or waiting task by hand; the taskflow goes on.",
    kind: "command",
    right: "taskflow:resolve",
    params: Type.Object(
      {
        ...command,
        taskId,
        outcome: Type.Enum(["SUCCESS", "SKIPPED"]),
        response: Type.Optional(Type.Unknown({ description: "Stands for its answer; null if absent" })),
        reason: Reason("Why, for people"),
      },
      closed,
    ),
    answer: TaskDecidedSchema,
    errors: [...EVERY_COMMAND, "TASKFLOW_ALREADY_FINISHED", "TASKFLOW_NOT_FINISHED", "TASK_RUNNING", "TASK_NOT_ACTIVE"],
  },
  updateTask: {
    summary: "Other params or options for the attempts to come.",
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
    summary: "Adds an annotation, which the details have and `listTaskflows` finds.",
    kind: "command",
    right: "taskflow:annotate",
    params: Type.Object({ ...command, type: Name("Its kind"), value: Type.Unknown({ description: "Any JSON" }) }, closed),
    answer: Type.Object({ taskflowId, type: Type.String() }, closed),
    errors: EVERY_COMMAND,
  },
} satisfies Record<string, Action>;

/** The tree of a taskflow, as `getTaskflowDetails` answers it. Times are epoch milliseconds of the store's clock; null: not yet. */
import { Type, type Static } from "typebox";
import {
  Count,
  Dictionary,
  Nullable,
  Ref,
  STAGE_STATUSES,
  STATUS_REASONS,
  TASK_STATUSES,
  TASKFLOW_STATUSES,
  TaskflowId,
  Time,
} from "./common.schema.ts";
import { EffectiveOptionsSchema } from "./options.schema.ts";
import type { AnyTaskDetails } from "./task-types/index.ts";

const closed = { additionalProperties: false };
const text = Type.String();
const anything = (description: string) => Type.Unknown({ description });
const id = Type.String({ description: "A UUID" });

export const TaskErrorSchema = Type.Object(
  {
    type: Type.String({ description: "A type of the catalogue, or the worker's own" }),
    name: text,
    message: text,
    code: Type.Optional(Type.Unsafe<number | string>({ type: ["number", "string"] })),
    data: Type.Optional(anything("Nested 64 deep at most")),
    causes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: text,
            name: text,
            message: text,
            code: Type.Optional(Type.Unsafe<number | string>({ type: ["number", "string"] })),
          },
          closed,
        ),
        { description: "The errors below it (`cause`, `errors`), nearest first: at most 5, 4 KiB each" },
      ),
    ),
    stack: Type.Optional(text),
    nodeID: Type.Optional(Type.String({ description: "The node that it comes from" })),
  },
  closed,
);
/** The error of a task, an attempt or a taskflow: `type` is of the catalogue, or the worker's own. */
export interface TaskErrorDetails extends Static<typeof TaskErrorSchema> {}

const AttemptSchema = Type.Object(
  {
    attempt: Count("Its number, from 0; never reset"),
    deliveries: Type.Integer({ minimum: 1, description: "1 at first, one more with each repeated delivery" }),
    startedAt: Time("When it was dispatched"),
    finishedAt: Nullable(Time("When its outcome was stored")),
    nodeID: Nullable(Type.String({ description: "The node that ran it" })),
    status: Type.Enum(TASK_STATUSES),
    error: Type.Optional(TaskErrorSchema),
  },
  closed,
);
/** One execution of a task. Times are epoch milliseconds of the store's clock. */
export interface AttemptDetails extends Static<typeof AttemptSchema> {}

export const CompensationSchema = Type.Object(
  {
    status: Type.Enum(["RUNNING", "SUCCESS", "FAILED"]),
    attempts: Count("Calls so far"),
    error: Type.Optional(TaskErrorSchema),
  },
  { ...closed, description: "How far its undoing is" },
);
/** How far the undoing of a task or a taskflow is. */
export interface CompensationDetails extends Static<typeof CompensationSchema> {}

const task = {
  id,
  stageId: id,
  name: text,
  index: Count("Its place in the stage"),
  type: Type.String({ description: "Type of the task" }),
  taskDetails: Type.Unsafe<AnyTaskDetails>({ description: "What its type asks for" }),
  params: anything("Params of the call"),
  options: EffectiveOptionsSchema,
  meta: Type.Unsafe<Record<string, unknown>>({ type: "object", description: "The task's own meta" }),
  status: Type.Enum(TASK_STATUSES),
  statusReason: Nullable(Type.Enum(STATUS_REASONS, { description: "Why it is not moving" })),
  attempt: Count("Number of the latest dispatch; 0 before the first"),
  attempts: Type.Array(AttemptSchema, { description: "The first 10 and the last 90" }),
  attemptsOmitted: Type.Optional(Count("Attempts between them")),
  response: anything("The exact JSON value of the answer; null if there is none"),
  error: Type.Optional(TaskErrorSchema),
  compensation: Type.Optional(CompensationSchema),
  nextAttemptAt: Type.Optional(Time("When a retry is due")),
  nestedTaskflows: Type.Array(text, { description: "Ids of the taskflows that its handler produced" }),
  nestedActiveRunningTaskFlowIds: Type.Array(text, { description: "Those of them that run" }),
  needs: Type.Array(text, { description: "Names of the tasks that it waits for" }),
};

/** Of a nested taskflow whose tree does not fit into the answer. */
const NestedHeadSchema = Type.Object(
  { taskflowId: TaskflowId, name: Nullable(text), status: Type.Enum(TASKFLOW_STATUSES), truncated: Type.Literal(true) },
  closed,
);
const NestedSchema = Type.Unsafe<Record<string, TaskflowDetails>>({
  type: "object",
  additionalProperties: { anyOf: [{ $ref: "TaskflowDetails" }, NestedHeadSchema] },
  description: "Trees of its nested taskflows by id, in getTaskflowDetails; where one does not fit, only its head",
});

export const TaskDetailsSchema = Type.Object({ ...task, nested: Type.Optional(NestedSchema) }, { ...closed, $id: "TaskDetails" });
/** A task in the tree of a taskflow. */
export interface TaskDetails extends Static<typeof TaskDetailsSchema> {}

const StageDetailsSchema = Type.Object(
  {
    id,
    name: text,
    index: Count("Its place in the taskflow"),
    status: Type.Enum(STAGE_STATUSES),
    startedAt: Nullable(Time("When it was entered")),
    finishedAt: Nullable(Time("When it ended")),
    tasks: Dictionary(Ref<TaskDetails>("TaskDetails"), "By task id, in order"),
    tasksOmitted: Type.Optional(Count("Tasks left out so that the answer fits into one message")),
  },
  closed,
);
/** A stage in the tree of a taskflow, its tasks by id, in order. */
export interface StageDetails extends Static<typeof StageDetailsSchema> {}

const ParentSchema = Type.Object(
  { taskflowId: TaskflowId, stageId: id, taskId: id, attempt: Count("Number of the attempt") },
  { ...closed, description: "The attempt whose handler produced it" },
);
/** The attempt whose handler produced a nested taskflow. */
export interface ParentTaskflowDetails extends Static<typeof ParentSchema> {}

export const AnnotationSchema = Type.Object({ type: text, value: anything("Any JSON"), at: Time("When it was added") }, closed);

/** What a row of `listTaskflows` has in common with the tree. */
export const summaryFields = {
  taskflowId: TaskflowId,
  name: Nullable(text),
  status: Type.Enum(TASKFLOW_STATUSES),
  createdAt: Time("When it was stored"),
  startedAt: Nullable(Time("When its first task was dispatched")),
  finishedAt: Nullable(Time("When it ended")),
  retryAttempt: Count("Manual retries so far"),
  tags: Type.Array(text),
  attributes: Dictionary(Type.Unsafe<string | number | boolean>({ type: ["string", "number", "boolean"] }), "For search"),
  tenant: Nullable(text),
  rootId: Type.String({ description: "The root of its tree of nested taskflows; its own id for a root" }),
  progress: Type.Integer({ minimum: 0, maximum: 100, description: "Percent of the tasks that are settled" }),
};

export const TaskflowDetailsSchema = Type.Object(
  {
    ...summaryFields,
    statusReason: Nullable(
      Type.String({
        description: "PAUSED or AWAITING_DECISION of one that is PAUSED, the reason given of one that is CANCELLED",
      }),
    ),
    revision: Count("Grows with each change; `expect.revision` names it"),
    options: EffectiveOptionsSchema,
    context: anything("Free data about the run"),
    annotations: Type.Array(AnnotationSchema),
    compensation: Type.Optional(CompensationSchema),
    parentTaskflowDetails: Nullable(ParentSchema),
    error: Type.Optional(TaskErrorSchema),
    stages: Dictionary(StageDetailsSchema, "By stage id, in order"),
    stagesOmitted: Type.Optional(Count("Stages at the end left out so that the answer fits into one message")),
    truncated: Type.Optional(Type.Boolean({ description: "Something was left out so that the answer fits into one message" })),
  },
  { ...closed, $id: "TaskflowDetails" },
);
/** The tree of a taskflow, as `getTaskflowDetails` answers it. */
export interface TaskflowDetails extends Static<typeof TaskflowDetailsSchema> {}

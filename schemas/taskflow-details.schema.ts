/**
 * The tree of a taskflow, as `getTaskflowDetails` returns it. Times are epoch milliseconds of the
 * store's clock; null: not yet.
 */
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
    data: Type.Optional(anything("Nested at most 64 deep")),
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
        { description: "The errors that caused it (`cause`, `errors`), nearest first: at most 5, of 4 KiB each" },
      ),
    ),
    stack: Type.Optional(text),
    nodeID: Type.Optional(Type.String({ description: "The node it comes from" })),
  },
  closed,
);
/**
 * The error of a task, an attempt or a taskflow. `type` is one of the catalogue, or the worker's
 * own.
 */
export interface TaskErrorDetails extends Static<typeof TaskErrorSchema> {}

const AttemptSchema = Type.Object(
  {
    attempt: Count("Its number, from 0; never reset"),
    deliveries: Type.Integer({ minimum: 1, description: "Counts from 1; each redelivery adds one" }),
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
    status: Type.Enum(["RUNNING", "SUCCESS", "FAILED", "CANCELLED", "SKIPPED"]),
    attempts: Count("Calls so far"),
    error: Type.Optional(TaskErrorSchema),
  },
  { ...closed, description: "State of its compensation" },
);
/** The state of the compensation of a task or a taskflow. */
export interface CompensationDetails extends Static<typeof CompensationSchema> {}

const whenSchema = Type.Optional(Type.String({ description: "Its condition" }));
const whenValuesSchema = Type.Optional(
  Type.Unsafe<Record<string, unknown>>({
    type: "object",
    description: "If its condition was false in this run: the values in it, by path",
  }),
);

const task = {
  id,
  stageId: id,
  name: text,
  index: Count("Its position in the stage"),
  type: Type.String({ description: "Type of the task" }),
  taskDetails: Type.Unsafe<AnyTaskDetails>({ description: "Defined by its type" }),
  params: anything("Params of the call"),
  resolvedParams: Type.Optional(anything("Params with their templates filled in, as the handler receives them")),
  when: whenSchema,
  whenValues: whenValuesSchema,
  options: EffectiveOptionsSchema,
  meta: Type.Unsafe<Record<string, unknown>>({ type: "object", description: "The task's own meta" }),
  status: Type.Enum(TASK_STATUSES),
  statusReason: Nullable(Type.Enum(STATUS_REASONS, { description: "Why it is not moving" })),
  attempt: Count("Number of the latest dispatch; 0 before the first"),
  attempts: Type.Array(AttemptSchema, { description: "The first 10 and the latest 90" }),
  attemptsOmitted: Type.Optional(Count("Attempts between them")),
  response: anything("The exact JSON value of the answer; null if there is none"),
  error: Type.Optional(TaskErrorSchema),
  compensation: Type.Optional(CompensationSchema),
  nextAttemptAt: Type.Optional(Time("When a retry is due")),
  nestedTaskflows: Type.Array(text, { description: "Ids of the taskflows that its handler produced" }),
  nestedActiveRunningTaskFlowIds: Type.Array(text, { description: "Those that are running" }),
  needs: Type.Array(text, { description: "Names of the tasks it waits for" }),
};

/** A nested taskflow whose tree does not fit into the answer. */
const NestedHeadSchema = Type.Object(
  { taskflowId: TaskflowId, name: Nullable(text), status: Type.Enum(TASKFLOW_STATUSES), truncated: Type.Literal(true) },
  closed,
);
const NestedSchema = Type.Unsafe<Record<string, TaskflowDetails>>({
  type: "object",
  additionalProperties: { anyOf: [{ $ref: "TaskflowDetails" }, NestedHeadSchema] },
  description: "Trees of its nested taskflows by id, in getTaskflowDetails; only the head of one that does not fit",
});

export const TaskDetailsSchema = Type.Object({ ...task, nested: Type.Optional(NestedSchema) }, { ...closed, $id: "TaskDetails" });
/** A task in the tree of a taskflow. */
export interface TaskDetails extends Static<typeof TaskDetailsSchema> {}

const StageDetailsSchema = Type.Object(
  {
    id,
    name: text,
    index: Count("Its position in the taskflow"),
    status: Type.Enum(STAGE_STATUSES),
    startedAt: Nullable(Time("When it was entered")),
    finishedAt: Nullable(Time("When it ended")),
    when: whenSchema,
    whenValues: whenValuesSchema,
    tasks: Dictionary(Ref<TaskDetails>("TaskDetails"), "By task id, in order"),
    tasksOmitted: Type.Optional(Count("Tasks omitted to fit the answer into one message")),
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

/** Fields that a row of `listTaskflows` and the tree have in common. */
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
  progress: Type.Integer({ minimum: 0, maximum: 100, description: "Percentage of settled tasks" }),
};

export const TaskflowDetailsSchema = Type.Object(
  {
    ...summaryFields,
    statusReason: Nullable(
      Type.String({
        description: "If it is PAUSED: PAUSED or AWAITING_DECISION; if it is CANCELLED: the given reason",
      }),
    ),
    revision: Count("Grows with each change; `expect.revision` names it"),
    options: EffectiveOptionsSchema,
    context: anything("Free data about the run"),
    annotations: Type.Array(AnnotationSchema),
    compensation: Type.Optional(CompensationSchema),
    parentTaskflowDetails: Nullable(ParentSchema),
    error: Type.Optional(TaskErrorSchema),
    output: Type.Optional(anything("Its output, once it has ended COMPLETED or PARTIAL_COMPLETED")),
    stages: Dictionary(StageDetailsSchema, "By stage id, in order"),
    stagesOmitted: Type.Optional(Count("Last stages omitted to fit the answer into one message")),
    truncated: Type.Optional(Type.Boolean({ description: "Parts are omitted to fit the answer into one message" })),
  },
  { ...closed, $id: "TaskflowDetails" },
);
/** The tree of a taskflow, as `getTaskflowDetails` returns it. */
export interface TaskflowDetails extends Static<typeof TaskflowDetailsSchema> {}

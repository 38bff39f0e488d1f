/**
 * Events: every stored change of status, as subscribers receive it, numbered per taskflow by `seq`
 * from 1 without gaps.
 */
import { Type, type Static } from "typebox";
import {
  Count,
  Dictionary,
  Nullable,
  Ref,
  STAGE_STATUSES,
  TASK_STATUSES,
  TASKFLOW_STATUSES,
  TaskflowId,
  type TaskStatus,
  Time,
} from "./common.schema.ts";
import { CompensationSchema, TaskErrorSchema, type TaskflowDetails } from "./taskflow-details.schema.ts";

const closed = { additionalProperties: false };
const text = Type.String();
const id = Type.String({ description: "A UUID" });
const taskflowStatus = Type.Enum(TASKFLOW_STATUSES);
const stageStatus = Type.Enum(STAGE_STATUSES);
const taskStatus = Type.Enum(TASK_STATUSES);

const output = Type.Optional(Type.Unknown({ description: "With COMPLETED and PARTIAL_COMPLETED, if it has one" }));

const head = {
  taskflowId: TaskflowId,
  name: Nullable(text),
  status: taskflowStatus,
  retryAttempt: Count("Manual retries so far"),
  revision: Count("Grows with each change"),
  progress: Type.Integer({ minimum: 0, maximum: 100 }),
};
const StateHeadSchema = Type.Object(head, closed);

const TaskStateSchema = Type.Object(
  {
    name: text,
    status: taskStatus,
    statusReason: Type.Optional(Type.Enum(["RETRY_DELAY"])),
    attempt: Type.Optional(Count("Number of the latest dispatch")),
    response: Type.Optional(Type.Unknown()),
    error: Type.Optional(TaskErrorSchema),
    compensation: Type.Optional(CompensationSchema),
  },
  closed,
);
/** A task in the tree of `eventTree: "state"`: only its variable fields that have a value. */
export interface TaskState extends Static<typeof TaskStateSchema> {}

const TaskflowStateSchema = Type.Object(
  {
    ...head,
    statusReason: Type.Optional(text),
    startedAt: Type.Optional(Time("When its first task was dispatched")),
    finishedAt: Type.Optional(Time("When it ended")),
    error: Type.Optional(TaskErrorSchema),
    compensation: Type.Optional(CompensationSchema),
    stages: Type.Optional(
      Dictionary(Type.Object({ name: text, status: stageStatus, tasks: Dictionary(TaskStateSchema, "By id") }, closed), "By id"),
    ),
    truncated: Type.Optional(Type.Literal(true)),
    counts: Type.Optional(
      Type.Unsafe<Partial<Record<TaskStatus, number>>>({
        type: "object",
        propertyNames: taskStatus,
        additionalProperties: Count("Tasks of this status"),
      }),
    ),
  },
  closed,
);
/**
 * `taskflowObject` of `eventTree: "state"`. Above the size limit, `counts` of tasks by status
 * replace `stages`.
 */
export interface TaskflowState extends Static<typeof TaskflowStateSchema> {}

const TaskflowObjectSchema = Type.Union([TaskflowStateSchema, Ref<TaskflowDetails>("TaskflowDetails"), StateHeadSchema]);
/**
 * The taskflow after the change, in the detail of its option `eventTree`: `state`, `full` or
 * `none`.
 */
export type TaskflowObject = Static<typeof TaskflowObjectSchema>;

const ofEvent = { seq: Type.Integer({ minimum: 1 }), timestamp: Time("When it was stored") };
const ofTaskflow = {
  taskflowId: TaskflowId,
  createdAt: Time("When the taskflow was stored: an id that was deleted and produced again has another"),
};
const taskflowObject = { taskflowObject: TaskflowObjectSchema };

const TaskEventSchema = Type.Object(
  {
    eventType: Type.Literal("TASK"),
    ...ofEvent,
    data: Type.Object(
      {
        ...ofTaskflow,
        stageId: id,
        stageName: text,
        taskId: id,
        taskName: text,
        attempt: Count("Number of the attempt"),
        taskStatus,
        taskResponse: Type.Unknown(),
        error: Type.Optional(TaskErrorSchema),
        compensates: Type.Optional(Type.String({ description: "Id of the task that this one undoes" })),
        ...taskflowObject,
      },
      closed,
    ),
  },
  closed,
);
/** The status of a task has changed. */
export interface TaskEvent extends Static<typeof TaskEventSchema> {}

const StageEventSchema = Type.Object(
  {
    eventType: Type.Literal("STAGE"),
    ...ofEvent,
    data: Type.Object({ ...ofTaskflow, stageId: id, stageName: text, stageStatus, ...taskflowObject }, closed),
  },
  closed,
);
/** The status of a stage has changed. */
export interface StageEvent extends Static<typeof StageEventSchema> {}

const FlowEventSchema = Type.Object(
  {
    eventType: Type.Literal("TASKFLOW"),
    ...ofEvent,
    data: Type.Object({ ...ofTaskflow, taskflowStatus, output, ...taskflowObject }, closed),
  },
  closed,
);
/** The status of the taskflow has changed. */
export interface FlowEvent extends Static<typeof FlowEventSchema> {}

const SnapshotEventSchema = Type.Object(
  {
    eventType: Type.Literal("SNAPSHOT"),
    seq: ofEvent.seq,
    timestamp: Type.Optional(ofEvent.timestamp),
    data: Type.Object({ ...ofTaskflow, ...taskflowObject }, closed),
  },
  closed,
);
/** Replaces all changes up to its `seq`, when the single events are no longer available. */
export interface SnapshotEvent extends Static<typeof SnapshotEventSchema> {}

/** An event of a taskflow; `eventType` distinguishes the kinds. */
export type TaskflowEvent = TaskEvent | StageEvent | FlowEvent | SnapshotEvent;
export const TaskflowEventSchema = Type.Unsafe<TaskflowEvent>({
  $id: "TaskflowEvent",
  anyOf: [TaskEventSchema, StageEventSchema, FlowEventSchema, SnapshotEventSchema],
});

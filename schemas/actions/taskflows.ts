/** Actions that produce and read taskflows. */
import { Type, type Static } from "typebox";
import {
  Count,
  Dictionary,
  Duration,
  Nullable,
  Ref,
  TASKFLOW_STATUSES,
  type TaskflowStatus,
  TaskflowId,
} from "../common.schema.ts";
import { type Explanation } from "../explanation.schema.ts";
import { FILTER } from "../filter.schema.ts";
import { summaryFields, type TaskflowDetails } from "../taskflow-details.schema.ts";
import type { TaskflowEvent } from "../taskflow-event.schema.ts";
import { ProducedTaskflowSchema } from "../taskflow.schema.ts";
import type { Action } from "./action.ts";
import { closed, cursor, nextCursor, pageSize, shown, taskflowId } from "./params.ts";

/** Default timeout of `waitForTaskflow`. */
export const DEFAULT_WAIT_MS = 60_000;
export const DEFAULT_LIST_SIZE = 50;
export const DEFAULT_EVENTS_SIZE = 500;

/** Answer of the actions that store a new taskflow. */
export const produced = {
  taskflowId,
  eventSubscription: Type.String({ description: "The NATS subject of its events" }),
  existing: Type.Optional(Type.Literal(true, { description: "It was already stored, and nothing was started" })),
};
const ProducedSchema = Type.Object(produced, closed);
/** Answer of `produce`. */
export interface Produced extends Static<typeof ProducedSchema> {}

const text = Type.String();
const SummarySchema = Type.Object(
  {
    ...summaryFields,
    status: Type.Enum([...TASKFLOW_STATUSES, "UNREADABLE"], {
      description: "UNREADABLE: it is damaged, or of a newer format; `unreadable` says why",
    }),
    unreadable: Type.Optional(Type.String({ description: "Why it cannot be read" })),
    parentTaskflowId: Nullable(text),
    template: Nullable(Type.String({ description: "The template it comes from" })),
    errorType: Nullable(Type.String({ description: "Type of its error, or of the first finally failed task's error" })),
  },
  closed,
);
/** A row of `listTaskflows`: a taskflow without its tasks. */
export interface TaskflowSummary extends Static<typeof SummarySchema> {}

export const StatusCounts = Type.Unsafe<Partial<Record<TaskflowStatus, number>>>({
  ...Dictionary(Count("Taskflows of this status"), "Matches by status"),
});

const tree = Ref<TaskflowDetails>("TaskflowDetails");

export const TASKFLOW_ACTIONS = {
  produce: {
    summary: "Stores a taskflow and starts it. With a `taskflowId` of your own, the call can be repeated safely.",
    kind: "command",
    right: "taskflow:produce",
    params: ProducedTaskflowSchema,
    answer: ProducedSchema,
    errors: ["TASKFLOW_OVERLOADED", "STORE_UNAVAILABLE", "PARENT_TASK_NOT_RUNNING", "NESTING_TOO_DEEP", "TASKFLOW_CONFLICT"],
  },
  getTaskflowDetails: {
    summary: "The whole tree, including nested taskflows.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object({ taskflowId, ...shown }, closed),
    answer: tree,
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STAGE_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
  listTaskflows: {
    summary: "Taskflows that match, with their numbers by status.",
    kind: "query",
    right: "taskflow:list",
    params: Type.Object(
      {
        ...FILTER,
        sort: Type.Optional(
          Type.Enum(["createdAt", "-createdAt"], { default: "createdAt", description: "Oldest or newest first" }),
        ),
        pageSize: pageSize(DEFAULT_LIST_SIZE),
        cursor,
      },
      closed,
    ),
    answer: Type.Object(
      {
        rows: Type.Array(SummarySchema, { description: "Fields of the tree, without its stages" }),
        nextCursor,
        counts: StatusCounts,
      },
      closed,
    ),
    errors: ["STORE_UNAVAILABLE"],
  },
  waitForTaskflow: {
    summary: "The tree once the taskflow is finished, whatever its status.",
    kind: "query",
    right: "taskflow:wait",
    params: Type.Object(
      {
        taskflowId,
        timeout: Type.Optional({ ...Duration(0, "How long to wait"), default: DEFAULT_WAIT_MS }),
        ...shown,
      },
      closed,
    ),
    answer: tree,
    errors: ["TASKFLOW_WAIT_TIMEOUT", "TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STAGE_NOT_FOUND", "STORE_UNAVAILABLE"],
  },
  getEvents: {
    summary: "Events of a taskflow from its history, in order.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object(
      {
        taskflowId,
        since: Type.Optional(
          Type.Integer({ minimum: 0, default: 0, description: "`seq` of the last event that the caller has" }),
        ),
        limit: pageSize(DEFAULT_EVENTS_SIZE),
      },
      closed,
    ),
    answer: Type.Object(
      {
        events: Type.Array(Ref<TaskflowEvent>("TaskflowEvent"), { description: "As many as fit into a message" }),
        lastSeq: Count("`seq` of the latest event"),
        finished: Type.Boolean({ description: "No event follows, unless the taskflow is retried" }),
      },
      closed,
    ),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STORE_UNAVAILABLE"],
  },
  explainTaskflow: {
    summary: "Why each unfinished part is not moving, and what would move it: in words and as data.",
    kind: "query",
    right: "taskflow:read",
    params: Type.Object({ taskflowId }, closed),
    answer: Ref<Explanation>("Explanation"),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STORE_UNAVAILABLE"],
  },
  deleteTaskflow: {
    summary: "Removes a finished taskflow with all its nested taskflows.",
    kind: "operator",
    right: "taskflow:delete",
    params: Type.Object({ taskflowId }, closed),
    answer: Type.Object({ taskflowId: TaskflowId }, closed),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "TASKFLOW_NOT_FINISHED", "STORE_UNAVAILABLE"],
  },
} satisfies Record<string, Action>;

/** The tree of a taskflow, as `getTaskflowDetails` answers it. Times are epoch milliseconds of the store's clock; null: not yet. */
import type { TASKFLOW_STATUSES, TASK_STATUSES } from "./common.schema.ts";
import type { ActionDetails } from "./taskflow.schema.ts";

export type TaskflowStatusName = (typeof TASKFLOW_STATUSES)[number];
export type StageStatusName = Exclude<TaskflowStatusName, "PAUSED"> | "SKIPPED";
export type TaskStatusName = (typeof TASK_STATUSES)[number];

/** Why something is not moving. */
export type StatusReason =
  | "RETRY_DELAY"
  | "NO_WORKER"
  | "CONCURRENCY_LIMIT"
  | "PAUSED"
  | "AWAITING_DECISION"
  | "AWAITING_EXTERNAL"
  | "AWAITING_TIME"
  | "AWAITING_SIGNAL"
  | "AWAITING_NESTED"
  | "NEEDS";

/** What is kept of an error: a type of the catalogue, or the worker's own. */
export interface TaskErrorDetails {
  type: string;
  name: string;
  message: string;
  code?: number | string;
  data?: unknown;
  stack?: string;
  nodeID?: string;
}

/** Effective options: names of the contract, durations in milliseconds, what is not set left out. */
export interface EffectiveOptions {
  timeout: number;
  maxAge?: number;
  maxRetries: number;
  retryDelay: number;
  backoff: { type: "fixed" | "linear" | "exponential"; factor: number; maxDelay?: number; jitter: number };
  continueOnTaskFailure: boolean;
  exactlyOnceTaskExecution: boolean;
  checkSuccess: boolean;
  maxConcurrency?: number;
  onFailure: "fail" | "pause" | "compensate";
  waitForNested: boolean;
  forwardContext: boolean;
  eventTree: "state" | "full" | "none";
}

/** One execution of a task. Times are epoch milliseconds of the store's clock. */
export interface AttemptDetails {
  attempt: number;
  /** 1 at first, one more with each repeated delivery of the same attempt. */
  deliveries: number;
  startedAt: number;
  finishedAt: number | null;
  nodeID: string | null;
  status: TaskStatusName;
  error?: TaskErrorDetails;
}

export interface CompensationDetails {
  status: "RUNNING" | "SUCCESS" | "FAILED";
  attempts: number;
  error?: TaskErrorDetails;
}

/** A task in the tree of a taskflow. */
export interface TaskDetails {
  id: string;
  stageId: string;
  name: string;
  index: number;
  type: string;
  taskDetails: ActionDetails;
  params: unknown;
  options: EffectiveOptions;
  meta: Record<string, unknown>;
  status: TaskStatusName;
  statusReason: StatusReason | null;
  /** Of the latest dispatch; 0 before the first. */
  attempt: number;
  /** The first 10 and the last 90. */
  attempts: AttemptDetails[];
  attemptsOmitted?: number;
  /** The exact JSON value of the answer; an absent one is null. */
  response: unknown;
  error?: TaskErrorDetails;
  compensation?: CompensationDetails;
  nextAttemptAt?: number;
  nestedTaskflows: string[];
  nestedActiveRunningTaskFlowIds: string[];
  needs: string[];
  /** Of getTaskflowDetails only. */
  nested?: Record<string, TaskflowDetails>;
}

/** A stage in the tree of a taskflow, its tasks by id, in order. */
export interface StageDetails {
  id: string;
  name: string;
  index: number;
  status: StageStatusName;
  startedAt: number | null;
  finishedAt: number | null;
  /** By task id, in order. */
  tasks: Record<string, TaskDetails>;
  /** In an answer that would not fit into one message. */
  tasksOmitted?: number;
}

export interface ParentTaskflowDetails {
  taskflowId: string;
  stageId: string;
  taskId: string;
  attempt: number;
}

/** The tree of a taskflow, as `getTaskflowDetails` answers it. */
export interface TaskflowDetails {
  taskflowId: string;
  name: string | null;
  status: TaskflowStatusName;
  statusReason: StatusReason | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  retryAttempt: number;
  revision: number;
  options: EffectiveOptions;
  context: unknown;
  tags: string[];
  attributes: Record<string, string | number | boolean>;
  annotations: { type: string; value: unknown; at: number }[];
  tenant: string | null;
  rootId: string;
  compensation?: CompensationDetails;
  parentTaskflowDetails: ParentTaskflowDetails | null;
  /** 0..100. */
  progress: number;
  error?: TaskErrorDetails;
  /** By stage id, in order. */
  stages: Record<string, StageDetails>;
  /** Stages at the end that are left out, where not even their heads fit into one message. */
  stagesOmitted?: number;
  /** Something was left out so that the answer fits into one message. */
  truncated?: boolean;
}

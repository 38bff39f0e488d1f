/** What subscribers see: every change of status, after it is stored, numbered per taskflow by `seq` from 1 without gaps. */
import type {
  StageStatusName,
  StatusReason,
  TaskErrorDetails,
  TaskStatusName,
  TaskflowDetails,
  TaskflowStatusName,
} from "./taskflow-details.ts";

interface StateHead {
  taskflowId: string;
  name: string | null;
  status: TaskflowStatusName;
  retryAttempt: number;
  revision: number;
  progress: number;
}

/** A task in the tree of `eventTree: "state"`: what can change, as far as there is something to tell. */
export interface TaskState {
  name: string;
  status: TaskStatusName;
  statusReason?: StatusReason;
  attempt?: number;
  response?: unknown;
  error?: TaskErrorDetails;
}

/** `taskflowObject` of `eventTree: "state"`. Over the size limit it has `counts` of tasks by status in place of `stages`. */
export interface TaskflowState extends StateHead {
  statusReason?: StatusReason;
  startedAt?: number | null;
  finishedAt?: number | null;
  error?: TaskErrorDetails;
  stages?: Record<string, { name: string; status: StageStatusName; tasks: Record<string, TaskState> }>;
  truncated?: boolean;
  counts?: Partial<Record<TaskStatusName, number>>;
}

/** The taskflow after the change: `state`, `full` or `none`, as its option `eventTree` says. */
export type TaskflowObject = TaskflowState | TaskflowDetails | StateHead;

interface EventHead {
  seq: number;
  /** Epoch milliseconds of the store's clock. */
  timestamp: number;
}

/** The status of a task has changed. */
export interface TaskEvent extends EventHead {
  eventType: "TASK";
  data: {
    taskflowId: string;
    stageId: string;
    taskId: string;
    attempt: number;
    taskStatus: TaskStatusName;
    taskResponse: unknown;
    error?: TaskErrorDetails;
    /** The id of the task that this one undoes (compensation); absent for all others. */
    compensates?: string;
    taskflowObject: TaskflowObject;
  };
}

/** The status of a stage has changed. */
export interface StageEvent extends EventHead {
  eventType: "STAGE";
  data: { taskflowId: string; stageId: string; stageStatus: StageStatusName; taskflowObject: TaskflowObject };
}

/** The status of the taskflow has changed. */
export interface FlowEvent extends EventHead {
  eventType: "TASKFLOW";
  data: { taskflowId: string; taskflowStatus: TaskflowStatusName; taskflowObject: TaskflowObject };
}

/** Stands for all changes up to its `seq`, where they are no longer told apart. */
export interface SnapshotEvent {
  eventType: "SNAPSHOT";
  seq: number;
  timestamp?: number;
  data: { taskflowId: string; taskflowObject: TaskflowObject };
}

/** An event of a taskflow, told apart by `eventType`. */
export type TaskflowEvent = TaskEvent | StageEvent | FlowEvent | SnapshotEvent;

/** What the actions of the service `taskflow` answer, as far as it has no schema of its own. */
import type { ActionName, ActionParams } from "../../schemas/actions.schema.ts";
import type { TaskDetails, TaskflowDetails } from "../../schemas/taskflow-details.schema.ts";

/** Answer of `produce`. */
export interface Produced {
  taskflowId: string;
  /** The NATS subject of its events. */
  eventSubscription: string;
  /** A taskflow of this id was stored before: nothing was started. */
  existing?: true;
}

/** A row of `listTaskflows`: a taskflow without its tasks. */
export type TaskflowSummary = Pick<
  TaskflowDetails,
  | "taskflowId"
  | "name"
  | "status"
  | "createdAt"
  | "startedAt"
  | "finishedAt"
  | "retryAttempt"
  | "progress"
  | "tags"
  | "attributes"
  | "tenant"
  | "rootId"
> & { parentTaskflowId: string | null; template: string | null; errorType: string | null };

/** One page of a list; without `nextCursor` it is the last. */
export interface Page<Row> {
  rows: Row[];
  nextCursor?: string;
}

/** A rule that keeps tasks from calling actions. */
export interface PausedActions {
  pattern: string;
  reason: string | null;
  /** When it was made. */
  since: number;
  /** The coordinator that started paused, whose own rule it is; null: it holds for all. */
  coordinator: string | null;
}

/** What a retry runs again: all of it if nothing is selected. */
export type RetryOptions = Omit<ActionParams["retryTaskflow"], "taskflowId">;

/** A task of a taskflow, by ids. */
export interface TaskPlace {
  stageId: string;
  taskId: string;
}

/** Answer of `retryTaskflow`, and of its dry run, which tells exactly what would happen. */
export interface Retried {
  taskflowId: string;
  /** Number of the run that has begun. */
  retryAttempt: number;
  /** What runs again. */
  retried: TaskPlace[];
  /** Of a dry run: what stays as it is. */
  reused?: TaskPlace[];
  /** Of a dry run: what would be undone. */
  compensated?: TaskPlace[];
  /** Of a dry run: what never ran, and would. */
  follows?: TaskPlace[];
  /** The lists were cut, so that the answer fits into one message. */
  truncated?: boolean;
}

/** Answer of `cancelTaskflow`, `pauseTaskflow` and `resumeTaskflow`. */
export interface Decided {
  taskflowId: string;
  status: TaskflowDetails["status"];
  statusReason?: TaskflowDetails["statusReason"];
  /** It was cancelled before. */
  alreadyFinished?: true;
}

/** Answer of `cancelTask`, `resolveTask` and `updateTask`. */
export interface TaskDecided extends TaskPlace {
  taskflowId: string;
  taskStatus: TaskDetails["status"];
  /** Of the taskflow. */
  status: TaskflowDetails["status"];
}

/** Params of an action about a taskflow, without its id. */
export type OfTaskflow<A extends ActionName> = Omit<ActionParams[A], "taskflowId">;
/** Params of an action about a task, without its ids. */
export type OfTask<A extends ActionName> = Omit<ActionParams[A], "taskflowId" | "taskId">;

/** Answer of `bulk`. */
export interface BulkDone {
  /** Of a bulk that was carried out: names it in the events of its progress. */
  bulkId?: string;
  /** Taskflows that match. */
  matched: number;
  done?: number;
  /** There was nothing to do: it had ended before, say. */
  skipped?: number;
  /** By the type of the error. */
  failed?: Record<string, number>;
  /** Of a dry run: what matches, by status. */
  counts?: Partial<Record<TaskflowDetails["status"], number>>;
  dryRun?: true;
}

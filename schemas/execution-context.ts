/** What a task's handler finds in `ctx.meta.taskflowExecutionContext`. */
import type { EffectiveOptions, TaskStatusName } from "./taskflow-details.ts";
import type { ActionDetails } from "./taskflow.schema.ts";

/** One task of the stage before, in definition order; a failed or skipped one has `response: null`. */
export interface PreviousStageResponse {
  taskName: string;
  taskId?: string;
  status?: TaskStatusName;
  response: unknown;
}

/** A value that travels by reference: `taskflow.getValue` and `taskflow.getPreviousStageRes` answer it in parts. */
export interface ValueReference {
  $ref: string;
  bytes: number;
  count?: number;
}

export interface ExecutionTaskInfo {
  id: string;
  attempt: number;
  meta: Record<string, unknown>;
  /** `{ $omitted: bytes }` where they are too large to travel twice; `ctx.params` has them. */
  params: unknown;
  options: EffectiveOptions;
  status: TaskStatusName;
  nestedActiveRunningTaskFlowIds: string[];
  nestedTaskflows: string[];
  name: string;
  type: string;
  taskDetails: ActionDetails;
}

/** What a handler is told of the run that it is part of: `ctx.meta.taskflowExecutionContext`. */
export interface TaskflowExecutionContext {
  /** Absent in the first stage. */
  previousStageRes?: PreviousStageResponse[] | ValueReference;
  taskflow: {
    id: string;
    stageId: string;
    createdAt: number;
    taskId: string;
    /** Counts the deliveries of this attempt, from 1. */
    delivery: number;
    /** Counts the owners of the taskflow: of two deliveries that of the higher one counts. */
    fence: number;
    taskInfo: ExecutionTaskInfo;
  };
  /** With the option `forwardContext`. */
  context?: unknown;
}

/** The execution context, `ctx.meta.taskflowExecutionContext` of a task's handler. */
import { Type, type Static } from "typebox";
import { TASK_STATUSES, type TaskStatus } from "./common.schema.ts";
import type { EffectiveOptions } from "./options.ts";
import type { TypeAndDetails } from "./task-types/index.ts";

export const PreviousStageResponseSchema = Type.Object(
  {
    taskName: Type.String(),
    taskId: Type.Optional(Type.String({ description: "A UUID" })),
    status: Type.Optional(Type.Enum(TASK_STATUSES)),
    response: Type.Unknown({ description: "null of a task that failed or was skipped" }),
  },
  { additionalProperties: false, $id: "PreviousStageResponse" },
);
/**
 * One task of the previous stage, in definition order; a failed or skipped one has `response:
 * null`.
 */
export interface PreviousStageResponse extends Static<typeof PreviousStageResponseSchema> {}

/**
 * A value that travels by reference: `taskflow.getValue` and `taskflow.getPreviousStageRes` return
 * it in chunks.
 */
export interface ValueReference {
  $ref: string;
  bytes: number;
  count?: number;
}

export type ExecutionTaskInfo = TypeAndDetails & {
  id: string;
  attempt: number;
  meta: Record<string, unknown>;
  /** `{ $omitted: bytes }` if they are too large to travel twice; `ctx.params` has them. */
  params: unknown;
  options: EffectiveOptions;
  status: TaskStatus;
  nestedActiveRunningTaskFlowIds: string[];
  nestedTaskflows: string[];
  name: string;
};

/** The run as its handlers see it: `ctx.meta.taskflowExecutionContext`. */
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
    /**
     * Counts the owners of the taskflow: of two deliveries, the one with the higher fence counts.
     */
    fence: number;
    taskInfo: ExecutionTaskInfo;
  };
  /** With the option `forwardContext`. */
  context?: unknown;
}

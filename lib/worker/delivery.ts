import type { Context } from "moleculer";
import type { TaskflowExecutionContext } from "../../schemas/execution-context.schema.ts";
import { readExecutionContext } from "../protocol/wire-context.ts";
import { actionNameOf } from "../protocol/action-name.ts";

/** One delivery of an attempt, as its worker sees it. */
export interface Delivery {
  readonly context: TaskflowExecutionContext;
  /** `taskflowId:taskId:attempt`. */
  readonly key: string;
  readonly action: string;
  readonly delivery: number;
  readonly fence: number;
  readonly exactlyOnce: boolean;
  /** Of the attempt, ms. */
  readonly timeoutMs: number | undefined;
}

/**
 * The delivery that a call carries; undefined if no task called this action itself. Calls below a
 * handler carry the context too: their level, and the action that the task names, tell them apart.
 */
export function deliveryOf(ctx: Context): Delivery | undefined {
  if (ctx.level > 1) return undefined;
  const context = readExecutionContext(ctx.meta) as TaskflowExecutionContext | undefined;
  const taskflow = context?.taskflow;
  const info = taskflow?.taskInfo;
  const action = ctx.action?.name;
  if (!context || typeof taskflow?.id !== "string" || typeof info?.taskDetails !== "object" || action === undefined)
    return undefined;
  if (info.type !== "ACTION" || actionNameOf(info.taskDetails) !== action) return undefined;
  const { timeout, exactlyOnceTaskExecution } = info.options ?? {};
  return {
    context,
    key: `${taskflow.id}:${taskflow.taskId}:${info.attempt}`,
    action,
    // Coordinators of earlier versions omit these.
    delivery: taskflow.delivery ?? 1,
    fence: taskflow.fence ?? 0,
    exactlyOnce: exactlyOnceTaskExecution,
    timeoutMs: typeof timeout === "number" ? timeout : undefined,
  };
}

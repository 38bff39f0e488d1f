/**
 * What a finished taskflow must look like, worked out from its tasks by the rules of the contract
 * alone.
 */
import type { Flow } from "../../lib/core/model/flow.ts";
import type { FlowRecord } from "./record.ts";

interface Outcomes {
  readonly success: number;
  readonly failed: number;
  readonly open: number;
  readonly blocking: number;
}

function outcomesOf(record: FlowRecord, ordinals: readonly number[]): Outcomes {
  const tasks = ordinals.map((ordinal) => ({ task: record.flow.tasks[ordinal], plan: record.taskOf(ordinal).plan }));
  const count = (matches: (one: (typeof tasks)[number]) => boolean): number => tasks.filter(matches).length;
  const reach = (error: { message: string } | null | undefined, ordinal: number): string | undefined =>
    error ? record.taskOf(ordinal).latest?.hasFailed(error.message)?.abort : undefined;
  return {
    success: count(({ task }) => task?.status === "SUCCESS"),
    failed: count(({ task }) => task?.status === "FAILED"),
    open: count(({ task }) => task?.status === "WAITING"),
    blocking: count(({ task, plan }) => {
      if (task?.status !== "FAILED") return false;
      const far = reach(task.error, plan.ordinal);
      return far === "workflow" || (far !== "task" && !plan.options.continueOnTaskFailure);
    }),
  };
}

/** Statuses of the stages, then of the taskflow. */
export function expectedStatuses(record: FlowRecord): string[] {
  const outcomes = record.plan.stages.map((ordinals) => outcomesOf(record, ordinals));
  const total = (of: keyof Outcomes): number => outcomes.reduce((sum, one) => sum + one[of], 0);
  const isPast = record.flow.error?.type === "MAX_AGE_EXCEEDED" && isPastAge(record);
  const stages = outcomes.map(({ success, failed, open }) => {
    if (success + failed === 0) return "WAITING";
    if (failed + open === 0) return "COMPLETED";
    return success > 0 ? "PARTIAL_COMPLETED" : "FAILED";
  });
  const stoppedEarly = total("blocking") > 0 || isPast;
  if (stoppedEarly || total("success") === 0) return [...stages, "FAILED"];
  if (total("open") > 0) return [...stages, "not finished"];
  return [...stages, total("failed") === 0 ? "COMPLETED" : "PARTIAL_COMPLETED"];
}

function isPastAge({ plan, flow }: FlowRecord): boolean {
  const { maxAge } = plan.options;
  return maxAge !== undefined && (flow.finishedAt ?? 0) >= flow.createdAt + maxAge;
}

export function actualStatuses(flow: Flow): string[] {
  return [...flow.stages.map(({ status }) => status), flow.status];
}

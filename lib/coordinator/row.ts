/** The row of a taskflow in the store, derived from its state. */
import { progressOf } from "../core/details.ts";
import { nextDue } from "../core/due.ts";
import type { Fact } from "../core/facts.ts";
import { type Flow, isFinished } from "../core/flow.ts";
import type { RowChange, TaskflowRow } from "../ports/store.ts";
import { FORMAT } from "./settings.ts";

/** What of a row may change, as the taskflow is now. */
export function rowOf(flow: Flow): Required<Omit<RowChange, "owner" | "dueAt">> {
  return {
    status: flow.status,
    errorType: isFinished(flow.status) ? errorTypeOf(flow) : null,
    startedAt: flow.startedAt,
    finishedAt: flow.finishedAt,
    retryAttempt: flow.retryAttempt,
    progress: progressOf(flow),
  };
}

export function newRow(flow: Flow, owner: string): TaskflowRow {
  const { definition } = flow;
  return {
    taskflowId: flow.taskflowId,
    name: flow.name,
    owner,
    fence: flow.fence,
    dueAt: 0,
    rootId: flow.rootId,
    parentTaskflowId: null,
    tenant: definition.tenant ?? null,
    template: null,
    tags: definition.tags ?? [],
    attributes: definition.attributes ?? {},
    createdAt: flow.createdAt,
    format: FORMAT,
    ...rowOf(flow),
  };
}

/**
 * The row changes with the taskflow's status, and when it begins or ends to wait for long: a busy taskflow writes its journal and nothing else.
 * @param before when it is due, as the row says it now
 */
export function rowChange(flow: Flow, facts: readonly Fact[], before: number, dueAt: number): RowChange | undefined {
  const due = dueAt === before ? undefined : { dueAt };
  if (!facts.some((fact) => fact.kind === "flow")) return due;
  return { ...rowOf(flow), ...due };
}

/** When it is due, 0 if that is soon. */
export function dueAtOf(flow: Flow, now: number, parkMs: number): number {
  const next = nextDue(flow);
  return next > now + parkMs ? next : 0;
}

function errorTypeOf(flow: Flow): string | null {
  if (flow.error) return flow.error.type;
  if (flow.stages.every((stage) => stage.count.failed === 0)) return null;
  return flow.tasks.find((task) => task.error !== null)?.error?.type ?? null;
}

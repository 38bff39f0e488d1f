/** The row of a taskflow in the store, derived from its state. */
import { progressOf } from "../core/details.ts";
import type { Fact } from "../core/facts.ts";
import { type Flow, isFinished } from "../core/flow.ts";
import type { RowChange, TaskflowRow } from "../ports/store.ts";
import { FORMAT } from "./settings.ts";

/** What of a row may change, as the taskflow is now. */
export function rowOf(flow: Flow): Required<Omit<RowChange, "owner">> {
  return {
    status: flow.status,
    dueAt: 0,
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

/** The row changes with the taskflow's status only: a busy taskflow writes its journal and nothing else. */
export function rowChange(flow: Flow, facts: readonly Fact[]): RowChange | undefined {
  if (!facts.some((fact) => fact.kind === "flow")) return undefined;
  return rowOf(flow);
}

function errorTypeOf(flow: Flow): string | null {
  if (flow.error) return flow.error.type;
  if (flow.stages.every((stage) => stage.count.failed === 0)) return null;
  return flow.tasks.find((task) => task.error !== null)?.error?.type ?? null;
}

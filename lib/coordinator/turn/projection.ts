/** The row of a taskflow in the store, derived from its state. */
import { progressOf } from "../../core/views/details.ts";
import { nextDue } from "../../core/views/due.ts";
import type { Created, Fact } from "../../core/journal/facts.ts";
import { type Flow, isFinished, isOver } from "../../core/model/flow.ts";
import type { RowChange, TaskflowRow, Write } from "../../ports/store.ts";
import { rowAnnotation } from "../../ports/row-annotation.ts";
import { FORMAT, type CoordinatorSettings } from "./settings.ts";
import { encodeEntry } from "../../core/journal/journal.ts";
import type { Resident } from "./resident.ts";

/**
 * The fields of a row that may change, as the taskflow is now. Annotations are never removed, so
 * none is the same as no change.
 */
export function projectionOf(
  flow: Flow,
): Required<Omit<RowChange, "owner" | "dueAt" | "annotations">> & Pick<RowChange, "annotations"> {
  // One that is over needs no owner any more; to the store all others are unfinished.
  const isDone = isOver(flow);
  return {
    ...(flow.annotations.length > 0 ? { annotations: flow.annotations.map(rowAnnotation) } : {}),
    // A finished taskflow that still has work keeps its owner, and is taken over like any other.
    status: isDone || !isFinished(flow.status) ? flow.status : "RUNNING",
    errorType: isDone ? errorTypeOf(flow) : null,
    startedAt: flow.startedAt,
    finishedAt: isDone ? flow.finishedAt : null,
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
    parentTaskflowId: flow.parent?.taskflowId ?? null,
    tenant: definition.tenant ?? null,
    template: null,
    tags: definition.tags ?? [],
    attributes: definition.attributes ?? {},
    annotations: [],
    createdAt: flow.createdAt,
    format: FORMAT,
    ...projectionOf(flow),
  };
}

const TOLD_BY_ROWS: ReadonlySet<Fact["kind"]> = new Set(["flow", "annotated", "owned"]);

/**
 * The row changes with the taskflow's status and annotations, and when a long wait begins or ends:
 * a busy taskflow writes its journal only. The row of a taskflow that is over is always written:
 * before, it may have been compensating, or reopened for a command. A new owner writes all of it,
 * because the former one may have died before the row followed its last entry.
 * @param before `dueAt` in the row as it is now
 */
export function rowChange(flow: Flow, facts: readonly Fact[], before: number, dueAt: number): RowChange | undefined {
  const due = dueAt === before ? undefined : { dueAt };
  if (!isOver(flow) && !facts.some(({ kind }) => TOLD_BY_ROWS.has(kind))) return due;
  return { ...projectionOf(flow), ...due };
}

/** When it is due, 0 if that is soon. */
export function dueAtOf(flow: Flow, now: number, parkMs: number): number {
  const next = nextDue(flow, now);
  return next > now + parkMs ? next : 0;
}

function errorTypeOf(flow: Flow): string | null {
  if (flow.error) return flow.error.type;
  if (flow.stages.every((stage) => stage.count.failed === 0)) return null;
  return flow.tasks.find((task) => task.error !== null)?.error?.type ?? null;
}
/**
 * The write for a decided taskflow; undefined if nothing changed. Increments the revision and notes
 * when the taskflow is due.
 */
export function writeOf(
  resident: Resident,
  facts: readonly Fact[],
  at: number,
  settings: CoordinatorSettings,
): Write | undefined {
  const { flow, creation } = resident;
  const { taskflowId, idBase, meta, definition, parent, rootId, depth, parentContext } = flow;
  if (creation) {
    const { defaults, owner } = settings;
    const nested = parent ? { nested: { parent, rootId, depth, context: parentContext } } : {};
    const created: Created = { kind: "created", taskflowId, idBase, defaults, meta, definition, ...nested };
    return { kind: "create", row: newRow(flow, owner), entry: encodeEntry(at, [created, ...facts], creation.text) };
  }
  if (facts.length === 0) return undefined;
  flow.revision++;
  const dueAt = dueAtOf(flow, at, settings.parkMs);
  const row = rowChange(flow, facts, resident.dueAt, dueAt);
  resident.dueAt = dueAt;
  const entry = encodeEntry(at, facts);
  const isTakeover = facts.some(({ kind }) => kind === "owned");
  return {
    kind: "append",
    taskflowId,
    revision: flow.revision,
    entry,
    ...(row ? { row } : {}),
    ...(isTakeover ? { isTakeover } : {}),
  };
}

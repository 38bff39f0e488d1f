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

/** What of a row may change, as the taskflow is now. Annotations are never taken back, so that none need no saying. */
export function projectionOf(
  flow: Flow,
): Required<Omit<RowChange, "owner" | "dueAt" | "annotations">> & Pick<RowChange, "annotations"> {
  // One that is over needs no owner any more; to the store all others are unfinished.
  const isDone = isOver(flow);
  return {
    ...(flow.annotations.length > 0 ? { annotations: flow.annotations.map(rowAnnotation) } : {}),
    // One that is finished and still has something to do keeps its owner, and is taken over like any other.
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
 * The row changes with the taskflow's status and annotations, and when it begins or ends to wait for long: a busy taskflow writes its journal and nothing
 * else. What is stored of one that is over is the last for the time being: it may have been compensating, or was taken for a decision, and its row says that
 * it runs. A new owner writes all of it: his predecessor may have died before the row followed his last entry.
 * @param before when it is due, as the row says it now
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
/** What is to be stored of a taskflow that was decided; undefined if nothing changed. It counts the taskflow's revision on, and notes when it is due. */
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

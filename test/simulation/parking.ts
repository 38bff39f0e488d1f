/**
 * What is parked: that nothing can happen to it meanwhile, and that it is in memory again when
 * something can.
 */
import { isFinished } from "../../lib/core/model/flow.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

/** Longer than the store takes for a page of rows and what is behind them. */
const READ_MS = 1_500;

/** The row is never due later than is true. */
export function checkDue(record: FlowRecord): void {
  const due = latestDue(record);
  if (!record.decisions.haveAny && !isFinished(record.flow.status) && record.row.dueAt > due)
    record.world.report(25, `${record.taskflowId} is due at ${due}, its row says ${record.row.dueAt}`);
}

/** The latest time that the row may tell, worked out from the plan. */
function latestDue({ plan, flow, tasks }: FlowRecord): number {
  const stage = flow.stages.find(({ status }) => status === "RUNNING");
  if (!stage) return 0;
  let due = plan.options.maxAge === undefined ? Infinity : flow.createdAt + plan.options.maxAge;
  for (const { status, ordinal, retryAt } of stage.tasks) {
    const task = tasks[ordinal];
    if (status === "RUNNING") return 0;
    if (status !== "WAITING" || !task) continue;
    due = Math.min(due, retryAt ?? 0, task.dueSince + (task.plan.options.maxAge ?? Infinity));
  }
  return due;
}

/** Who has it in the store. */
function ownerOf(world: World, { row }: FlowRecord): Incarnation | undefined {
  return world.fleet.incarnations.find(({ owner }) => owner === row.owner);
}

/** Notes what has come into memory and left it. */
export function watchMemory(world: World): void {
  for (const incarnation of world.fleet.incarnations) if (incarnation.isFull) incarnation.fullAt = world.agenda.time;
  for (const record of world.store.records.values()) {
    const incarnation = isFinished(record.row.status) ? undefined : ownerOf(world, record);
    const keeper = incarnation?.cares(record) ? incarnation : undefined;
    if (keeper === record.keeper) continue;
    if (record.keeper && incarnation === record.keeper && record.row.dueAt > 0) {
      world.count("world: taskflow parked");
      world.note(() => `    ${incarnation.owner} parks ${record.taskflowId}`);
      record.isParked = true;
    } else if (keeper && record.isParked) {
      world.count("world: parked taskflow read again");
      record.isParked = false;
    }
    record.keeper = keeper;
    record.keptSince = world.agenda.time;
  }
}

/** Somebody has it, in memory or for later. */
export function isInCare(incarnation: Incarnation, record: FlowRecord): boolean {
  if (incarnation.cares(record)) return true;
  return (
    record.row.owner === incarnation.owner &&
    (record.row.dueAt > incarnation.now || record.world.agenda.time < incarnation.fullAt + READ_MS)
  );
}

export function checkParked(world: World): void {
  for (const record of world.unfinished) {
    const incarnation = ownerOf(world, record);
    if (!incarnation || record.keeper || !incarnation.hasStarted || incarnation.isFrozen || incarnation.isStopping) continue;
    const dueAt = record.row.dueAt - incarnation.now + world.agenda.time;
    const { ownedAt, keptSince } = record;
    const waited =
      world.agenda.time - Math.max(dueAt, ownedAt, keptSince, incarnation.fullAt, incarnation.startedAt, incarnation.thawedAt);
    if (waited > READ_MS)
      world.report(37, `${record.taskflowId} is due for ${waited} ms and not in the memory of ${incarnation.owner}`);
  }
}

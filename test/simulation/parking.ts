/** What is parked: that nothing can happen to it meanwhile, and that it is in memory again when something can. */
import { isFinished } from "../../lib/core/model/flow.ts";
import type { Life } from "./life.ts";
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
function ownerOf(world: World, { row }: FlowRecord): Life | undefined {
  return world.fleet.lives.find(({ owner }) => owner === row.owner);
}

/** Notes what has come into memory and left it. */
export function watchMemory(world: World): void {
  for (const life of world.fleet.lives) if (life.isFull) life.fullAt = world.agenda.time;
  for (const record of world.store.records.values()) {
    const life = isFinished(record.row.status) ? undefined : ownerOf(world, record);
    const keeper = life?.cares(record) ? life : undefined;
    if (keeper === record.keeper) continue;
    if (record.keeper && life === record.keeper && record.row.dueAt > 0) {
      world.count("world: taskflow parked");
      world.note(() => `    ${life.owner} parks ${record.taskflowId}`);
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
export function isInCare(life: Life, record: FlowRecord): boolean {
  if (life.cares(record)) return true;
  return record.row.owner === life.owner && (record.row.dueAt > life.now || record.world.agenda.time < life.fullAt + READ_MS);
}

export function checkParked(world: World): void {
  for (const record of world.unfinished) {
    const life = ownerOf(world, record);
    if (!life || record.keeper || !life.hasStarted || life.isFrozen || life.isStopping) continue;
    const dueAt = record.row.dueAt - life.now + world.agenda.time;
    const { ownedAt, keptSince } = record;
    const waited = world.agenda.time - Math.max(dueAt, ownedAt, keptSince, life.fullAt, life.startedAt, life.thawedAt);
    if (waited > READ_MS) world.report(37, `${record.taskflowId} is due for ${waited} ms and not in the memory of ${life.owner}`);
  }
}

/** What a coordinator leaves behind, by dying or by giving it up, is another one's soon. */
import { isFinished } from "../../lib/core/model/flow.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

/** By the contract, in addition to the lease. */
const SLACK_MS = 2_000;
/** Longer than a commit and a release take. */
const GIVE_UP_MS = 500;

export function checkTakeover(world: World): void {
  if (!world.checksTakeover) return;
  for (const record of world.store.records.values()) {
    if (isFinished(record.row.status)) continue;
    checkGivenUp(world, record);
    const since = leftSince(world, record);
    if (since === undefined) continue;
    const limit = world.leaseMs + SLACK_MS;
    for (const incarnation of world.fleet.incarnations) {
      if (!looksAfterOthers(incarnation)) continue;
      const waited = world.agenda.time - Math.max(since, incarnation.startedAt, incarnation.thawedAt, world.ownershipAt);
      if (waited > limit)
        world.report(32, `${record.taskflowId} has been nobody's for ${waited} ms, and ${incarnation.owner} is there`);
    }
  }
}

/** Contract 10: a taskflow is handed over as soon as nothing of it runs here. */
function checkGivenUp(world: World, { driver, row, flow, storedAt, ownedAt, taskflowId }: FlowRecord): void {
  const { isAlive, isFrozen, isStopping, stoppingAt, thawedAt, owner } = driver;
  if (!world.checksPromptness || !isAlive || isFrozen || !isStopping || row.owner !== owner) return;
  const waited = world.agenda.time - Math.max(stoppingAt, thawedAt, storedAt, ownedAt);
  const isIdle = flow.tasks.every(({ status }) => status !== "RUNNING");
  if (isIdle && waited > GIVE_UP_MS)
    world.report(32, `${taskflowId} is kept for ${waited} ms by ${owner}, which is to end, and nothing of it runs`);
}

const looksAfterOthers = ({ hasStarted, isFrozen, isStopping }: Incarnation): boolean => hasStarted && !isFrozen && !isStopping;

/** Virtual time since which nobody has it; undefined: its owner lives. */
function leftSince(world: World, { row, ownedAt }: FlowRecord): number | undefined {
  if (row.owner === null) return ownedAt;
  const downSince = world.fleet.downSince.get(row.owner);
  return downSince === undefined ? undefined : Math.max(downSince, ownedAt);
}

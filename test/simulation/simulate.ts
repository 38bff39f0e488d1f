/**
 * Runs one seed: one event after the other, each followed by the checks, until everything is
 * finished or something does not hold.
 */
import { historyOf } from "../../lib/core/views/history.ts";
import { isFinished } from "../../lib/core/model/flow.ts";
import { replay } from "../../lib/core/journal/journal.ts";
import { withoutResponse, withoutTree } from "./expected-event.ts";
import type { Incarnation } from "./incarnation.ts";
import { differenceOf } from "./memory.ts";
import { actualStatuses, expectedStatuses } from "./oracle.ts";
import type { PropertyNumber, Violation } from "./properties.ts";
import { watchMemory } from "./parking.ts";
import { checkPromptness } from "./promptness.ts";
import type { FlowRecord } from "./record.ts";
import { checkTakeover } from "./takeover.ts";
import type { Statistics } from "./statistics.ts";
import { World } from "./world.ts";

/**
 * Turns that promises are given after each event: more than any chain of them in the coordinator
 * takes.
 */
const PROMISE_TURNS = 20;
/** In this time after the faults everything has to be finished. */
const PATIENCE_MS = 1_200_000;
/**
 * After the last end, beside a lease: longer than most answers and timers take, and than an end
 * takes to be announced by somebody else.
 */
const AFTERMATH_MS = 6_000;

const SETTLED = Promise.resolve();

export interface Run {
  readonly violation: Violation | undefined;
  readonly statistics: Statistics;
  readonly events: number;
}

export async function simulate(seed: number, mutations: ReadonlySet<string> = new Set(), trace?: string[]): Promise<Run> {
  const world = new World(seed, mutations, trace);
  let events = 0;
  let finishedAt: number | undefined;
  while (!world.violation) {
    const run = world.agenda.next();
    if (!run) break;
    const { time } = world.agenda;
    if (finishedAt !== undefined && time > Math.max(finishedAt, world.ownershipAt) + world.leaseMs + AFTERMATH_MS) break;
    run();
    events++;
    for (let turn = 0; turn < PROMISE_TURNS; turn++) await SETTLED;
    await checkMemory(world);
    checkSlots(world);
    watchMemory(world);
    checkPromptness(world);
    checkTakeover(world);
    finishedAt ??= isOver(world) ? time : undefined;
    if (finishedAt === undefined && time > world.calmAt + PATIENCE_MS) reportStuck(world);
  }
  if (!world.violation) checkEnd(world);
  return { violation: world.violation, statistics: world.statistics, events };
}

function isOver(world: World): boolean {
  return (
    world.isCalm &&
    // Somebody is there to tell what those before may not have told.
    world.fleet.incarnations.some(({ hasStarted }) => hasStarted) &&
    world.clients.every(({ isDone }) => isDone) &&
    world.operators?.areDone !== false &&
    world.unfinished.length === 0
  );
}

function reportStuck(world: World): void {
  const stuck = world.unfinished.map(
    ({ taskflowId, flow }) =>
      `${taskflowId}: ${flow.status}, stages ${flow.stages.map(({ status, tasks }) => `${status} (${tasks.map((task) => task.status).join(" ")})`).join(", ")}`,
  );
  const waiting = world.clients
    .filter(({ isDone }) => !isDone)
    .map(({ taskflowId }) => `produce of ${taskflowId} is not answered`);
  const orders = world.operators?.orders.filter(({ isDone }) => !isDone) ?? [];
  const unheard = orders.map(({ order }) => `${JSON.stringify(order)} is not answered`);
  world.report(2, [...stuck, ...waiting, ...unheard].join("; "));
}

/** After a commit, what the coordinator has in memory is what the journal tells. */
async function checkMemory(world: World): Promise<void> {
  if (world.store.changed.size === 0) return;
  for (const record of world.store.changed) {
    for (const incarnation of world.fleet.incarnations) {
      if (incarnation.isFrozen || !incarnation.cares(record)) continue;
      // Answers at once if nothing is under way; else there is nothing to compare yet.
      incarnation.coordinator.peek(record.taskflowId).then(
        (memory) => {
          if (!memory || memory.revision !== record.flow.revision) return;
          const difference = differenceOf(memory, record.flow);
          if (difference !== undefined) world.report(14, `${record.taskflowId}: ${difference}`);
          checkKept(world, record, incarnation);
        },
        () => {},
      );
    }
  }
  world.store.changed.clear();
  for (let turn = 0; turn < 4; turn++) await SETTLED;
}

/** What has ended has given its slot back. */
function checkKept(world: World, { taskflowId, flow }: FlowRecord, { coordinator }: Incarnation): void {
  const resident = coordinator.inspect(taskflowId);
  // What is being read back or stored is not carried out yet.
  if (resident?.state !== "idle") return;
  for (const task of resident.pending.keys()) {
    const status = flow.tasks[task]?.status;
    if (status !== "RUNNING") world.report(21, `a slot is kept for task ${task} of ${taskflowId}, which is ${status}`);
  }
}

function checkSlots(world: World): void {
  for (const { coordinator, isFrozen, outstanding } of world.fleet.incarnations) {
    const { inFlight } = coordinator;
    if (inFlight < 0 || inFlight > world.maxInFlight)
      world.report(18, `${inFlight} attempts are in flight; the limit is ${world.maxInFlight}`);
    if (isFrozen || outstanding.size <= world.maxInFlight) continue;
    for (const [key, until] of outstanding) if (until <= world.agenda.time) outstanding.delete(key);
    if (outstanding.size > world.maxInFlight && !world.wentBack)
      world.report(18, `${outstanding.size} deliveries are out; the limit is ${world.maxInFlight}`);
  }
}

function checkEnd(world: World): void {
  for (const record of world.store.records.values()) checkFinished(world, record);
  for (const order of world.operators?.orders ?? []) order.checkEnd();
  for (const { coordinator, timers, isStopping } of world.fleet.incarnations) {
    if (isStopping) continue;
    if (coordinator.inFlight !== 0 || coordinator.active !== 0)
      world.report(21, `${coordinator.inFlight} slots and ${coordinator.active} taskflows are left`);
    // The look for workers, the beat, and the sweep; each late answer is listened for until its
    // time.
    const expected = 3 + coordinator.lateListening;
    if (timers > expected) world.report(22, `${timers - expected} timers are left`);
  }
  for (const client of world.clients) {
    for (const { taskflowId } of client.answers)
      if (!world.store.records.has(taskflowId)) world.report(1, `${taskflowId} was answered and is not stored`);
  }
}

function checkFinished(world: World, record: FlowRecord): void {
  const { flow, taskflowId, entries } = record;
  const fail = (property: PropertyNumber, what: string): void => world.report(property, `${taskflowId}: ${what}`);
  if (!isFinished(flow.status)) return fail(2, `is ${flow.status} at the end`);
  record.checkRow();
  const expected = expectedStatuses(record);
  const actual = actualStatuses(flow);
  if (!record.decisions.haveAny && expected.join(" ") !== actual.join(" "))
    fail(19, `statuses are ${actual.join(" ")}; by the tasks they should be ${expected.join(" ")}`);
  const replayed = replay(entries);
  const difference = differenceOf(replayed, flow);
  if (difference !== undefined) fail(14, `replayed as a whole: ${difference}`);
  checkHistory(record, fail);
}

function checkHistory(record: FlowRecord, fail: (property: PropertyNumber, what: string) => void): void {
  const { world, entries, flow, events, announced } = record;
  const history = historyOf(entries, flow, 0, Infinity, 4_096);
  if (history.lastSeq !== events.length || history.events.length !== events.length)
    return fail(12, `the history has ${history.events.length} events of ${events.length}`);
  history.events.forEach(({ text }, index) => {
    const told = withoutTree(text);
    const expected = events[index] as string;
    if (told !== expected && told !== withoutResponse(expected))
      fail(13, `the history tells event ${index + 1} as ${told}; it was ${expected}`);
  });
  const mayMiss = !world.hasAudience || world.faults["event lost"] > 0;
  if (!mayMiss && announced.size !== events.length)
    fail(29, `${events.length - announced.size} of ${events.length} events were not announced`);
}

/** Nothing that could go on waits for a timer that has nothing to do with it. */
import { targetOf } from "../../lib/core/model/task-type.ts";
import { TYPES } from "../helpers/core-run.ts";
import type { Task } from "../../lib/core/model/flow.ts";
import type { Incarnation } from "./incarnation.ts";
import { checkParked, isInCare } from "./parking.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";
import type { World } from "./world.ts";

/** Longer than the store takes twice, and than the coordinator looks for workers. */
const PROMPT_MS = 1_500;
/** Longer than what was read from a store with faults takes to be read again. */
const CARE_MS = 5_000;
/** Longer than a store with faults takes to be written, and read again. */
const PATIENCE_MS = 10_000;
/** How often a worker that is at it is asked again. */
const ASK_AGAIN_MS = 5_000;

export function checkPromptness(world: World): void {
  checkCare(world);
  for (const record of world.unfinished) {
    checkSuspects(world, record);
    if (!record.decisions.haveAny) checkAges(world, record);
  }
  if (!world.checksPromptness) return;
  checkParked(world);
  for (const incarnation of world.fleet.incarnations) {
    const isAble =
      incarnation.hasStarted && !incarnation.isFrozen && !incarnation.isStopping && incarnation.heldUntil > world.agenda.time;
    if (!isAble || incarnation.coordinator.inFlight >= world.maxInFlight) incarnation.freeSince = undefined;
    else incarnation.freeSince ??= world.agenda.time;
  }
  for (const record of world.unfinished) {
    const { driver, row } = record;
    // Whoever has claimed it meanwhile has to read it first.
    if (!driver.isAlive || driver.isFrozen || driver.isStopping || row.owner !== driver.owner || !record.keeper) continue;
    if (!record.decisions.haveAny) checkRecord(world, record, driver);
  }
}

function checkRecord(world: World, record: FlowRecord, incarnation: Incarnation): void {
  const { flow, plan, drivenSince, ownedAt, keptSince } = record;
  const stage = flow.stages.find(({ status }) => status === "RUNNING");
  if (!stage || flow.aborting) return;
  const { maxConcurrency } = plan.stageOptions[stage.index] ?? {};
  for (const task of stage.tasks) checkTimeout(world, record.taskOf(task.ordinal), task.status, incarnation);
  const { freeSince } = incarnation;
  if (freeSince === undefined) return;
  const since = Math.max(freeSince, drivenSince, ownedAt, keptSince, incarnation.startedAt, incarnation.thawedAt);
  for (const task of stage.tasks) if (task.status === "RUNNING") checkRepeat(world, record, task, incarnation, since);
  if (maxConcurrency !== undefined && stage.count.running >= maxConcurrency) return;
  for (const task of stage.tasks) {
    const { openSince } = record.taskOf(task.ordinal);
    if (task.status !== "WAITING" || task.retryAt !== null || openSince === undefined) continue;
    checkSent(world, record, task, Math.max(since, openSince, record.roomSince));
  }
}

/**
 * What was under way when the link was lost is asked about, unless it is about to be delivered
 * again.
 */
function checkSuspects(world: World, { driver, tasks, flow, taskflowId }: FlowRecord): void {
  if (!driver.isAlive || driver.isFrozen || driver.isStopping || driver.isCutOff) return;
  for (const { latest, plan } of tasks) {
    if (latest?.suspectSince === undefined || latest.sentBy !== driver || latest.interrupted || latest.isTurnedAway) continue;
    // A question from before the loss is put again until it is answered.
    const isAsked = latest.askedAt >= latest.suspectSince || latest.isAskedBy(driver);
    if (isAsked || flow.tasks[plan.ordinal]?.status !== "RUNNING") latest.suspectSince = undefined;
    else if (world.agenda.time - Math.max(latest.suspectSince, driver.thawedAt) > PATIENCE_MS && !latest.latestReply(driver))
      world.report(36, `attempt ${latest.number} of task ${plan.ordinal} of ${taskflowId} is not asked about`);
  }
}

/** What waits ends with its age, or its taskflow's. */
function checkAges(world: World, record: FlowRecord): void {
  const { flow, driver, drivenSince, row, ownedAt, plan, taskflowId } = record;
  if (world.wentBack || !driver.isAlive || driver.isFrozen || driver.isStopping || row.owner !== driver.owner) return;
  const stage = flow.stages.find(({ status }) => status === "RUNNING");
  if (!stage || flow.aborting) return;
  const { time, now } = world.agenda;
  // What is parked waits for room.
  const since = Math.max(drivenSince, ownedAt, driver.startedAt, driver.thawedAt, driver.fullAt);
  const patience = world.checksPromptness ? PROMPT_MS : PATIENCE_MS;
  if (time - since <= patience) return;
  const ofFlow = flow.createdAt + (plan.options.maxAge ?? Infinity);
  for (const task of stage.tasks) {
    if (task.status !== "WAITING") continue;
    const { dueSince, plan: planned } = record.taskOf(task.ordinal);
    const over = now - Math.min(ofFlow, dueSince + (planned.options.maxAge ?? Infinity));
    if (over > patience) world.report(17, `task ${task.ordinal} of ${taskflowId} waits, ${over} ms past its maxAge`);
  }
}

/** What is to be delivered again waits for nothing but a slot and a node. */
function checkRepeat(world: World, record: FlowRecord, task: Task, incarnation: Incarnation, since: number): void {
  const { latest, plan } = record.taskOf(task.ordinal);
  const told = latest?.latestReply(incarnation);
  if (!told || told.delivery !== task.attempts.at(-1)?.deliveries) return;
  const isRepeated = told.kind === "never" || (told.kind !== "running" && !plan.options.exactlyOnceTaskExecution);
  if (isRepeated) checkSent(world, record, task, Math.max(since, told.at));
}

function checkSent(world: World, record: FlowRecord, task: Task, since: number): void {
  const servedSince = world.bus.servedSince(targetOf(TYPES, task));
  if (servedSince === undefined) return;
  const waited = world.agenda.time - Math.max(since, servedSince);
  if (waited > PROMPT_MS) world.report(30, `task ${task.ordinal} of ${record.taskflowId} could have been sent for ${waited} ms`);
}

/** Some time after the faults, whatever is not finished is in somebody's care. */
function checkCare(world: World): void {
  const { fleet } = world;
  // One that stops waits for its last beat, however slow.
  if (fleet.incarnations.length === 0 || fleet.incarnations.some(({ isStopping }) => isStopping)) return;
  const since = Math.max(
    world.calmAt,
    world.ownershipAt,
    fleet.disturbedAt,
    ...fleet.incarnations.map(({ startedAt }) => startedAt),
  );
  if (world.agenda.time < since + world.leaseMs + CARE_MS || !fleet.incarnations.every(({ hasStarted }) => hasStarted)) return;
  for (const record of world.unfinished) {
    if (!fleet.incarnations.some((incarnation) => isInCare(incarnation, record)))
      world.report(21, `${record.taskflowId} is not finished and in nobody's care`);
  }
}

/**
 * When its time is over the attempt ends, or, where it must not be repeated, is asked about until
 * it does.
 */
function checkTimeout(world: World, { latest, plan }: TaskRecord, status: string, incarnation: Incarnation): void {
  if (
    status !== "RUNNING" ||
    latest?.sentAt === undefined ||
    latest.interrupted ||
    latest.isTurnedAway ||
    latest.sentBy !== incarnation
  )
    return;
  const over = world.agenda.time - Math.max(latest.sentAt + plan.options.timeout, incarnation.thawedAt);
  if (over <= PROMPT_MS) return;
  if (plan.options.exactlyOnceTaskExecution) {
    if (latest.isAskedBy(incarnation)) return;
    const told = latest.latestReply(incarnation);
    if (told && world.agenda.time - told.at <= ASK_AGAIN_MS + PROMPT_MS) return;
    // It waits for a slot or a node to be delivered again.
    if (told?.kind === "never" && told.at >= latest.sentAt) return;
  }
  world.report(24, `attempt ${latest.number} of task ${plan.ordinal} has run for ${over} ms more than its timeout`);
}

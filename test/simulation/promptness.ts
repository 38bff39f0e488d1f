/** Nothing that could go on waits for a timer that has nothing to do with it. */
import type { FlowRecord, TaskRecord } from "./record.ts";
import type { World } from "./world.ts";

/** Longer than the store takes twice, and than the coordinator looks for workers. */
const PROMPT_MS = 1_500;
/** Longer than what was read from a store with faults takes to be read again. */
const CARE_MS = 5_000;

export function checkPromptness(world: World): void {
  checkCare(world);
  if (!world.checksPromptness) return;
  const life = world.lives[0];
  if (!life?.isAlive || !life.hasStarted || life.coordinator.inFlight >= world.maxInFlight) {
    world.freeSince = undefined;
    return;
  }
  world.freeSince ??= world.agenda.time;
  for (const record of world.unfinished) checkRecord(world, record, Math.max(world.freeSince, life.startedAt));
}

function checkRecord(world: World, record: FlowRecord, freeSince: number): void {
  const { flow, plan } = record;
  const stage = flow.stages.find(({ status }) => status === "RUNNING");
  if (!stage || flow.aborting) return;
  const { maxConcurrency } = plan.stageOptions[stage.index] ?? {};
  for (const task of stage.tasks) checkTimeout(world, record.taskOf(task.ordinal), task.status);
  if (maxConcurrency !== undefined && stage.count.running >= maxConcurrency) return;
  for (const task of stage.tasks) {
    const { openSince } = record.taskOf(task.ordinal);
    if (task.status !== "WAITING" || task.retryAt !== null || openSince === undefined) continue;
    const { serviceId, actionName, version } = task.definition.taskDetails;
    const servedSince = world.bus.servedSince(`${version === undefined ? "" : `v${version}.`}${serviceId}.${actionName}`);
    if (servedSince === undefined) continue;
    const since = Math.max(openSince, freeSince, servedSince, record.roomSince);
    if (world.agenda.time - since > PROMPT_MS)
      world.report(30, `task ${task.ordinal} of ${record.taskflowId} could have been sent for ${world.agenda.time - since} ms`);
  }
}

/** Some time after the faults, whatever is not finished is in somebody's care. */
function checkCare(world: World): void {
  const life = world.lives[0];
  const since = Math.max(world.calmAt, life?.startedAt ?? Infinity) + CARE_MS;
  if (!life?.isAlive || !life.hasStarted || world.agenda.time < since) return;
  for (const { taskflowId } of world.unfinished) {
    const forget = life.coordinator.watch(taskflowId, () => {});
    if (!forget) world.report(21, `${taskflowId} is not finished and in nobody's care`);
    forget?.();
  }
}

function checkTimeout(world: World, { latest, plan }: TaskRecord, status: string): void {
  if (status !== "RUNNING" || latest?.sentAt === undefined || latest.interrupted) return;
  const over = world.agenda.time - latest.sentAt - plan.options.timeout;
  if (over > PROMPT_MS)
    world.report(24, `attempt ${latest.number} of task ${plan.ordinal} has run for ${over} ms more than its timeout`);
}

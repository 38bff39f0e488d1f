/** Rules for single facts: what must have happened before one may be stored. */
import type { Delayed, LateResponse, Settled, Started } from "../../lib/core/journal/facts.ts";
import type { Task } from "../../lib/core/model/flow.ts";
import { targetOf } from "../../lib/core/model/task-type.ts";
import { TYPES } from "../helpers/core-run.ts";
import type { TaskError } from "../../lib/core/model/values.ts";
import type { AttemptRecord, Told } from "./attempt.ts";
import type { EffectiveOptions } from "./definition.ts";
import type { FlowRecord, TaskRecord } from "./record.ts";

export function checkStarted(record: FlowRecord, task: TaskRecord, before: Task, fact: Started, at: number): void {
  const { world, flow, plan } = record;
  const { options } = task.plan;
  const what = `task ${fact.task} of ${record.taskflowId}, attempt ${fact.attempt}`;
  if (before.status !== "WAITING") world.report(6, `${what} starts while the task is ${before.status}`);
  if (flow.status === "PAUSED") world.report(40, `${what} starts, and the taskflow is PAUSED`);
  if (flow.status !== "RUNNING" || before.stage.status !== "RUNNING" || flow.aborting)
    world.report(5, `${what} starts in a stage that does not run`);
  if (fact.attempt !== task.attempts.length) world.report(6, `${what} follows ${task.attempts.length} attempts`);
  if (options.maxRetries !== -1 && task.runAttempts > options.maxRetries)
    world.report(6, `${what} is more than ${options.maxRetries} retries`);
  if (task.retryAt !== undefined && at < task.retryAt && !world.wentBack)
    world.report(16, `${what} starts ${task.retryAt - at} ms early`);
  if (isPast(plan.options.maxAge, record.runSince, at) || isPast(options.maxAge, task.dueSince, at))
    world.report(17, `${what} is too old`);
  if (task.latest && options.exactlyOnceTaskExecution && !mayRepeat(record, task))
    world.report(8, `${what} follows one that may have done its work`);
  const { maxConcurrency } = plan.stageOptions[task.plan.stage] ?? options;
  if (maxConcurrency !== undefined && before.stage.count.running >= maxConcurrency)
    world.report(18, `${what} is more than ${maxConcurrency} at once`);
  if (task.retryAt !== undefined) world.statistics.count("input: retry after a delay");
}

/**
 * Its latest attempt has failed for certain, or never began, or somebody wants it whatever became
 * of that.
 */
function mayRepeat({ driver }: FlowRecord, { latest, isForced, isReset, plan }: TaskRecord): boolean {
  if (!latest || isForced || hasFailedForCertain(latest, plan.options)) return true;
  return isReset && latest.latestReply(driver)?.kind === "never";
}

function isPast(maxAge: number | undefined, since: number, at: number): boolean {
  return maxAge !== undefined && at >= since + maxAge;
}

function hasFailedForCertain(attempt: AttemptRecord, options: EffectiveOptions): boolean {
  return attempt.told.some(
    (told) => told.kind === "failed" || (told.kind === "answered" && told.reportedFailure && options.checkSuccess),
  );
}

/** A node that comes while the commit is under way comes too late for the decision. */
const COMMIT_MS = 1_000;

/** The latest delivery never left: the bus said so, or nothing was sent at all. */
export function checkReturned(
  record: FlowRecord,
  task: TaskRecord,
  before: Task,
  fact: "withdrawn" | "undelivered",
  at: number,
): void {
  const { latest, plan, dueSince } = task;
  const isWanted =
    !record.flow.aborting &&
    !record.driver.isStopping &&
    !isPast(record.plan.options.maxAge, record.runSince, at) &&
    !isPast(plan.options.maxAge, dueSince, at);
  const servedSince = record.world.bus.servedSince(targetOf(TYPES, before)) ?? Infinity;
  if (fact === "withdrawn" && isWanted && record.world.agenda.time - servedSince > COMMIT_MS)
    record.world.report(44, `attempt ${latest?.number} goes back, and could be sent again`);
  const deliveries = record.flow.tasks[plan.ordinal]?.attempts.at(-1)?.deliveries ?? 0;
  const wasTold = latest?.told.some(({ kind }) => kind === "not-sent") === true;
  if (!latest || (!wasTold && latest.highestCalled >= deliveries))
    record.world.report(10, `attempt ${latest?.number} is taken back without having been told that it never left`);
  else if (latest.left > 0 && fact === "withdrawn")
    record.world.report(10, `attempt ${latest.number} is taken back although a delivery of it left`);
}

export function checkDelayed(record: FlowRecord, task: TaskRecord, before: Task, fact: Delayed, at: number): void {
  const { world } = record;
  const { options } = task.plan;
  const { latest } = task;
  if (before.status !== "RUNNING" || !latest) return world.report(10, `task ${fact.task} is delayed without a running attempt`);
  checkCause(record, task, latest, fact, at);
  if (options.exactlyOnceTaskExecution && !hasFailedForCertain(latest, options))
    world.report(8, `attempt ${latest.number} is to be repeated, and may have done its work`);
  const failed = latest.hasFailed(fact.error.message);
  if (failed && (failed.permanent || failed.abort))
    world.report(10, `attempt ${latest.number} is to be repeated after a permanent failure`);
  const [shortest, longest] = delayOf(options, task.runAttempts, failed?.retryAfterMs);
  const delay = fact.retryAt - at;
  if (delay < Math.floor(shortest) || delay > Math.ceil(longest))
    world.report(16, `the delay is ${delay} ms and should be ${shortest} to ${longest}`);
  // The attempt that would be one too many is not waited for either.
  if (options.maxRetries !== -1 && task.runAttempts > options.maxRetries)
    world.report(6, `a retry is planned beyond ${options.maxRetries}`);
}

/** Shortest and longest wait before the next attempt, by the contract. */
function delayOf(
  { retryDelay, backoff }: EffectiveOptions,
  failures: number,
  retryAfterMs: number | undefined,
): [number, number] {
  const cap = backoff.maxDelay ?? Infinity;
  if (retryAfterMs !== undefined) return [Math.min(retryAfterMs, cap), Math.min(retryAfterMs, cap)];
  const grown = { fixed: 1, linear: failures, exponential: (backoff.factor ?? 2) ** (failures - 1) }[backoff.type] * retryDelay;
  const longest = Math.min(grown, cap);
  return [longest * (1 - (backoff.jitter ?? 0)), longest];
}

export function checkSettled(record: FlowRecord, task: TaskRecord, before: Task, fact: Settled, at: number): void {
  const { world, flow } = record;
  const { latest } = task;
  const what = `task ${fact.task} of ${record.taskflowId}`;
  if (fact.reason !== undefined || fact.status === "CANCELLED") return checkDecided(record, what, fact);
  if (fact.status === "SUCCESS") {
    if (!latest?.hasAnswered(fact.response ?? ""))
      world.report(10, `${what} succeeds with ${fact.response}, which attempt ${latest?.number} never answered`);
    if (task.successes === 0 && !latest?.told.some((told) => told.kind === "answered" && told.reportedFailure))
      world.report(28, `${what} succeeds and was never executed`);
    const isReported = latest?.hasReportedFailure(fact.response) === true && task.plan.options.checkSuccess;
    if (isReported) world.report(10, `${what} succeeds with an answer that reports a failure`);
    if (before.status === "WAITING") world.statistics.count("input: late success taken");
    return;
  }
  if (fact.status !== "FAILED" || !fact.error) return world.report(10, `${what} is ${fact.status} without an error`);
  if (before.status === "RUNNING" && latest) checkCause(record, task, latest, fact, at);
  else if (flow.aborting || (fact.error.type === "TASK_OUTCOME_UNKNOWN" && task.isReset)) return;
  else if (fact.error.type !== "MAX_AGE_EXCEEDED") world.report(10, `${what} fails with ${fact.error.type} while it waits`);
  else checkAge(record, task, at);
  checkReach(record, task, fact);
}

/** An answer that nobody waits for any more: of an attempt whose outcome nobody could tell. */
export function checkLate(record: FlowRecord, { latest }: TaskRecord, before: Task, fact: LateResponse): void {
  const what = `a late answer of task ${fact.task} of ${record.taskflowId}`;
  const isOpenToAll = record.decisions.haveAny;
  if (!isOpenToAll && (before.status !== "FAILED" || before.error?.type !== "TASK_OUTCOME_UNKNOWN"))
    record.world.report(11, `${what} is stored, and the task is ${before.status}`);
  const isKnown = fact.error ? latest?.hasFailed(fact.error.message) : latest?.hasAnswered(fact.response ?? "");
  if (!isKnown || (fact.error && !isOpenToAll))
    record.world.report(10, `${what} is stored, which attempt ${latest?.number} never gave`);
}

/** Somebody has given such an order. */
function checkDecided({ world, taskflowId }: FlowRecord, what: string, { status }: Settled): void {
  const kinds = status === "CANCELLED" ? ["cancel", "cancelTask"] : ["resolveTask"];
  const isOrdered = world.operators?.orders.some(
    ({ record, order }) => record.taskflowId === taskflowId && kinds.includes(order.command.kind),
  );
  if (!isOrdered) world.report(10, `${what} is ${status}, and nobody decided that`);
}

/** How far a failure reaches: whether it blocks, and whether it ends the taskflow. */
function checkReach(record: FlowRecord, task: TaskRecord, fact: Settled): void {
  const failed = fact.error && task.latest?.hasFailed(fact.error.message);
  const aborts = failed?.abort === "workflow";
  const blocks = aborts || (!task.plan.options.continueOnTaskFailure && failed?.abort !== "task");
  if ((fact.blocks ?? false) !== blocks)
    record.world.report(5, `the failure of task ${fact.task} ${blocks ? "must block" : "must not block"} its stage`);
  if ((fact.abort ?? false) !== aborts)
    record.world.report(10, `the failure of task ${fact.task} ${aborts ? "must" : "must not"} end the taskflow`);
}

function checkAge(record: FlowRecord, task: TaskRecord, at: number): void {
  const { plan, world } = record;
  const isOver = isPast(plan.options.maxAge, record.runSince, at) || isPast(task.plan.options.maxAge, task.dueSince, at);
  if (!isOver) world.report(17, `task ${task.plan.ordinal} ends by its maxAge before its time`);
}

/** An attempt's error is one that was told of it, or its time was over, or nobody could know. */
function checkCause(
  record: FlowRecord,
  task: TaskRecord,
  attempt: AttemptRecord,
  fact: { error?: TaskError; response?: string },
  at: number,
): void {
  const { world } = record;
  const error = fact.error as TaskError;
  const what = `attempt ${attempt.number} of task ${task.plan.ordinal} of ${record.taskflowId}`;
  const deliveries = record.flow.tasks[task.plan.ordinal]?.attempts.at(-1)?.deliveries ?? 0;
  const isLost = attempt.isLost(deliveries);
  const isOverdue = at - attempt.startedAt >= task.plan.options.timeout;
  switch (error.type) {
    case "TASK_TIMEOUT":
      if (!isOverdue && !isLost && !world.wentBack) world.report(24, `${what} has timed out after ${at - attempt.startedAt} ms`);
      return;
    case "TASK_OUTCOME_UNKNOWN":
      return checkUnknown(record, task, attempt, what, at);
    case "MAX_AGE_EXCEEDED":
      return checkAge(record, task, at);
    case "TASK_REPORTED_FAILURE":
      if (!attempt.hasReportedFailure(fact.response)) world.report(10, `${what} reported no such failure: ${fact.response}`);
      return;
    case "WORKER_LOST":
      if (!isLost) world.report(10, `${what} lost no worker`);
      return;
    default:
      if (!attempt.hasFailed(error.message)) world.report(10, `${what} never failed with: ${error.message}`);
  }
}

/**
 * Whoever called it unknown had asked, and nobody could tell; or it was delivered as often as it
 * may be, or has run for as long.
 */
function checkUnknown(record: FlowRecord, task: TaskRecord, attempt: AttemptRecord, what: string, at: number): void {
  const { world, plan, flow } = record;
  const isOld = isPast(plan.options.maxAge, record.runSince, at) || isPast(task.plan.options.maxAge, task.dueSince, at);
  const deliveries = flow.tasks[task.plan.ordinal]?.attempts.at(-1)?.deliveries ?? 0;
  const told = (attempt.replies.get(record.driver) ?? []).filter(({ delivery }) => delivery === deliveries);
  // What was answered to whoever says so, before anybody told that he does not know, is known.
  const { answeredTo } = attempt;
  const isKnown = answeredTo?.incarnation === record.driver && answeredTo.fence === flow.fence;
  const isReason = ({ kind, at: toldAt }: Told): boolean => {
    if (isKnown && answeredTo.at < toldAt) return false;
    if (kind === "running" || kind === "done") return kind === "running" && isOld;
    return deliveries >= 5 || (kind !== "never" && task.plan.options.exactlyOnceTaskExecution);
  };
  if (!told.some(isReason))
    world.report(
      23,
      `${what} is unknown; the replies about delivery ${deliveries} were ${told.map(({ kind }) => kind).join(", ") || "none"}`,
    );
}

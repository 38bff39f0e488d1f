/** Why a task of the running stage is not settled yet. */
import { taskAgeLimit } from "../execution/max-age.ts";
import { type Attempt, type Flow, latestAttempt, type Task } from "../model/flow.ts";
import { type ReasonText, targetOf } from "../model/task-type.ts";
import { capital, count, cut, nameOf, type ReasonList, span } from "./reason.ts";
import { REQUERY_MS, MAX_DELIVERIES } from "../execution/outcome-query.ts";
import type { Observations } from "./observed.ts";

/** Pattern of a rule that pauses everything: it is told once, of the taskflow. */
const EVERYTHING = "**";

export function explainTask(list: ReasonList, flow: Flow, task: Task, around: Observations): void {
  if (task.status === "RUNNING") explainRunning(list, flow, task, around);
  else if (!task.open) explainLeft(list, task);
  else if (flow.status !== "PAUSED" && !flow.aborting) explainWaiting(list, flow, task, around);
  const limit = task.open ? taskAgeLimit(task) : null;
  if (limit === null) return;
  list.add("TASK_MAX_AGE", task, () => ({
    sentence: `No attempt of ${nameOf(task)} starts after ${span(limit - around.now)} from now: then its maxAge is over.`,
    data: { at: limit, maxAge: task.options.maxAge },
    movedBy: "updateTask { options: { maxAge } }, for the next run of the task.",
  }));
}

function explainLeft(list: ReasonList, task: Task): void {
  if (task.status !== "WAITING") return;
  list.add("NOT_SELECTED", task, () => ({
    sentence: `${capital(nameOf(task))} is not part of this run: its stage runs only what was chosen of it.`,
    movedBy: "retryTaskflow { tasksInfo: [{ taskId }] }, once this run has ended.",
  }));
}

function explainRunning(list: ReasonList, flow: Flow, task: Task, around: Observations): void {
  const { attempt, nodeID, deliveries } = latestAttempt(task);
  const { owner } = around;
  const data = { attempt, nodeID, deliveries };
  if (task.pendingResponse !== null) return explainNested(list, task);
  if (flow.repeats.has(task.ordinal)) {
    if (explainGate(list, task, around)) return;
    list.add("DELIVERING_AGAIN", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} is about to be delivered again (delivery ${deliveries + 1} of at most ${MAX_DELIVERIES}): nobody knows of it.`,
      data: { ...data, mostDeliveries: MAX_DELIVERIES },
      movedBy: "It is sent as soon as its coordinator may send.",
    }));
    return;
  }
  const sent = owner.kind === "this" && owner.isLoaded ? owner.sent(task.ordinal) : null;
  if (sent === undefined) return explainAsking(list, task, data);
  if (sent?.isUnsent) {
    list.add("NOT_SENT", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} could not be sent to ${nodeID}; it is tried again at once.`,
      data,
      movedBy: `A link to ${nodeID}, or another node that offers ${targetOf(around.types, task)}.`,
    }));
    return;
  }
  if (nodeID !== null && around.isBusUp && !around.isConnected(nodeID)) {
    list.add("WORKER_GONE", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} was sent to ${nodeID}, which is not connected any more.`,
      data,
      movedBy: "Its loss is noticed within a minute, and its attempt's timeout ends it in any case.",
    }));
    return;
  }
  explainAtWork(list, task, data, sent, around.now);
}

type AttemptData = Pick<Attempt, "attempt" | "nodeID" | "deliveries">;

/** How many nested taskflows are named. */
const NAMED = 10;

function explainNested(list: ReasonList, task: Task): void {
  const ids = task.children.filter(({ state }) => state === "active").map(({ id }) => id);
  list.add("AWAITING_NESTED", task, () => ({
    sentence: `${capital(nameOf(task))} has answered and waits for ${count(ids.length, "nested taskflow")}: ${ids.slice(0, 3).join(", ")}${ids.length > 3 ? ", …" : ""}.`,
    data: { nested: ids.slice(0, NAMED), active: ids.length },
    movedBy: "Their ends: explainTaskflow of each tells what holds it.",
  }));
}

function explainAtWork(
  list: ReasonList,
  task: Task,
  data: AttemptData,
  sent: { readonly sentAt: number; readonly heardAt: number | null } | null,
  now: number,
): void {
  const { attempt, nodeID, deliveries } = data;
  const { startedAt } = latestAttempt(task);
  const { timeout } = task.options;
  const times = deliveries > 1 ? `, delivered ${deliveries} times` : "";
  const timesOutAt = sent === null ? null : (sent.heardAt ?? sent.sentAt) + timeout;
  const ends = timesOutAt === null ? "" : `; it times out in ${span(timesOutAt - now)}`;
  const heardAt = sent?.heardAt ?? null;
  const heard = heardAt === null ? "" : `, its last heartbeat was ${span(now - heardAt)} ago`;
  list.add(heardAt === null ? "RUNNING" : "HEARTBEAT", task, () => ({
    sentence: `${capital(nameOf(task))} runs on ${nodeID} since ${span(now - startedAt)} (attempt ${attempt}${times})${heard}${ends}.`,
    data: {
      ...data,
      startedAt,
      timeout,
      ...(timesOutAt === null ? {} : { timesOutAt }),
      ...(heard ? { heardAt } : {}),
    },
    movedBy: "Its answer, its timeout, or cancelTask.",
  }));
}

function explainAsking(list: ReasonList, task: Task, data: AttemptData): void {
  const { attempt, nodeID } = data;
  if (task.options.exactlyOnceTaskExecution) {
    list.add("EXACTLY_ONCE_UNKNOWN", task, () => ({
      sentence: `Nobody knows yet how attempt ${attempt} of ${nameOf(task)} ended, and it must not be repeated: ${nodeID} is asked, every ${span(REQUERY_MS)} while it is at work.`,
      data,
      movedBy: `The worker's answer; where no worker can tell, the task ends FAILED with TASK_OUTCOME_UNKNOWN.`,
    }));
    return;
  }
  list.add("ASKING", task, () => ({
    sentence: `Nothing is heard of attempt ${attempt} of ${nameOf(task)}: ${nodeID} is asked how it ended.`,
    data,
    movedBy: "The worker's answer; where no worker can tell, the attempt is delivered again.",
  }));
}

function explainWaiting(list: ReasonList, flow: Flow, task: Task, around: Observations): void {
  if (task.inDoubt !== null && !flow.due.has(task.ordinal)) {
    list.add("DOUBT", task, () => ({
      sentence: `${capital(nameOf(task))} may have succeeded unseen in attempt ${task.attempt}: its worker is asked before it runs again.`,
      data: { attempt: task.attempt },
      movedBy: "The worker's answer.",
    }));
    return;
  }
  const { retryAt } = task;
  if (retryAt !== null && retryAt > around.now) return explainDelay(list, task, retryAt, around.now);
  if (explainGate(list, task, around)) return;
  explainLimits(list, task, around);
}

function explainDelay(list: ReasonList, task: Task, retryAt: number, now: number): void {
  const { error, options, runAttempts } = task;
  list.add("RETRY_DELAY", task, () => {
    const of = options.maxRetries === -1 ? "" : ` of ${options.maxRetries}`;
    const where = error?.nodeID ?? latestAttempt(task).nodeID;
    const on = where === null || where === undefined ? "" : ` on ${where}`;
    return {
      sentence: `${capital(nameOf(task))}: retry ${runAttempts}${of} in ${span(retryAt - now)} after ${error?.type ?? "a failure"}${on}.`,
      data: {
        retry: runAttempts,
        maxRetries: options.maxRetries,
        nextAttemptAt: retryAt,
        error: { type: error?.type ?? null, message: cut(error?.message ?? "") },
        nodeID: where ?? null,
      },
      movedBy: "Time; resolveTask or cancelTask ends the waiting.",
    };
  });
}

/** What keeps every attempt of it back: a rule, or that nobody does such work. True: something does. */
function explainGate(list: ReasonList, task: Task, around: Observations): boolean {
  const { types, pausedBy, isBusUp, offers, now } = around;
  const type = types.typeOf(task);
  const target = targetOf(types, task);
  const rule = pausedBy(target);
  if (rule) {
    if (rule.pattern === EVERYTHING) return true;
    const why = rule.reason === null ? "" : ` (${cut(rule.reason)})`;
    list.add("ACTION_PAUSED", task, () => ({
      sentence: `${capital(nameOf(task))} waits: calls of ${rule.pattern} are paused since ${span(now - rule.since)}${why}.`,
      data: { action: target, pattern: rule.pattern, reason: rule.reason, since: rule.since },
      movedBy: `resumeActions { pattern: "${rule.pattern}" }`,
    }));
    return true;
  }
  if (!isBusUp) return true;
  if (offers(task) > 0) return false;
  list.add("NO_WORKER", task, () => type.explain?.(task, around) ?? nobody(task, target));
  return true;
}

function nobody(task: Task, target: string): ReasonText {
  const { type } = task.definition;
  return {
    sentence: `${capital(nameOf(task))} waits: nobody does work of the type ${type} for ${target} now.`,
    data: { type, target },
    movedBy: `Somebody who does it, as soon as the type's dispatch finds them.`,
  };
}

function explainLimits(list: ReasonList, task: Task, { owner, now }: Observations): void {
  const { stage } = task;
  const most = stage.options.maxConcurrency;
  if (most !== undefined && stage.count.running >= most) {
    list.add("STAGE_CONCURRENCY", task, () => ({
      sentence: `${capital(nameOf(task))} waits its turn: ${count(stage.count.running, "task")} of the stage run, and maxConcurrency is ${most}.`,
      data: { running: stage.count.running, maxConcurrency: most },
      movedBy: "The end of a task of the stage that runs.",
    }));
    return;
  }
  const isThis = owner.kind === "this" && owner.isLoaded;
  // That nothing is sent from there at all is told of the taskflow.
  if (isThis && (owner.isDraining || !owner.hasLease)) return;
  if (isThis && owner.inFlight >= owner.maxInFlight) {
    list.add("IN_FLIGHT_LIMIT", task, () => ({
      sentence: `${capital(nameOf(task))} waits for a free slot: its coordinator has ${owner.inFlight} attempts in flight, its limit.`,
      data: { inFlight: owner.inFlight, maxInFlight: owner.maxInFlight },
      movedBy: "The end of any attempt of this coordinator, a higher maxInFlight, or another coordinator.",
    }));
    return;
  }
  list.add("DUE", task, () => ({
    sentence: `${capital(nameOf(task))} is due${task.dueSince === null ? "" : ` since ${span(now - task.dueSince)}`} and about to be sent.`,
    data: { dueSince: task.dueSince },
    movedBy: "Nothing holds it back.",
  }));
}

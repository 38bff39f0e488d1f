/** Reasons why a task of the running stage is not settled yet. */
import { taskAgeLimit } from "../execution/max-age.ts";
import { type Attempt, type Flow, latestAttempt, type Task } from "../model/flow.ts";
import { type ReasonText, targetOf } from "../model/task-type.ts";
import { capital, count, cut, nameOf, type ReasonList, span } from "./reason.ts";
import { REQUERY_MS, MAX_DELIVERIES } from "../execution/outcome-query.ts";
import type { Observations } from "./observed.ts";

/**
 * A rule with this pattern pauses everything: it is one reason of the taskflow, not one of each
 * task.
 */
const EVERYTHING = "**";

export function explainTask(list: ReasonList, flow: Flow, task: Task, observed: Observations): void {
  if (task.status === "RUNNING") explainRunning(list, flow, task, observed);
  else if (!task.open) explainNotOpen(list, task);
  else if (flow.status !== "PAUSED" && !flow.aborting) explainWaiting(list, flow, task, observed);
  const limit = task.open ? taskAgeLimit(task) : null;
  if (limit === null) return;
  list.add("TASK_MAX_AGE", task, () => ({
    sentence: `Attempts of ${nameOf(task)} can start for another ${span(limit - observed.now)}: then its maxAge is over.`,
    data: { at: limit, maxAge: task.options.maxAge },
    movedBy: "updateTask { options: { maxAge } }, for the next run of the task.",
  }));
}

function explainNotOpen(list: ReasonList, task: Task): void {
  if (task.status !== "WAITING") return;
  list.add("NOT_SELECTED", task, () => ({
    sentence: `${capital(nameOf(task))} is not part of this run: its stage runs only selected tasks.`,
    movedBy: "retryTaskflow { tasksInfo: [{ taskId }] }, once this run has ended.",
  }));
}

function explainRunning(list: ReasonList, flow: Flow, task: Task, observed: Observations): void {
  const { attempt, nodeID, deliveries } = latestAttempt(task);
  const { owner } = observed;
  const data = { attempt, nodeID, deliveries };
  if (task.pendingResponse !== null) return explainNested(list, task);
  if (flow.repeats.has(task.ordinal)) {
    if (explainGate(list, task, observed)) return;
    list.add("REDELIVERING", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} is about to be delivered again (delivery ${deliveries + 1} of at most ${MAX_DELIVERIES}): no outcome is known.`,
      data: { ...data, mostDeliveries: MAX_DELIVERIES },
      movedBy: "A free slot of its coordinator.",
    }));
    return;
  }
  const sent = owner.kind === "this" && owner.isLoaded ? owner.sent(task.ordinal) : null;
  if (sent === undefined) return explainOutcomeQuery(list, task, data);
  if (sent?.isUnsent) {
    list.add("NOT_SENT", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} was turned away by ${nodeID}, or could not be sent; it is sent again after a pause of at most 30 s.`,
      data,
      movedBy: `Room on ${nodeID}, a connection to it, or another node that offers ${targetOf(observed.types, task)}.`,
    }));
    return;
  }
  if (nodeID !== null && observed.isBusUp && !observed.isConnected(nodeID)) {
    list.add("WORKER_GONE", task, () => ({
      sentence: `Attempt ${attempt} of ${nameOf(task)} was sent to ${nodeID}, which is no longer connected.`,
      data,
      movedBy: "Its coordinator, which notices the loss within a minute; otherwise the attempt's timeout.",
    }));
    return;
  }
  explainAttempt(list, task, data, sent, observed.now);
}

type AttemptData = Pick<Attempt, "attempt" | "nodeID" | "deliveries">;

/** Maximum number of nested taskflows that a reason names. */
const NAMED = 10;

function explainNested(list: ReasonList, task: Task): void {
  const ids = task.children.filter(({ state }) => state === "active").map(({ id }) => id);
  list.add("AWAITING_NESTED", task, () => ({
    sentence: `${capital(nameOf(task))} has answered and waits for ${count(ids.length, "nested taskflow")}: ${ids.slice(0, 3).join(", ")}${ids.length > 3 ? ", …" : ""}.`,
    data: { nested: ids.slice(0, NAMED), active: ids.length },
    movedBy: "Their ends; explainTaskflow of each gives its reasons.",
  }));
}

function explainAttempt(
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
  const lastHeartbeat = heardAt === null ? "" : `, its last heartbeat was ${span(now - heardAt)} ago`;
  list.add(heardAt === null ? "RUNNING" : "HEARTBEAT", task, () => ({
    sentence: `${capital(nameOf(task))} has been running on ${nodeID} for ${span(now - startedAt)} (attempt ${attempt}${times})${lastHeartbeat}${ends}.`,
    data: {
      ...data,
      startedAt,
      timeout,
      ...(timesOutAt === null ? {} : { timesOutAt }),
      ...(lastHeartbeat ? { heardAt } : {}),
    },
    movedBy: "Its answer, its timeout, or cancelTask.",
  }));
}

function explainOutcomeQuery(list: ReasonList, task: Task, data: AttemptData): void {
  const { attempt, nodeID } = data;
  if (task.options.exactlyOnceTaskExecution) {
    list.add("EXACTLY_ONCE_UNKNOWN", task, () => ({
      sentence: `The outcome of attempt ${attempt} of ${nameOf(task)} is unknown, and it must not be repeated: ${nodeID} is asked for it, every ${span(REQUERY_MS)} while the attempt runs.`,
      data,
      movedBy: "The worker's reply; if no worker knows the outcome, the task ends FAILED with TASK_OUTCOME_UNKNOWN.",
    }));
    return;
  }
  list.add("QUERYING", task, () => ({
    sentence: `Attempt ${attempt} of ${nameOf(task)} is silent: ${nodeID} is asked for its outcome.`,
    data,
    movedBy: "The worker's reply; if no worker knows the outcome, the attempt is delivered again.",
  }));
}

function explainWaiting(list: ReasonList, flow: Flow, task: Task, observed: Observations): void {
  if (task.inDoubt !== null && !flow.due.has(task.ordinal)) {
    list.add("IN_DOUBT", task, () => ({
      sentence: `${capital(nameOf(task))} may have succeeded unseen in attempt ${task.attempt}: its worker is asked before the task runs again.`,
      data: { attempt: task.attempt },
      movedBy: "The worker's reply.",
    }));
    return;
  }
  const { retryAt } = task;
  if (retryAt !== null && retryAt > observed.now) return explainDelay(list, task, retryAt, observed.now);
  if (explainGate(list, task, observed)) return;
  explainLimits(list, task, observed);
}

function explainDelay(list: ReasonList, task: Task, retryAt: number, now: number): void {
  const { error, options, runAttempts } = task;
  list.add("RETRY_DELAY", task, () => {
    const ofMaximum = options.maxRetries === -1 ? "" : ` of ${options.maxRetries}`;
    const nodeID = error?.nodeID ?? latestAttempt(task).nodeID;
    const onNode = nodeID === null || nodeID === undefined ? "" : ` on ${nodeID}`;
    return {
      sentence: `${capital(nameOf(task))}: retry ${runAttempts}${ofMaximum} in ${span(retryAt - now)} after ${error?.type ?? "a failure"}${onNode}.`,
      data: {
        retry: runAttempts,
        maxRetries: options.maxRetries,
        nextAttemptAt: retryAt,
        error: { type: error?.type ?? null, message: cut(error?.message ?? "") },
        nodeID: nodeID ?? null,
      },
      movedBy: "Time; resolveTask or cancelTask ends the wait.",
    };
  });
}

/**
 * Adds the reason that holds back every attempt of the task: a rule, the bus, or no worker. Returns
 * true if there is one.
 */
function explainGate(list: ReasonList, task: Task, observed: Observations): boolean {
  const { types, pausedBy, isBusUp, offers, now } = observed;
  const type = types.typeOf(task);
  const target = targetOf(types, task);
  const rule = pausedBy(target);
  if (rule) {
    if (rule.pattern === EVERYTHING) return true;
    const why = rule.reason === null ? "" : ` (${cut(rule.reason)})`;
    list.add("ACTION_PAUSED", task, () => ({
      sentence: `${capital(nameOf(task))} waits: calls of ${rule.pattern} have been paused for ${span(now - rule.since)}${why}.`,
      data: { action: target, pattern: rule.pattern, reason: rule.reason, since: rule.since },
      movedBy: `resumeActions { pattern: "${rule.pattern}" }`,
    }));
    return true;
  }
  if (!isBusUp) return true;
  if (offers(task) > 0) return false;
  list.add("NO_WORKER", task, () => type.explain?.(task, observed) ?? noWorker(task, target));
  return true;
}

function noWorker(task: Task, target: string): ReasonText {
  const { type } = task.definition;
  return {
    sentence: `${capital(nameOf(task))} waits: no worker serves ${target} (type ${type}) right now.`,
    data: { type, target },
    movedBy: `A worker that serves ${target}, once the type's dispatch finds it.`,
  };
}

function explainLimits(list: ReasonList, task: Task, { owner, now }: Observations): void {
  const { stage } = task;
  const { maxConcurrency } = stage.options;
  const { running } = stage.count;
  if (maxConcurrency !== undefined && running >= maxConcurrency) {
    list.add("STAGE_CONCURRENCY", task, () => ({
      sentence: `${capital(nameOf(task))} waits its turn: ${count(running, "task")} of the stage ${running === 1 ? "is" : "are"} running, and maxConcurrency is ${maxConcurrency}.`,
      data: { running, maxConcurrency },
      movedBy: "The end of a running task of the stage.",
    }));
    return;
  }
  const isThis = owner.kind === "this" && owner.isLoaded;
  // A coordinator that sends nothing at all is a reason of the taskflow.
  if (isThis && (owner.isDraining || !owner.hasLease)) return;
  if (isThis && owner.inFlight >= owner.maxInFlight) {
    list.add("IN_FLIGHT_LIMIT", task, () => ({
      sentence: `${capital(nameOf(task))} waits for a free slot: its coordinator has ${owner.inFlight} attempts in flight, and its limit is ${owner.maxInFlight}.`,
      data: { inFlight: owner.inFlight, maxInFlight: owner.maxInFlight },
      movedBy: "The end of any attempt of this coordinator, a higher maxInFlight, or another coordinator.",
    }));
    return;
  }
  list.add("DUE", task, () => ({
    sentence: `${capital(nameOf(task))} ${task.dueSince === null ? "is due" : `has been due for ${span(now - task.dueSince)}`} and is about to be sent.`,
    data: { dueSince: task.dueSince },
    movedBy: "No action is needed.",
  }));
}

/**
 * Carries out one fact on the state in place. It decides nothing, and replaying a journal through it gives the state that `decide` left:
 * whatever depends on the moment (clock, workers, limits) stands in the fact.
 */
import type { Delayed, Fact, FlowChanged, Redelivered, Returned, Settled, StageChanged, Started } from "./facts.ts";
import { type Attempt, type Flow, isFinished, type Task } from "./flow.ts";

/** Attempts that a task keeps: this many from the beginning, this many from the end. */
export const FIRST_ATTEMPTS = 10;
export const LAST_ATTEMPTS = 90;

/** True for a fact that changes a status: it is an event and takes the next `seq`. */
export function isEvent(fact: Fact): boolean {
  return fact.kind !== "owned" && fact.kind !== "redelivered" && fact.kind !== "undelivered";
}

export function apply(flow: Flow, fact: Exclude<Fact, { kind: "created" }>, at: number): void {
  if (isEvent(fact)) flow.seq++;
  switch (fact.kind) {
    case "owned":
      flow.fence = fact.fence;
      return;
    case "flow":
      return changeFlow(flow, fact, at);
    case "stage":
      return changeStage(flow, fact, at);
    case "started":
      return start(flow, fact, at);
    case "redelivered":
      return redeliver(flow, fact);
    case "returned":
      return takeBack(flow, fact);
    case "undelivered":
      latestAttempt(taskOf(flow, fact.task)).deliveries--;
      flow.repeats.add(fact.task);
      return;
    case "delayed":
      return delay(flow, fact, at);
    case "settled":
      return settle(flow, fact, at);
  }
}

function taskOf(flow: Flow, ordinal: number): Task {
  const task = flow.tasks[ordinal];
  if (!task) throw new Error(`Taskflow ${flow.taskflowId} has no task ${ordinal}: its journal does not fit its definition.`);
  return task;
}

/** The record of the latest attempt. */
export function latestAttempt(task: Task): Attempt {
  const latest = task.attempts.at(-1);
  if (!latest) throw new Error(`Task ${task.definition.name} has had no attempt.`);
  return latest;
}

function changeFlow(flow: Flow, fact: FlowChanged, at: number): void {
  flow.status = fact.status;
  flow.statusReason = fact.reason ?? null;
  flow.error = fact.error ?? null;
  if (fact.status === "RUNNING") flow.startedAt ??= at;
  if (isFinished(fact.status)) {
    flow.finishedAt = at;
    flow.aborting = false;
    flow.due.clear();
    flow.repeats.clear();
  }
}

function changeStage(flow: Flow, fact: StageChanged, at: number): void {
  const stage = flow.stages[fact.stage];
  if (!stage) throw new Error(`Taskflow ${flow.taskflowId} has no stage ${fact.stage}: its journal does not fit its definition.`);
  stage.status = fact.status;
  if (fact.status !== "RUNNING") {
    stage.finishedAt = at;
    return;
  }
  stage.startedAt = at;
  for (const task of stage.tasks) {
    task.dueSince = at;
    flow.due.add(task.ordinal);
  }
}

function start(flow: Flow, fact: Started, at: number): void {
  const task = taskOf(flow, fact.task);
  task.status = "RUNNING";
  task.attempt = fact.attempt;
  task.runAttempts++;
  task.retryAt = null;
  task.response = null;
  task.error = null;
  task.stage.count.running++;
  flow.due.delete(fact.task);
  task.attempts.push({
    attempt: fact.attempt,
    deliveries: 1,
    startedAt: at,
    finishedAt: null,
    nodeID: fact.node,
    status: "RUNNING",
  });
  if (task.attempts.length > FIRST_ATTEMPTS + LAST_ATTEMPTS) {
    task.attempts.splice(FIRST_ATTEMPTS, 1);
    task.attemptsOmitted++;
  }
}

function redeliver(flow: Flow, fact: Redelivered): void {
  const attempt = latestAttempt(taskOf(flow, fact.task));
  attempt.deliveries++;
  attempt.nodeID = fact.node;
  flow.repeats.delete(fact.task);
}

function takeBack(flow: Flow, fact: Returned): void {
  const task = taskOf(flow, fact.task);
  task.attempts.pop();
  task.status = "WAITING";
  const before = task.attempts.at(-1);
  task.attempt = before?.attempt ?? 0;
  task.error = before?.error ?? null;
  task.runAttempts--;
  task.stage.count.running--;
  flow.repeats.delete(fact.task);
  flow.due.add(fact.task);
}

function endAttempt(flow: Flow, task: Task, status: Attempt["status"], at: number, fact: Delayed | Settled): void {
  // A late success during the delay after the attempt's timeout belongs to that attempt too.
  const isLateSuccess = task.status === "WAITING" && status === "SUCCESS";
  if (task.status !== "RUNNING" && !isLateSuccess) return;
  if (!isLateSuccess) task.stage.count.running--;
  flow.repeats.delete(task.ordinal);
  const attempt = latestAttempt(task);
  attempt.status = status;
  attempt.finishedAt = at;
  if (fact.error) attempt.error = fact.error;
  else delete attempt.error;
}

function delay(flow: Flow, fact: Delayed, at: number): void {
  const task = taskOf(flow, fact.task);
  endAttempt(flow, task, "FAILED", at, fact);
  task.status = "WAITING";
  task.retryAt = fact.retryAt;
  task.error = fact.error;
  task.response = fact.response ?? null;
  flow.due.delete(fact.task);
}

function settle(flow: Flow, fact: Settled, at: number): void {
  const task = taskOf(flow, fact.task);
  const { count } = task.stage;
  endAttempt(flow, task, fact.status, at, fact);
  task.status = fact.status;
  task.retryAt = null;
  task.error = fact.error ?? null;
  task.response = fact.response ?? null;
  flow.due.delete(fact.task);
  flow.settled++;
  count.settled++;
  if (fact.status === "SUCCESS") count.success++;
  else if (fact.status !== "SKIPPED") count.failed++;
  task.blocks = fact.blocks === true;
  if (fact.blocks) count.blocking++;
  if (fact.abort) {
    flow.aborting = true;
    flow.due.clear();
  }
}

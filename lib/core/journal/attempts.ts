/** The facts about attempts: started, redelivered, withdrawn, delayed, and late responses. */
import { type Attempt, type Flow, latestAttempt, type Task } from "../model/flow.ts";
import type { Delayed, LateResponse, Redelivered, Responded, Revived, Settled, Started, Withdrawn } from "./facts.ts";
import { changeChild, isOf } from "./children.ts";
import { taskOf } from "./tasks.ts";

/** A task keeps its first and its latest attempts; those between are only counted. */
export const FIRST_ATTEMPTS = 10;
export const LAST_ATTEMPTS = 90;

export function start(flow: Flow, fact: Started, at: number): void {
  const task = taskOf(flow, fact.task);
  task.status = "RUNNING";
  task.attempt = fact.attempt;
  task.runAttempts++;
  task.retryAt = null;
  task.response = null;
  task.error = null;
  task.inDoubt = null;
  task.respondedBy = null;
  // Those that were not abandoned have chosen ids: this attempt may adopt them.
  for (const child of task.children) if (child.state === "active") changeChild(flow, child, "spared");
  task.stage.count.running++;
  flow.due.delete(fact.task);
  task.attempts.push({
    attempt: fact.attempt,
    deliveries: 1,
    startedAt: at,
    finishedAt: null,
    nodeID: fact.node ?? null,
    ...(fact.process === undefined ? {} : { process: fact.process }),
    status: "RUNNING",
  });
  if (task.attempts.length > FIRST_ATTEMPTS + LAST_ATTEMPTS) {
    task.attempts.splice(FIRST_ATTEMPTS, 1);
    task.attemptsOmitted++;
  }
}

export function revive(flow: Flow, { task: ordinal }: Revived): void {
  const task = taskOf(flow, ordinal);
  task.status = "RUNNING";
  task.retryAt = null;
  task.error = null;
  task.inDoubt = null;
  task.stage.count.running++;
  flow.due.delete(ordinal);
  const attempt = latestAttempt(task);
  attempt.status = "RUNNING";
  attempt.finishedAt = null;
  delete attempt.error;
}

/** Children of other deliveries that were not abandoned have chosen ids, and run on unjoined. */
export function respond(flow: Flow, { task: ordinal, delivery, response }: Responded): void {
  const task = taskOf(flow, ordinal);
  task.pendingResponse = response;
  task.respondedBy = delivery;
  flow.repeats.delete(ordinal);
  flow.turnedAway.delete(ordinal);
  for (const child of task.children)
    if (child.state === "active" && !isOf(child, task.attempt, delivery)) changeChild(flow, child, "spared");
}

export function redeliver(flow: Flow, fact: Redelivered): void {
  const attempt = latestAttempt(taskOf(flow, fact.task));
  attempt.deliveries++;
  attempt.nodeID = fact.node;
  if (fact.process === undefined) delete attempt.process;
  else attempt.process = fact.process;
  flow.repeats.delete(fact.task);
  flow.turnedAway.delete(fact.task);
}

export function withdraw(flow: Flow, fact: Withdrawn): void {
  const task = taskOf(flow, fact.task);
  task.attempts.pop();
  task.status = "WAITING";
  const before = task.attempts.at(-1);
  task.attempt = before?.attempt ?? 0;
  task.error = before?.error ?? null;
  task.runAttempts--;
  task.stage.count.running--;
  flow.repeats.delete(fact.task);
  flow.turnedAway.delete(fact.task);
  flow.due.add(fact.task);
}

export function endAttempt(flow: Flow, task: Task, status: Attempt["status"], at: number, fact: Delayed | Settled): void {
  // A success that arrives in the delay after the attempt's timeout still belongs to that attempt.
  const isLateSuccess = task.status === "WAITING" && status === "SUCCESS";
  if (task.status !== "RUNNING" && !isLateSuccess) return;
  if (!isLateSuccess) task.stage.count.running--;
  flow.repeats.delete(task.ordinal);
  flow.turnedAway.delete(task.ordinal);
  task.pendingResponse = null;
  const attempt = latestAttempt(task);
  attempt.status = status;
  attempt.finishedAt = at;
  if (fact.error) attempt.error = fact.error;
  else delete attempt.error;
}

export function delay(flow: Flow, fact: Delayed, at: number): void {
  const task = taskOf(flow, fact.task);
  endAttempt(flow, task, "FAILED", at, fact);
  task.status = "WAITING";
  task.retryAt = fact.retryAt;
  task.error = fact.error;
  task.response = fact.response ?? null;
  flow.due.delete(fact.task);
}

export function recordLateResponse(task: Task, fact: LateResponse, at: number): void {
  const attempt = latestAttempt(task);
  attempt.status = fact.status;
  attempt.finishedAt = at;
  if (fact.error) attempt.error = fact.error;
  else delete attempt.error;
  task.respondedBy = fact.delivery;
  if (fact.response !== undefined) task.response = fact.response;
  if (fact.status === "FAILED") task.inDoubt = null;
}

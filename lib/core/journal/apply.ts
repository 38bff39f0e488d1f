/**
 * Carries out one fact on the state in place. It decides nothing, and replaying a journal through it gives the state that `decide` left:
 * whatever depends on the moment (clock, workers, limits) stands in the fact.
 */
import { resolveOptions } from "../model/options.ts";
import type {
  Selected,
  CommandHandled,
  Compensating,
  Delayed,
  Fact,
  FlowChanged,
  ChildEnded,
  LateResponse,
  Linked,
  Redelivered,
  Reset,
  Withdrawn,
  Settled,
  StageChanged,
  Started,
  Updated,
} from "./facts.ts";
import {
  type Attempt,
  type Child,
  type Flow,
  isFinished,
  isSettled,
  nextUndo,
  type Stage,
  type Task,
  taskAt,
} from "../model/flow.ts";
import { fill } from "../model/template.ts";

/** Attempts that a task keeps: this many from the beginning, this many from the end. */
export const FIRST_ATTEMPTS = 10;
export const LAST_ATTEMPTS = 90;

/** Commands whose answers a taskflow remembers. */
export const COMMANDS_KEPT = 100;

const EVENTS: ReadonlySet<Fact["kind"]> = new Set([
  "created",
  "flow",
  "stage",
  "started",
  "withdrawn",
  "delayed",
  "settled",
  "reset",
]);

/** True for a fact that changes a status: it is an event and takes the next `seq`. */
export function isEvent(fact: Fact): boolean {
  return EVENTS.has(fact.kind);
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
    case "withdrawn":
      return takeBack(flow, fact);
    case "undelivered":
      latestAttempt(taskOf(flow, fact.task)).deliveries--;
      flow.repeats.add(fact.task);
      return;
    case "delayed":
      return delay(flow, fact, at);
    case "settled":
      return settle(flow, fact, at);
    case "reset":
      return reset(flow, fact, at);
    case "selected":
      return chooseWaiting(flow, fact, at);
    case "late-response":
      return endLate(taskOf(flow, fact.task), fact, at);
    case "paused":
      flow.pause = fact.pause && { ...fact.pause, at };
      return;
    case "updated":
      return update(taskOf(flow, fact.task), fact);
    case "annotated":
      flow.annotations.push({ type: fact.type, value: fact.value, at });
      return;
    case "command-handled":
      return remember(flow, fact);
    case "linked":
      return linkChild(flow, fact);
    case "child-ended":
      return joinChild(flow, fact);
    case "child-abandoned":
      return changeChild(flow, childOf(flow, fact.child), "abandoned");
    case "responded":
      taskOf(flow, fact.task).pendingResponse = fact.response;
      flow.repeats.delete(fact.task);
      return;
    case "compensating":
      return startUndo(flow, fact, at);
    case "compensated":
      flow.undo.status = fact.status;
      flow.undo.finishedAt = at;
      return;
  }
}

function taskOf(flow: Flow, ordinal: number): Task {
  const task = taskAt(flow, ordinal);
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
  if (fact.run) {
    flow.retryAttempt++;
    flow.runStartedAt = at;
    flow.runSeq = flow.seq;
    flow.finishedAt = null;
    flow.undo.status = "WAITING";
  }
  if (isFinished(fact.status)) {
    flow.finishedAt = at;
    flow.aborting = false;
    flow.pause = null;
    flow.awaiting.clear();
    flow.due.clear();
    flow.repeats.clear();
    // What was chosen and not reached is not chosen for a run to come.
    for (const stage of flow.stages) if (stage.count.selected > 0) forgetChoice(stage);
  }
}

function changeStage(flow: Flow, fact: StageChanged, at: number): void {
  const stage = flow.stages[fact.stage];
  if (!stage) throw new Error(`Taskflow ${flow.taskflowId} has no stage ${fact.stage}: its journal does not fit its definition.`);
  const wasRunning = stage.status === "RUNNING";
  stage.status = fact.status;
  if (fact.status === "RUNNING") return enter(flow, stage, at, fact.only === true);
  if (fact.status === "WAITING") {
    stage.startedAt = null;
    stage.finishedAt = null;
    flow.passed = Math.min(flow.passed, stage.index);
    return;
  }
  stage.finishedAt = at;
  pass(flow);
  if (!wasRunning) return;
  // It may have been left with work to do, for an earlier one that is to run again.
  if (stage.count.open > 0) stage.tasks.forEach(close);
  flow.due.clear();
  if (fact.status === "CANCELLED") for (const ordinal of flow.awaiting) taskOf(flow, ordinal).isResolved = true;
  flow.awaiting.clear();
}

function pass(flow: Flow): void {
  for (let stage = flow.stages[flow.passed]; stage; stage = flow.stages[flow.passed]) {
    const { status, count, tasks } = stage;
    if (status === "WAITING" || status === "RUNNING" || count.blocking > 0 || count.settled < tasks.length) return;
    flow.passed++;
  }
}

function forgetChoice(stage: Stage): void {
  stage.count.selected = 0;
  for (const task of stage.tasks) task.selected = false;
}

function enter(flow: Flow, stage: Stage, at: number, onlyChosen: boolean): void {
  stage.startedAt = at;
  stage.count.selected = 0;
  for (const task of stage.tasks) {
    if (task.status === "WAITING" && (task.selected || !onlyChosen)) open(flow, task, at);
    task.selected = false;
  }
}

/** From here on the task is to be settled before its stage ends. One in doubt is due once its worker was asked. */
function open(flow: Flow, task: Task, at: number): void {
  task.open = true;
  task.stage.count.open++;
  task.dueSince = at;
  if (task.inDoubt === null) flow.due.add(task.ordinal);
}

function close(task: Task): void {
  if (!task.open) return;
  task.open = false;
  task.stage.count.open--;
}

function start(flow: Flow, fact: Started, at: number): void {
  const task = taskOf(flow, fact.task);
  task.status = "RUNNING";
  task.attempt = fact.attempt;
  task.runAttempts++;
  task.retryAt = null;
  task.response = null;
  task.error = null;
  task.inDoubt = null;
  // What an earlier attempt produced under an id of its own choice, and still runs, is this one's.
  for (const child of task.children) if (child.state === "active") child.attempt = fact.attempt;
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

function takeBack(flow: Flow, fact: Withdrawn): void {
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
  task.pendingResponse = null;
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
  if (isSettled(task.status)) unsettle(flow, task);
  if (fact.reason === undefined) endAttempt(flow, task, fact.status, at, fact);
  close(task);
  task.status = fact.status;
  task.retryAt = null;
  task.error = fact.error ?? null;
  task.response = fact.response ?? null;
  task.isResolved = fact.reason !== undefined;
  task.settledAt = flow.seq;
  task.stage.changedAt = flow.seq;
  task.inDoubt = null;
  flow.due.delete(fact.task);
  if (task.undoes) {
    flow.undoing.next++;
    dueNextUndo(flow, at);
  }
  if (!task.undoes) flow.settled++;
  count.settled++;
  if (fact.status === "SUCCESS") count.success++;
  else if (fact.status !== "SKIPPED") count.failed++;
  task.blocks = fact.blocks === true;
  if (fact.blocks) {
    count.blocking++;
    task.stage.blockedAt = flow.seq;
  }
  if (fact.awaits) flow.awaiting.add(fact.task);
  if (fact.abort) {
    flow.aborting = true;
    flow.due.clear();
  }
}

/** As if it had not been settled. */
function unsettle(flow: Flow, task: Task): void {
  const { count } = task.stage;
  if (!task.undoes) flow.settled--;
  count.settled--;
  if (task.status === "SUCCESS") count.success--;
  else if (task.status !== "SKIPPED") count.failed--;
  if (task.blocks) count.blocking--;
  task.blocks = false;
  task.isResolved = false;
  flow.awaiting.delete(task.ordinal);
}

function reset(flow: Flow, fact: Reset, at: number): void {
  const task = taskOf(flow, fact.task);
  if (isSettled(task.status)) unsettle(flow, task);
  task.stage.changedAt = flow.seq;
  if (task.undo && isSettled(task.undo.status)) {
    unsettle(flow, task.undo);
    task.undo.status = "WAITING";
    task.undo.error = null;
    task.undo.response = null;
  }
  task.status = "WAITING";
  task.runAttempts = 0;
  task.dueSince = null;
  task.retryAt = null;
  task.error = null;
  task.inDoubt = fact.inDoubt ?? null;
  // A success that came too late is taken instead of another attempt.
  if (latestStatus(task) !== "SUCCESS" || task.inDoubt === null) task.response = null;
  if (!fact.follows) choose(flow, task, at);
}

function latestStatus(task: Task): Attempt["status"] | undefined {
  return task.attempts.at(-1)?.status;
}

function chooseWaiting(flow: Flow, fact: Selected, at: number): void {
  const task = taskOf(flow, fact.task);
  if (fact.named && task.inDoubt !== null) task.inDoubt = "verify";
  choose(flow, task, at);
}

/** It runs when its stage is entered, or now, if that has happened. */
function choose(flow: Flow, task: Task, at: number): void {
  if (task.stage.status === "RUNNING") {
    if (!task.open) open(flow, task, at);
  } else if (!task.selected) {
    task.selected = true;
    task.stage.count.selected++;
  }
}

function endLate(task: Task, fact: LateResponse, at: number): void {
  const attempt = latestAttempt(task);
  attempt.status = fact.status;
  attempt.finishedAt = at;
  if (fact.error) attempt.error = fact.error;
  else delete attempt.error;
  if (fact.response !== undefined) task.response = fact.response;
  if (fact.status === "FAILED") task.inDoubt = null;
}

function update(task: Task, { params, options }: Updated): void {
  const { definition, stage } = task;
  const merged = options && { ...definition.options, ...options };
  task.definition = { ...definition, ...(params === undefined ? {} : { params }), ...(merged ? { options: merged } : {}) };
  if (!merged) return;
  task.options = resolveOptions(stage.options, merged);
  if (task.undo) task.undo.options = task.options;
}

function remember(flow: Flow, { id, answer }: CommandHandled): void {
  flow.commands.set(id, answer);
  const oldest = flow.commands.keys().next();
  if (flow.commands.size > COMMANDS_KEPT && !oldest.done) flow.commands.delete(oldest.value);
}

function linkChild(flow: Flow, { task: ordinal, child: id, isChosen }: Linked): void {
  const task = taskOf(flow, ordinal);
  let child = flow.children.get(id);
  if (child?.task !== task) {
    child = { id, task, isChosen: isChosen === true, attempt: task.attempt, state: "ended", status: null, seq: 0 };
    flow.children.set(id, child);
    task.children.push(child);
  }
  child.attempt = task.attempt;
  child.status = null;
  changeChild(flow, child, "active");
}

function childOf(flow: Flow, id: string): Child {
  const child = flow.children.get(id);
  if (!child) throw new Error(`Taskflow ${flow.taskflowId} has no nested taskflow ${id}: its journal does not fit.`);
  return child;
}

function joinChild(flow: Flow, { child: id, status, seq }: ChildEnded): void {
  const child = childOf(flow, id);
  if (status === null) {
    changeChild(flow, child, "gone");
    flow.children.delete(id);
    child.task.children.splice(child.task.children.indexOf(child), 1);
    return;
  }
  child.status = status;
  child.seq = seq ?? child.seq;
  if (!isFinished(status)) changeChild(flow, child, "active");
  else changeChild(flow, child, child.state === "abandoned" || child.state === "gone" ? "gone" : "ended");
}

function changeChild({ childCount }: Flow, child: Child, state: Child["state"]): void {
  for (const [at, sign] of [
    [child.state, -1],
    [state, 1],
  ] as const) {
    if (at === "active") {
      childCount.active += sign;
      child.task.activeChildren += sign;
    } else if (at === "abandoned") childCount.abandoned += sign;
  }
  child.state = state;
}

/** All of them are open; the first is due. Their params are made of what they undo. */
function startUndo(flow: Flow, { tasks }: Compensating, at: number): void {
  const { undo } = flow;
  undo.status = "RUNNING";
  undo.startedAt = at;
  undo.finishedAt = null;
  flow.undoing = { order: tasks, next: 0 };
  for (const ordinal of tasks) {
    const task = taskOf(flow, ordinal);
    task.inDoubt = undoDoubt(task);
    if (isSettled(task.status)) unsettle(flow, task);
    task.status = "WAITING";
    task.runAttempts = 0;
    task.open = true;
    undo.count.open++;
    task.definition = { ...task.definition, params: undoParams(task.undoes) };
  }
  dueNextUndo(flow, at);
}

/** It was tried for this very success, and nobody could tell whether it worked. */
function undoDoubt({ status, error, options }: Task): Task["inDoubt"] {
  if (status !== "FAILED" || error?.type !== "TASK_OUTCOME_UNKNOWN") return null;
  return options.exactlyOnceTaskExecution ? "verify-or-fail" : "verify";
}

function undoParams(task: Task | null): unknown {
  const { params = {}, compensate } = task?.definition ?? {};
  const response = JSON.parse(task?.response ?? "null") as unknown;
  return compensate?.params === undefined ? { params, response } : fill(compensate.params, { params, response });
}

function dueNextUndo(flow: Flow, at: number): void {
  const next = nextUndo(flow);
  if (!next) return;
  next.dueSince = at;
  if (next.inDoubt === null) flow.due.add(next.ordinal);
}

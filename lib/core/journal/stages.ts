/** The facts about stages. */
import type { Flow, Stage } from "../model/flow.ts";
import type { StageChanged } from "./facts.ts";
import { close, open, taskOf } from "./tasks.ts";

export function changeStage(flow: Flow, fact: StageChanged, at: number): void {
  const stage = flow.stages[fact.stage];
  if (!stage)
    throw new Error(`Taskflow ${flow.taskflowId} has no stage ${fact.stage}: its journal does not match its definition.`);
  const wasRunning = stage.status === "RUNNING";
  stage.status = fact.status;
  stage.whenValues = fact.whenValues ?? null;
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
  // A retry may leave a running stage with open tasks, to run an earlier stage again.
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

export function forgetSelection(stage: Stage): void {
  stage.count.selected = 0;
  for (const task of stage.tasks) task.selected = false;
}

function enter(flow: Flow, stage: Stage, at: number, onlySelected: boolean): void {
  stage.startedAt = at;
  stage.count.selected = 0;
  for (const task of stage.tasks) {
    if (task.status === "WAITING" && (task.selected || !onlySelected)) open(flow, task, at);
    task.selected = false;
  }
}

/**
 * Applies one fact to the state in place. It decides nothing: everything that depends on the moment
 * (clock, workers, limits) is part of the fact, so replaying a journal gives the state that
 * `decide` left.
 */
import type { Fact, FlowChanged } from "./facts.ts";
import { type Flow, isFinished, latestAttempt } from "../model/flow.ts";
import { taskOf } from "./tasks.ts";
import { delay, recordLateResponse, redeliver, respond, revive, start, withdraw } from "./attempts.ts";
import { changeStage, forgetSelection } from "./stages.ts";
import { reset, resolve, selectWaiting, settle, update } from "./settlement.ts";
import { changeChild, childOf, endChild, linkChild } from "./children.ts";
import { restore } from "./snapshot.ts";
import { startUndo } from "./compensation.ts";

const EVENTS: ReadonlySet<Fact["kind"]> = new Set([
  "created",
  "flow",
  "stage",
  "started",
  "withdrawn",
  "revived",
  "delayed",
  "settled",
  "reset",
]);

/** A fact that changes a status is an event, and takes the next `seq`. */
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
    case "resolved":
      return resolve(taskOf(flow, fact.task), fact);
    case "started":
      return start(flow, fact, at);
    case "redelivered":
      return redeliver(flow, fact);
    case "withdrawn":
      return withdraw(flow, fact);
    case "undelivered":
      latestAttempt(taskOf(flow, fact.task)).deliveries--;
      flow.repeats.add(fact.task);
      flow.turnedAway.delete(fact.task);
      return;
    case "accepted":
      latestAttempt(taskOf(flow, fact.task)).startedAt = fact.sentAt;
      return;
    case "delayed":
      return delay(flow, fact, at);
    case "settled":
      return settle(flow, fact, at);
    case "reset":
      return reset(flow, fact, at);
    case "selected":
      return selectWaiting(flow, fact, at);
    case "late-response":
      return recordLateResponse(taskOf(flow, fact.task), fact, at);
    case "paused":
      flow.pause = fact.pause && { ...fact.pause, at };
      return;
    case "updated":
      return update(taskOf(flow, fact.task), fact);
    case "annotated":
      flow.annotations.push({ type: fact.type, value: fact.value, at });
      return;
    case "command-handled":
      flow.commands.set(fact.id, fact.answer);
      return;
    case "linked":
      return linkChild(flow, fact);
    case "child-ended":
      return endChild(flow, fact);
    case "child-abandoned":
      return changeChild(flow, childOf(flow, fact.child), "abandoned");
    case "revived":
      return revive(flow, fact);
    case "responded":
      return respond(flow, fact);
    case "compensating":
      return startUndo(flow, fact, at);
    case "compensated":
      flow.undo.status = fact.status;
      flow.undo.finishedAt = at;
      return;
    case "compacted":
      return restore(flow, fact);
  }
}

function changeFlow(flow: Flow, fact: FlowChanged, at: number): void {
  flow.status = fact.status;
  flow.statusReason = fact.reason ?? null;
  flow.error = fact.error ?? null;
  flow.output = fact.output;
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
    flow.turnedAway.clear();
    // A selection that was not reached does not carry over to the next run.
    for (const stage of flow.stages) if (stage.count.selected > 0) forgetSelection(stage);
  }
}

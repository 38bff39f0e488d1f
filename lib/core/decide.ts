/**
 * The engine: from a taskflow, its inputs and the time it decides the facts to store and the
 * effects to carry out.
 *
 * It changes the taskflow in place, fact by fact, so a commit is exactly those facts. It uses no
 * clock, bus, store or randomness: the same taskflow and inputs give the same facts. If the commit
 * fails, the owner drops the taskflow and reads it again.
 */
import { isPastAge, watchAge } from "./execution/max-age.ts";
import { assertStep } from "./model/invariants.ts";
import type { Effect } from "./execution/effects.ts";
import type { Fact } from "./journal/facts.ts";
import { type Flow, isFinished, isOver } from "./model/flow.ts";
import type { Input } from "./execution/inputs.ts";
import { follow, notifyParent } from "./execution/children.ts";
import { dispatchDue, type Router } from "./execution/dispatch.ts";
import { takeEvaluated } from "./execution/resolve.ts";
import { handleCommand } from "./commands/handle.ts";
import { recover } from "./execution/recover.ts";
import { checkDeadline, prolong, requery, handleOutcomeReply, linkLost } from "./execution/outcome-query.ts";
import { afterSettled, begin } from "./execution/stage.ts";
import type { CommandReply, Step } from "./execution/step.ts";
import { accept, resend, takeBackHeld } from "./execution/turned-away.ts";
import { ageTask, answerTask, expireTask, retryTask, timeOutTask } from "./execution/task.ts";

export interface Decision {
  /** Stored together, before any effect is carried out. Empty: nothing changed. */
  readonly facts: Fact[];
  /** Carried out once the facts are stored. */
  readonly effects: Effect[];
  /** Sent once the facts are stored. */
  readonly answers: CommandReply[];
}

/**
 * @param now epoch milliseconds of the store's clock; a step backwards is harmless
 * @param router routes the work that is due now; absent: nothing is sent
 */
export function decide(flow: Flow, inputs: readonly Input[], now: number, router?: Router): Decision {
  const step: Step = { flow, now, facts: [], effects: [], answers: [] };
  const wasOver = isOver(flow);
  const { retryAttempt } = flow;
  for (const input of inputs) take(step, input);
  if (router) dispatchDue(step, router);
  if (isOver(flow) !== wasOver || (wasOver && flow.retryAttempt !== retryAttempt)) notifyParent(step);
  assertStep(flow);
  return step;
}

function take(step: Step, input: Input): void {
  const { flow } = step;
  if (input.kind === "recover") return recover(step, input);
  if (input.kind === "command") return handleCommand(step, input);
  if (input.kind === "follow") return follow(step);
  if (isOver(flow) && input.kind !== "answer") return;
  switch (input.kind) {
    case "begin":
      return begin(step);
    case "answer":
      return answerTask(step, input);
    case "timeout":
      return timeOutTask(step, input);
    case "deadline":
      return checkDeadline(step, input);
    case "heartbeat":
      return prolong(step, input);
    case "retry-due":
      return retryTask(step, input);
    case "evaluated":
      return takeEvaluated(step, input);
    case "link-lost":
      for (const ordinal of input.tasks) linkLost(step, ordinal);
      return;
    case "requery":
      return requery(step, input);
    case "outcome-reply":
      return handleOutcomeReply(step, input);
    case "resend":
      return resend(step, input);
    case "accepted":
      return accept(step, input);
    case "drain":
      return takeBackHeld(step, [...flow.tasks, ...flow.undo.tasks]);
    case "age":
      if (input.task === undefined) return ageFlow(step);
      return ageTask(step, input.task);
  }
}

/**
 * Past the taskflow's `maxAge`, waiting tasks of the running stage end; running attempts finish.
 */
function ageFlow(step: Step): void {
  const { flow, now } = step;
  if (isFinished(flow.status)) return;
  // The clock was set back.
  if (!isPastAge(flow, now)) return watchAge(step);
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  if (!stage) return;
  takeBackHeld(step, stage.tasks);
  for (const task of stage.tasks) if (task.open && task.status === "WAITING") expireTask(step, task);
  // The stage no longer waits for a decision.
  afterSettled(step, stage);
}

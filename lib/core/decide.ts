/**
 * The engine: given a taskflow, what has come in and the time, it names the facts that follow and what is to be done about them.
 *
 * It changes the taskflow in place, fact by fact, so that a commit is just those facts. It knows no clock, no bus, no store and no
 * randomness: the same taskflow and inputs give the same facts. After a commit that failed the taskflow is dropped and read again.
 */
import { isPastAge } from "./execution/max-age.ts";
import { assertStep } from "./model/invariants.ts";
import type { Effect } from "./execution/effects.ts";
import type { Fact } from "./journal/facts.ts";
import { type Flow, isFinished, isOver } from "./model/flow.ts";
import type { Input } from "./execution/inputs.ts";
import { follow, tellParent } from "./execution/children.ts";
import { dispatchDue, type Router } from "./execution/dispatch.ts";
import { handleCommand } from "./commands/handle.ts";
import { recover } from "./execution/recover.ts";
import { requery, handleOutcomeReply, linkLost } from "./execution/outcome-query.ts";
import { afterSettled, begin } from "./execution/stage.ts";
import type { CommandReply, Step } from "./execution/step.ts";
import { ageTask, answerTask, expireTask, retryTask, timeOutTask } from "./execution/task.ts";

export interface Decision {
  /** To be stored, together, before any effect. None: nothing changed. */
  readonly facts: Fact[];
  /** To be carried out once the facts are stored. */
  readonly effects: Effect[];
  /** To be given once the facts are stored. */
  readonly answers: CommandReply[];
}

/**
 * @param now epoch milliseconds of the store's clock; a step backwards is harmless
 * @param router sends the work that is due now; absent: nothing is sent
 */
export function decide(flow: Flow, inputs: readonly Input[], now: number, router?: Router): Decision {
  const step: Step = { flow, now, facts: [], effects: [], answers: [] };
  const wasOver = isOver(flow);
  const { retryAttempt } = flow;
  for (const input of inputs) take(step, input);
  if (router) dispatchDue(step, router);
  if (isOver(flow) !== wasOver || (wasOver && flow.retryAttempt !== retryAttempt)) tellParent(step);
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
    case "retry-due":
      return retryTask(step, input);
    case "link-lost":
      for (const ordinal of input.tasks) linkLost(step, ordinal);
      return;
    case "requery":
      return requery(step, input);
    case "outcome-reply":
      return handleOutcomeReply(step, input);
    case "age":
      if (input.task === undefined) return ageFlow(step);
      return ageTask(step, input.task);
  }
}

/** The taskflow may be past its age: what waits in the stage that is open ends, what runs is awaited. */
function ageFlow(step: Step): void {
  const { flow, now } = step;
  if (!isPastAge(flow, now) || isFinished(flow.status)) return;
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  if (!stage) return;
  for (const task of stage.tasks) if (task.open && task.status === "WAITING") expireTask(step, task);
  // No decision is waited for any more.
  afterSettled(step, stage);
}

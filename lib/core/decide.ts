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
import { type Flow, isFinished, isOver, type Task, taskAt } from "./model/flow.ts";
import type { Input } from "./execution/inputs.ts";
import { follow, tellParent } from "./execution/children.ts";
import { handleCommand } from "./commands/handle.ts";
import { recover } from "./execution/recover.ts";
import { requery, handleOutcomeReply, linkLost } from "./execution/outcome-query.ts";
import { afterSettled, begin } from "./execution/stage.ts";
import type { CommandReply, Step } from "./execution/step.ts";
import { ageTask, answerTask, dispatchTask, expireTask, isDispatching, retryTask, timeOutTask } from "./execution/task.ts";

export interface Decision {
  /** To be stored, together, before any effect. None: nothing changed. */
  readonly facts: Fact[];
  /** To be carried out once the facts are stored. */
  readonly effects: Effect[];
  /** To be given once the facts are stored. */
  readonly answers: CommandReply[];
}

/** @param now epoch milliseconds of the store's clock; a step backwards is harmless */
export function decide(flow: Flow, inputs: readonly Input[], now: number): Decision {
  const step: Step = { flow, now, facts: [], effects: [], answers: [] };
  const wasOver = isOver(flow);
  const { retryAttempt } = flow;
  for (const input of inputs) take(step, input);
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
    case "dispatch":
      for (const { task, node } of input.tasks) dispatchTask(step, task, node);
      return;
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

export interface Pick {
  readonly task: number;
  readonly node: string;
}

/**
 * The tasks that can be sent now: first attempts to be delivered again, then new ones in the order in which they became due, as far as their
 * stage's `maxConcurrency` allows.
 * @param limit at most this many
 * @param route the node for a task; undefined: none serves it now
 */
export function dispatchable(flow: Flow, limit: number, route: (task: Task) => string | undefined): Pick[] {
  const picks: Pick[] = [];
  if (!isDispatching(flow)) return picks;
  const pick = (ordinal: number): boolean => {
    const task = taskAt(flow, ordinal);
    const node = task && route(task);
    if (node !== undefined) picks.push({ task: ordinal, node });
    return node !== undefined;
  };
  for (const ordinal of flow.repeats) {
    if (picks.length >= limit) return picks;
    pick(ordinal);
  }
  let capacity = roomOf(flow);
  for (const ordinal of flow.due) {
    if (picks.length >= limit || capacity <= 0) return picks;
    if (pick(ordinal)) capacity--;
  }
  return picks;
}

/** How many more tasks of the running stage may be in flight. All due tasks are of that stage. */
function roomOf(flow: Flow): number {
  if (flow.aborting) return 0;
  for (const ordinal of flow.due) {
    const stage = taskAt(flow, ordinal)?.stage;
    if (!stage) continue;
    return (stage.options.maxConcurrency ?? Number.POSITIVE_INFINITY) - stage.count.running;
  }
  return 0;
}

import { apply } from "../journal/apply.ts";
import type { CommandResult } from "../model/command.ts";
import type { Effect } from "./effects.ts";
import type { Fact } from "../journal/facts.ts";
import type { Flow } from "../model/flow.ts";

/** One run of `decide`, with the decisions made so far. */
export interface Step {
  readonly flow: Flow;
  /** Epoch milliseconds of the store's clock. */
  readonly now: number;
  readonly facts: Fact[];
  readonly effects: Effect[];
  readonly answers: CommandReply[];
}

/** The answer to a command, sent once the facts are stored. */
export interface CommandReply {
  readonly correlationId: number;
  readonly answer: CommandResult;
}

/** Records a fact and applies it at once. */
export function record(step: Step, fact: Exclude<Fact, { kind: "created" }>): void {
  step.facts.push(fact);
  apply(step.flow, fact, step.now);
}

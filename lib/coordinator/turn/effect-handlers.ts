/** The parts of a coordinator that its turns call. */
import type { Input } from "../../core/execution/inputs.ts";
import type { Flow } from "../../core/model/flow.ts";
import type { Effect } from "../../core/execution/effects.ts";
import type { Resident } from "./resident.ts";

export type LateAnswer = Extract<Input, { kind: "answer" }>;

/** Takes an answer for a taskflow that has left memory, with its last known state. */
export type Late = (last: Flow, answer: LateAnswer) => void;

/** Carries the commands between nested taskflows. */
export interface NestedMessenger {
  readonly send: (from: string, effect: Extract<Effect, { kind: "send-command" }>) => void;
  readonly lookAfter: (resident: Resident, children: readonly string[]) => Promise<void>;
}

export interface TurnListener extends NestedMessenger {
  /** False while another coordinator may have taken over. */
  readonly hasLease: () => boolean;
  /** Called with an answer for a taskflow that has left memory. */
  readonly late: Late;
  /** Called when a taskflow was parked. */
  readonly parked: (dueAt: number) => void;
  /** Called when the journal of a taskflow has become much longer than its state. */
  readonly overgrown: (resident: Resident) => void;
  /** Called when a taskflow has left memory: there is room for another one. */
  readonly left: () => void;
}

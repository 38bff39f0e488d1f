import type { Input } from "../../core/execution/inputs.ts";
import type { Flow } from "../../core/model/flow.ts";
import type { Effect } from "../../core/execution/effects.ts";
import type { Resident } from "./resident.ts";

export type LateAnswer = Extract<Input, { kind: "answer" }>;
/** Is told of an answer for a taskflow that has left, with what was known of it last. */
export type Late = (last: Flow, answer: LateAnswer) => void;
/** Carries out what taskflows are to tell one another. */
export interface NestedMessenger {
  readonly send: (from: string, effect: Extract<Effect, { kind: "send-command" }>) => void;
  readonly lookAfter: (resident: Resident, children: readonly string[]) => Promise<void>;
}

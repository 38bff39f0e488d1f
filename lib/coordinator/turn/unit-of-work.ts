import type { Effect } from "../../core/execution/effects.ts";
import type { EventText } from "../../core/views/events.ts";
import type { Fact } from "../../core/journal/facts.ts";
import type { Input } from "../../core/execution/inputs.ts";
import type { CommandReply } from "../../core/execution/step.ts";
import type { Write } from "../../ports/store.ts";
import type { Resident } from "./resident.ts";

/** One taskflow's part of a turn. */
export interface UnitOfWork {
  readonly resident: Resident;
  readonly inputs: readonly Input[];
  readonly facts: readonly Fact[];
  readonly effects: readonly Effect[];
  readonly answers: readonly CommandReply[];
  readonly firstSeq: number;
  readonly at: number;
  /** Event 1 of a new taskflow, written while it was WAITING. */
  readonly creation: EventText | undefined;
  readonly write: Write | undefined;
  /** How often the lease had lapsed when it was decided. */
  readonly leaseLapses: number;
}

/** Slots that the effects need. */
export const callsIn = (effects: readonly Effect[]): number =>
  effects.reduce((sum, { kind }) => sum + (kind === "call" ? 1 : 0), 0);

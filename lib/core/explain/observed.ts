/**
 * Observations: the world around a taskflow at the moment it is explained. The coordinator collects
 * them; the core itself looks at nothing.
 */
import type { Observed, TaskTypes } from "../model/task-type.ts";

export interface PausedBy {
  readonly pattern: string;
  readonly reason: string | null;
  readonly since: number;
  /** Set if the rule applies to one coordinator alone. */
  readonly coordinator: string | null;
}

/** The latest delivery of a running attempt, as its coordinator remembers it. */
export interface Sent {
  /** When it was sent, which started its timeout. */
  readonly sentAt: number;
  /** The handler's last heartbeat, which restarted the timeout. */
  readonly heardAt: number | null;
  /** It was never sent, and is retried at once. */
  readonly isUnsent: boolean;
}

/** The owner of the taskflow, as the explaining coordinator sees it. */
export type OwnerState =
  | {
      readonly kind: "this";
      /**
       * It is in this coordinator's memory. If not, `restsUntil` says until when it rests in the
       * store; null if it should be in memory.
       */
      readonly isLoaded: boolean;
      readonly restsUntil: number | null;
      /** The coordinator has its lease: no other can have taken over. */
      readonly hasLease: boolean;
      readonly isDraining: boolean;
      readonly inFlight: number;
      readonly maxInFlight: number;
      /** Undefined: the coordinator awaits no answer, and queries the outcome instead. */
      readonly sent: (ordinal: number) => Sent | undefined;
    }
  | {
      readonly kind: "other";
      readonly node: string;
      /** Time since its lease last changed; null: the store has no lease of it. */
      readonly silentMs: number | null;
      readonly leaseMs: number;
    }
  | { readonly kind: "none" };

export interface Observations extends Observed {
  /** The coordinator that explains. */
  readonly coordinator: string;
  readonly owner: OwnerState;
  readonly types: TaskTypes;
  readonly isBusUp: boolean;
  readonly isConnected: (node: string) => boolean;
  /** The rule that pauses tasks for the target. */
  readonly pausedBy: (target: string) => PausedBy | undefined;
  /** The rule that pauses all sending. */
  readonly everythingPausedBy: PausedBy | undefined;
  /** Why the store is unavailable; null: it is available. */
  readonly storeError: string | null;
}

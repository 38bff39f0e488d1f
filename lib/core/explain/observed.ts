/** What is known of the world around a taskflow when it is explained. It is given; the core looks at nothing. */
import type { Observed, TaskTypes } from "../model/task-type.ts";

export interface PausedBy {
  readonly pattern: string;
  readonly reason: string | null;
  readonly since: number;
  /** Of one coordinator alone. */
  readonly coordinator: string | null;
}

/** The latest delivery of a running attempt, as its coordinator remembers it. */
export interface Sent {
  /** When its time began: when it was sent. */
  readonly sentAt: number;
  /** The handler's last heartbeat, which began its time anew. */
  readonly heardAt: number | null;
  /** It never left, and is tried again in a moment. */
  readonly isUnsent: boolean;
}

/** Who drives the taskflow. */
export type OwnerState =
  | {
      readonly kind: "this";
      /** It is in this coordinator's memory. If not: until when it rests in the store, null if it should be here. */
      readonly isLoaded: boolean;
      readonly restsUntil: number | null;
      /** Its lease is held: nobody else can have taken over. */
      readonly hasLease: boolean;
      readonly isDraining: boolean;
      readonly inFlight: number;
      readonly maxInFlight: number;
      /** Undefined: nothing is listened for, the outcome is asked for. */
      readonly sent: (ordinal: number) => Sent | undefined;
    }
  | {
      readonly kind: "other";
      readonly node: string;
      /** How long its sign of life has not changed; null: it shows none. */
      readonly silentMs: number | null;
      readonly leaseMs: number;
    }
  | { readonly kind: "nobody" };

export interface Observations extends Observed {
  /** The coordinator that explains. */
  readonly coordinator: string;
  readonly owner: OwnerState;
  readonly types: TaskTypes;
  readonly isBusUp: boolean;
  readonly isConnected: (node: string) => boolean;
  /** The rule that keeps tasks from reaching the target. */
  readonly pausedBy: (target: string) => PausedBy | undefined;
  /** The rule that keeps everything from being sent. */
  readonly everythingPausedBy: PausedBy | undefined;
  /** Why the store cannot be used; null: it can. */
  readonly storeError: string | null;
}

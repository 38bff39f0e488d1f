import type { ResolvedOptions } from "../options.ts";

export interface CoordinatorSettings {
  /** Who it is in the store: the node's id. */
  readonly owner: string;
  /** Options where a taskflow, stage or task says nothing. */
  readonly defaults: ResolvedOptions;
  /** How long it keeps its taskflows without a sign of life, in ms. */
  readonly leaseMs: number;
  /** Attempts in flight at once, over all taskflows. */
  readonly maxInFlight: number;
  /** Unfinished taskflows that it drives at once; beyond it `produce` is refused with `TASKFLOW_OVERLOADED`. */
  readonly maxActive: number;
  /** Bytes from which the state tree in events gives way to counts. */
  readonly eventTreeLimit: number;
}

/** Format of the journals that this version writes, and the highest that it reads. */
export const FORMAT = 1;

/** Taskflows decided in one turn of the event loop. */
export const TURN = 256;

/** Wait before a delivery that never left is tried again. */
export const RESEND_DELAY_MS = 250;

/** How often waiting work looks whether a worker has appeared, beside being told. */
export const WORKER_POLL_MS = 1_000;

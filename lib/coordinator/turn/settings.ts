import type { EffectiveOptions } from "../../../schemas/options.ts";

export interface CoordinatorSettings {
  /** Who it is in the store: the node's id. */
  readonly owner: string;
  /** Options where a taskflow, stage or task says nothing. */
  readonly defaults: EffectiveOptions;
  /** How long it keeps its taskflows without a sign of life, in ms. */
  readonly leaseMs: number;
  /** Attempts in flight at once, over all taskflows. */
  readonly maxInFlight: number;
  /**
   * Taskflows in memory. Beyond it `produce` is refused with `TASKFLOW_OVERLOADED`, and due
   * taskflows wait on disk.
   */
  readonly maxActive: number;
  /** A taskflow in which nothing can happen for longer than this leaves memory, in ms. */
  readonly parkMs: number;
  /** How long finished taskflows are kept, in ms; null: for ever. */
  readonly retentionMs: number | null;
  /** Bytes of JSON that the params of a task may have once their templates are filled in. */
  readonly paramsBytes: number;
  /** Facts since its snapshot after which a journal is compacted; more for a large taskflow. */
  readonly compactAfter: number;
  /** Bytes from which the state tree in events gives way to counts. */
  readonly eventTreeLimit: number;
}

/**
 * How long before its time a parked taskflow is in memory again. Shorter than `parkMs`, or it would
 * return at once.
 */
export function horizonOf({ parkMs }: CoordinatorSettings): number {
  return parkMs / 2;
}

/** Format of the journals that this version writes, and the highest that it reads. */
export const FORMAT = 1;

/** Taskflows decided in one turn of the event loop. */
export const MAX_TURN_SIZE = 256;

/** Taskflows read from the store at once. */
export const READ_BATCH = 50;

/** How often waiting work looks whether a worker has appeared, beside being told. */
export const WORKER_POLL_MS = 1_000;

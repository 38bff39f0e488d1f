/**
 * The ledger's port: a worker's memory of the attempts that it received, by key
 * (`taskflowId:taskId:attempt`).
 *
 * The once-only guarantee rests on two writes: `begin` is stored before the handler runs, and
 * `finish` before its answer leaves. So a query for a key learns the outcome, that the attempt
 * runs, that its process died in the middle of it, or that it never began and never will.
 *
 * A record is kept for `keepFor` after it is done, or less if there are too many. A ledger knows
 * how far back it remembers everything, and answers `unknown` rather than `never` for anything that
 * may be older.
 */

/** A delivery that wants to run. */
export interface Begin {
  /** Counts the deliveries of the attempt, from 1. */
  readonly delivery: number;
  /** The process that is going to run it. */
  readonly instance: string;
  /**
   * The process whose interrupted run this one replaces. If another process has replaced it, the
   * answer is `running`.
   */
  readonly retake?: string;
}

/** Whether a delivery may run. */
export type Begun =
  /** This process runs it; the ledger has recorded that. */
  | { readonly kind: "new" }
  /** It has ended already. */
  | { readonly kind: "done"; readonly outcome: string }
  /** A process has begun it; whether that one is alive the ledger cannot say. */
  | { readonly kind: "running"; readonly instance: string }
  /** A coordinator was told that this delivery never began, so it must not. */
  | { readonly kind: "refused" };

/** A ledger's answer to a query for a key. */
export type Asked =
  | { readonly kind: "done"; readonly outcome: string }
  | { readonly kind: "running"; readonly instance: string }
  /** It has not begun, and is refused from now on to deliveries up to the one asked about. */
  | { readonly kind: "never" }
  /** The key is unknown, but may have begun before the ledger's memory. Rejected as well. */
  | { readonly kind: "unknown" };

/** The valid outcome of an attempt that has ended. */
export interface Finished {
  /** How it ended, for everybody: of two runs, the first that ended. */
  readonly outcome: string;
  /** A coordinator has queried it meanwhile, so perhaps no caller waits for the answer any more. */
  readonly asked: boolean;
}

/**
 * Every method rejects if the ledger cannot be read or written; it may then be called again. Calls
 * may overlap.
 */
export interface Ledger {
  /** True: other processes use the same records, so any of them can be asked. */
  readonly isShared: boolean;
  /** True: the records outlive this process. */
  readonly isDurable: boolean;
  /** Rejects with a sentence that says what to do. */
  open(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
  begin(key: string, begin: Begin): Promise<Begun>;
  /** `outcome` is JSON text, opaque to the ledger. */
  finish(key: string, outcome: string): Promise<Finished>;
  /**
   * @param delivery the highest one that `never` and `unknown` refuse
   * @param ageMs how long ago the attempt was first sent, or more
   */
  ask(key: string, delivery: number, ageMs: number): Promise<Asked>;
}

export interface LedgerLimits {
  /** How long a record is kept after its end, ms. */
  readonly keepForMs: number;
  /** Records beside those that run; beyond it the oldest go. */
  readonly maxRecords: number;
}

/** Bytes of outcomes that a memory ledger keeps; beyond it the oldest go. */
export const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

/**
 * Records that began and did not end are kept this many times as long: their process has died, or
 * they take very long.
 */
export const UNFINISHED_FACTOR = 10;

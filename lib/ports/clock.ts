/** The clock's port: the only source of time in the coordinator. */
export interface Clock {
  /**
   * Epoch milliseconds of the store's clock, an integer. May step when the machine's clock is set.
   */
  now(): number;

  /** Sets by how many milliseconds the store's clock is ahead of this machine's. */
  adjust(offsetMs: number): void;

  /**
   * Milliseconds that never decrease, from an arbitrary start: for leases and deadlines within a
   * process.
   */
  monotonic(): number;

  /** Calls back once, after `ms` of the monotonic clock. Returns a function that cancels it. */
  after(ms: number, callback: () => void): () => void;

  /**
   * Calls back once, after the time that is left now until `time`, by the monotonic clock: a step
   * of the machine's clock makes it neither late nor early. If `time` is past, soon, but never
   * synchronously. Returns a function that cancels it.
   */
  at(time: number, callback: () => void): () => void;

  /** Calls back once in the next turn of the event loop. */
  soon(callback: () => void): void;
}

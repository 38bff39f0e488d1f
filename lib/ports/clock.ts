/** The clock's port: the only source of time in the coordinator. */
export interface Clock {
  /** Epoch milliseconds of the store's clock, an integer. May step when the machine's clock is set. */
  now(): number;

  /** Tells by how many milliseconds the store's clock is ahead of this machine's. */
  adjust(offsetMs: number): void;

  /** Milliseconds that only ever grow, from any start: for leases and deadlines inside one process. */
  monotonic(): number;

  /** Calls back once, after so many ms of the monotonic clock: for what counts from now on. Returns what cancels it. */
  after(ms: number, callback: () => void): () => void;

  /** Calls back once, at or soon after that time (by `now`); any time in the past means soon, never at once. Returns what cancels it. */
  at(time: number, callback: () => void): () => void;

  /** Calls back once in the next turn of the event loop. */
  soon(callback: () => void): void;
}

/** Sets timers: the coordinator's clock, which a simulation can replace, or this process. */
export interface Timer {
  /** Calls back once, after `ms`. Returns a function that cancels it. */
  after(ms: number, callback: () => void): () => void;
}

export const PROCESS_TIMER: Timer = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export function sleep(ms: number, timer: Timer = PROCESS_TIMER): Promise<void> {
  return new Promise((resolve) => void timer.after(ms, resolve));
}

/** Settles like `work`, or rejects after `ms`. A later end of the work is ignored. */
export function withTimeout<Result>(
  work: Promise<Result>,
  ms: number,
  errorOf: () => Error,
  timer: Timer = PROCESS_TIMER,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const cancel = timer.after(ms, () => reject(errorOf()));
    work.finally(cancel).then(resolve, reject);
  });
}

/** Pauses between tries: each call returns the next, doubling up to `longestMs`. */
export function backoff(firstMs: number, longestMs: number): () => number {
  let nextMs = firstMs;
  return () => {
    const ms = nextMs;
    nextMs = Math.min(ms * 2, longestMs);
    return ms;
  };
}

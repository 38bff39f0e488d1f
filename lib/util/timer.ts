/** What arms timers: the coordinator's clock, which a simulation can replace, or this process. */
export interface Timer {
  /** Calls back once, after so many ms. Returns what cancels it. */
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

/** Settles like `work`, or rejects when the time is up. How the work ends after that is ignored. */
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

/** The pauses between tries: each call answers one, twice as long as the one before, up to the longest. */
export function backoff(firstMs: number, longestMs: number): () => number {
  let nextMs = firstMs;
  return () => {
    const ms = nextMs;
    nextMs = Math.min(ms * 2, longestMs);
    return ms;
  };
}

import { setTimeout as sleep } from "node:timers/promises";

export interface EventuallyOptions {
  /** How long to keep trying. Default 10,000. */
  timeoutMs?: number;
  /** Pause between two tries. Default 20. */
  intervalMs?: number;
}

/**
 * Calls `assertion` until it does not throw (or reject), and answers what it returned. After the
 * time is up it throws the assertion's last error, with the time added to its message: what was
 * still wrong is what the report shows.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, intervalMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() >= deadline) {
        if (error instanceof Error) error.message = `Still so after ${timeoutMs} ms: ${error.message}`;
        throw error;
      }
    }
    await sleep(intervalMs);
  }
}

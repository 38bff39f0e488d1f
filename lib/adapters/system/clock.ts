import { setImmediate } from "node:timers";
import type { Clock } from "../../ports/clock.ts";

/** Longer timers fire at once in Node: they are cut into pieces. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The machine's clock, corrected by the store's. An armed timer goes by the monotonic clock: a step
 * of the machine's clock makes it neither late nor early.
 */
export class SystemClock implements Clock {
  #offsetMs = 0;

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  adjust(offsetMs: number): void {
    this.#offsetMs = Math.round(offsetMs);
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, callback: () => void): () => void {
    let left = ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const piece = Math.min(Math.max(left, 1), LONGEST_MS);
      left -= piece;
      timer = setTimeout(left > 0 ? arm : callback, piece);
    };
    arm();
    return () => clearTimeout(timer);
  }

  at(time: number, callback: () => void): () => void {
    return this.after(Math.max(0, time - this.now()), callback);
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }
}

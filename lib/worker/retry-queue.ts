/**
 * Work that must be done and cannot be done now: retried with growing pauses until it succeeds or
 * is too old.
 */
import { backoff } from "../util/timer.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Beyond it the oldest is given up. */
const MAX_WAITING = 10_000;

interface Waiting {
  /** True: it is done. False, or a rejection: it is tried again. */
  readonly attempt: () => Promise<boolean>;
  /** It is done, or given up. */
  readonly over: (() => void) | undefined;
  readonly giveUpAt: number;
  readonly pause: () => number;
  timer: NodeJS.Timeout | undefined;
}

export class RetryQueue {
  readonly #keepForMs: number;
  readonly #waiting = new Map<string, Waiting>();
  #isStopped = false;

  constructor(keepForMs: number) {
    this.#keepForMs = keepForMs;
  }

  /** Tries it now, then until it succeeds. Work that already waits under the same key stays. */
  add(key: string, attempt: () => Promise<boolean>, over?: () => void): void {
    if (this.#isStopped || this.#waiting.has(key)) return;
    const waiting: Waiting = {
      attempt,
      over,
      giveUpAt: performance.now() + this.#keepForMs,
      pause: backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
      timer: undefined,
    };
    this.#waiting.set(key, waiting);
    const oldest = this.#waiting.size > MAX_WAITING ? this.#waiting.keys().next() : undefined;
    if (oldest && !oldest.done) this.#forget(oldest.value);
    void this.#try(key, waiting);
  }

  async #try(key: string, waiting: Waiting): Promise<void> {
    const isDone = await waiting.attempt().catch(() => false);
    if (this.#waiting.get(key) !== waiting) return;
    if (isDone || performance.now() >= waiting.giveUpAt) return this.#forget(key);
    waiting.timer = setTimeout(() => void this.#try(key, waiting), waiting.pause());
    waiting.timer.unref();
  }

  #forget(key: string): void {
    const waiting = this.#waiting.get(key);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(key);
    waiting?.over?.();
  }

  stop(): void {
    this.#isStopped = true;
    for (const key of this.#waiting.keys()) this.#forget(key);
  }
}

/**
 * Listens on for the answers of attempts whose taskflow has left memory: it was cancelled, or it is
 * parked in the delay after a timeout. Each is listened for until its own time is over.
 */
import type { Clock } from "../../ports/clock.ts";

/** Waits for the answer to one delivery. */
export interface Listening {
  readonly task: number;
  readonly attempt: number;
  /** By the monotonic clock. */
  readonly until: number;
  /** Ends it without an answer. */
  readonly end: () => void;
}

/** Answers that are waited for at once; beyond it, those that were first kept are given up. */
const MAX_KEPT = 10_000;

export class LateListening {
  readonly #clock: Clock;
  readonly #kept = new Map<Listening, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#kept.size;
  }

  keep(listening: Listening): void {
    const left = Math.max(0, listening.until - this.#clock.monotonic());
    this.#kept.set(
      listening,
      this.#clock.after(left, () => this.#end(listening)),
    );
    if (this.#kept.size <= MAX_KEPT) return;
    const first = this.#kept.keys().next();
    if (!first.done) this.#end(first.value);
  }

  /** The answer has come. */
  forget(listening: Listening): void {
    if (this.#kept.size === 0) return;
    this.#kept.get(listening)?.();
    this.#kept.delete(listening);
  }

  stop(): void {
    for (const listening of this.#kept.keys()) this.#end(listening);
  }

  #end(listening: Listening): void {
    this.forget(listening);
    listening.end();
  }
}

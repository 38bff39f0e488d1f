/**
 * Plans turns: the next one soon, or, while the store takes no commit, after a pause. Without it a
 * full disk would be tried as fast as the processor can.
 */
import type { Clock } from "../../ports/clock.ts";
import { backoff } from "../../util/timer.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export class Pacer {
  readonly #clock: Pick<Clock, "soon" | "after">;
  #pauseMs = 0;
  #nextPause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  #isHurried = false;
  #endPause: (() => void) | undefined;

  constructor(clock: Pick<Clock, "soon" | "after">) {
    this.#clock = clock;
  }

  /** One turn at a time. */
  plan(turn: () => void): void {
    if (this.#pauseMs === 0 || this.#isHurried) return this.#clock.soon(turn);
    const cancel = this.#clock.after(this.#pauseMs, () => {
      this.#endPause = undefined;
      turn();
    });
    this.#endPause = () => {
      this.#endPause = undefined;
      cancel();
      this.#clock.soon(turn);
    };
  }

  commitFailed(): void {
    this.#pauseMs = this.#nextPause();
  }

  committed(): void {
    if (this.#pauseMs === 0) return;
    this.#pauseMs = 0;
    this.#nextPause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  }

  /** Makes no pause any more, for a coordinator that stops. */
  hurry(): void {
    this.#isHurried = true;
    this.#endPause?.();
  }
}

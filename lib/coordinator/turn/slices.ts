import type { Clock } from "../../ports/clock.ts";

/** How long work may hold up the event loop. */
const SLICE_MS = 4;

/** Divides long work: the engine has its turns between two slices. */
export class Slices {
  readonly #clock: Clock;
  #begun: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begun = clock.monotonic();
  }

  /** True if the slice is over: `pause` is to be awaited. A short work never pauses. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#begun >= SLICE_MS;
  }

  async pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#begun = this.#clock.monotonic();
  }
}

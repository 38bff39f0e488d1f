/**
 * Deletes finished taskflows that are older than the retention time. Each coordinator does so, a
 * few at a time; a taskflow that another has deleted is gone.
 */
import type { Ports } from "../turn/ports.ts";

/** Trees removed at once. */
const BATCH = 100;
/**
 * Pause between two batches, so that other work goes on, and the longest pause between two looks.
 */
const PAUSE_MS = 200;
const LOOK_MS = 60_000;

export class Retention {
  readonly #ports: Ports;
  readonly #keepMs: number;
  #cancel: () => void = () => {};
  #isStopped = false;
  #removing: Promise<void> | undefined;

  constructor(ports: Ports, keepMs: number) {
    this.#ports = ports;
    this.#keepMs = keepMs;
  }

  start(): void {
    this.#plan(PAUSE_MS);
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#removing;
  }

  #plan(ms: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#ports.clock.after(ms, () => {
      this.#removing = this.#remove();
    });
  }

  async #remove(): Promise<void> {
    const { store, clock, logger } = this.#ports;
    let removed = 0;
    try {
      removed = await store.expire(clock.now() - this.#keepMs, BATCH);
    } catch (error) {
      logger.warn("Taskflows past their retention could not be removed; trying again.", error);
    }
    this.#plan(removed > 0 ? PAUSE_MS : Math.min(this.#keepMs / 10, LOOK_MS));
  }
}

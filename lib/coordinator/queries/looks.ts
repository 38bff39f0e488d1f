/** Looks at taskflows of other coordinators: one a second for all waiters of a taskflow. */
import type { Clock } from "../../ports/clock.ts";

/** How often a taskflow is looked at while callers wait for it. */
const LOOK_MS = 1_000;

interface Look {
  readonly callbacks: Set<() => void>;
  readonly cancel: () => void;
}

export class Looks {
  readonly #clock: Clock;
  readonly #next = new Map<string, Look>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back when the next look is due. Returns a function that ends the wait for it. */
  await(taskflowId: string, callback: () => void): () => void {
    const look = this.#next.get(taskflowId) ?? this.#arm(taskflowId);
    look.callbacks.add(callback);
    return () => {
      if (!look.callbacks.delete(callback) || look.callbacks.size > 0) return;
      look.cancel();
      this.#next.delete(taskflowId);
    };
  }

  #arm(taskflowId: string): Look {
    const callbacks = new Set<() => void>();
    const due = (): void => {
      this.#next.delete(taskflowId);
      for (const callback of callbacks) callback();
    };
    const look = { callbacks, cancel: this.#clock.after(LOOK_MS, due) };
    this.#next.set(taskflowId, look);
    return look;
  }
}

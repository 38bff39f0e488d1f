import type { AttemptResult } from "./outcome.ts";

/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The outcome for all deliveries that arrive during an attempt. */
export type Result =
  | { readonly kind: "ended"; readonly ended: AttemptResult }
  /** This delivery may not run; another one may. */
  | { readonly kind: "turned-away"; readonly error: Error };

/** An attempt that runs in this process: its handler, or the steps before and after it. */
export class RunningAttempt {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #watchedAt = performance.now();
  /** A coordinator has queried it, so perhaps no caller waits for the answer any more. */
  asked = false;
  readonly result: Promise<Result>;
  #settle: ((result: Result) => void) | undefined;

  constructor() {
    this.result = new Promise((resolve) => (this.#settle = resolve));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#controller.abort(new Error(reason));
  }

  /** Time since the attempt's time began, in ms. */
  get quietMs(): number {
    return Math.round(performance.now() - this.#watchedAt);
  }

  /** The attempt's time begins, anew with each delivery and each heartbeat of its handler. */
  watch(timeoutMs: number | undefined): void {
    this.#watchedAt = performance.now();
    clearTimeout(this.#timer);
    if (this.asked || timeoutMs === undefined || timeoutMs > LONGEST_TIMER_MS) return;
    this.#timer = setTimeout(() => this.abort("The attempt's time is over."), timeoutMs);
    this.#timer.unref();
  }

  /**
   * The coordinator that queried waits beyond the attempt's timeout: now only a coordinator's
   * request ends it.
   */
  wasAsked(): void {
    this.asked = true;
    clearTimeout(this.#timer);
  }

  end(result: Result): void {
    clearTimeout(this.#timer);
    this.#settle?.(result);
  }
}

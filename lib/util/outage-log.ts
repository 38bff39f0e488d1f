/** Logs when something begins to fail, and when it works again: at most one outage a minute. */

const QUIET_MS = 60_000;

export interface OutageLogger {
  warn(message: string): void;
  info(message: string): void;
}

export class OutageLog {
  readonly #logger: OutageLogger | undefined;
  #isFailing = false;
  #loggedAt = -QUIET_MS;
  /** The outage that goes on was logged: its end is, too. */
  #isLogged = false;
  #omitted = 0;

  constructor(logger: OutageLogger | undefined) {
    this.#logger = logger;
  }

  /** @param sentence what fails and how */
  failed(sentence: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const now = performance.now();
    this.#isLogged = now - this.#loggedAt >= QUIET_MS;
    if (!this.#isLogged) return void this.#omitted++;
    const more = this.#omitted === 0 ? "" : ` It has failed ${this.#omitted} more times since the last such line.`;
    this.#logger?.warn(sentence + more);
    this.#loggedAt = now;
    this.#omitted = 0;
  }

  works(sentence: string): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    if (this.#isLogged) this.#logger?.info(sentence);
  }
}

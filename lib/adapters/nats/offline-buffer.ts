/**
 * Answers that are ready while NATS is away: work that was done and must not be done again for
 * want of its answer.
 */

/** Bytes of all held messages; what comes after is lost, as it would be without. */
const MAX_BYTES = 16 * 1024 * 1024;
/**
 * After the own link is back, until the others have dialled again too (the NATS client's default
 * is a dial each 2.1 s).
 */
const RELEASE_DELAY_MS = 2_500;

export class OfflineBuffer {
  #messages: { topic: string; data: Uint8Array }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  keep(topic: string, data: Uint8Array): void {
    if (this.#bytes + data.length > MAX_BYTES) return;
    this.#messages.push({ topic, data });
    this.#bytes += data.length;
  }

  /**
   * Sends them, oldest first, when the others can hear it. Called again before then, it starts
   * waiting anew.
   */
  releaseSoon(send: (topic: string, data: Uint8Array) => void): void {
    clearTimeout(this.#timer);
    if (this.#messages.length === 0) return;
    this.#timer = setTimeout(() => {
      const messages = this.#messages;
      this.#messages = [];
      this.#bytes = 0;
      for (const { topic, data } of messages) send(topic, data);
    }, RELEASE_DELAY_MS);
    this.#timer.unref();
  }
}

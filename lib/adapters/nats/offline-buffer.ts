/** Answers that are ready while NATS is away: without them, finished work would be repeated. */

/** Bytes of all held messages; later ones are lost, as they would be without this buffer. */
const MAX_BYTES = 16 * 1024 * 1024;
/**
 * From the own link's return until the other nodes have reconnected too (the NATS client's default
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
   * Sends them, oldest first, once the other nodes can receive them. Called again before then, it
   * starts waiting anew. `send` must not throw.
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

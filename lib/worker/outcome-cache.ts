/** Long enough for a coordinator that has many to fetch, and does so a few at a time. */
const KEEP_MS = 60_000;
/** UTF-16 units of all of them together: beyond it the ledger has to answer alone. */
const MOST_TEXT = 256 * 1024 * 1024;

interface Kept {
  readonly text: string;
  readonly timer: NodeJS.Timeout;
}

/**
 * Outcomes that a coordinator is about to fetch. A ledger in memory would have to forget some of
 * many large ones before, and one on disk would be read for each chunk.
 */
export class OutcomeCache {
  readonly #kept = new Map<string, Kept>();
  #length = 0;

  add(key: string, text: string): void {
    this.delete(key);
    if (this.#length + text.length > MOST_TEXT) return;
    const timer = setTimeout(() => this.delete(key), KEEP_MS).unref();
    this.#kept.set(key, { text, timer });
    this.#length += text.length;
  }

  get(key: string): string | undefined {
    return this.#kept.get(key)?.text;
  }

  delete(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    clearTimeout(kept.timer);
    this.#kept.delete(key);
    this.#length -= kept.text.length;
  }

  clear(): void {
    for (const key of this.#kept.keys()) this.delete(key);
  }
}

import {
  type Asked,
  type Begin,
  type Begun,
  type Finished,
  type Ledger,
  type LedgerLimits,
  MAX_MEMORY_BYTES,
  UNFINISHED_FACTOR,
} from "./ledger.ts";
import { asked, begun, finished, type Change, type LedgerRecord } from "./rules.ts";

/** A ledger in this process's memory, which ends with it. Its clock is monotonic. */
export class MemoryLedger implements Ledger {
  readonly isShared = false;
  readonly isDurable = false;
  readonly #limits: LedgerLimits;
  readonly #now: () => number;
  /** Records that have not ended. */
  readonly #running = new Map<string, LedgerRecord>();
  /** The others, least recently changed first. */
  readonly #ended = new Map<string, LedgerRecord>();
  #bytes = 0;
  #tokens = 0;
  /** Records first seen before this time may have been forgotten. */
  #forgotten: number;

  constructor(limits: LedgerLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#forgotten = now();
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  begin(key: string, begin: Begin): Promise<Begun> {
    const token = String(++this.#tokens);
    return this.#change(key, (record, now) => begun(record, begin, token, now));
  }

  finish(key: string, outcome: string): Promise<Finished> {
    return this.#change(key, (record, now) => finished(record, outcome, now));
  }

  ask(key: string, delivery: number, ageMs: number): Promise<Asked> {
    return this.#change(key, (record, now) => asked(record, delivery, this.#forgotten < now - ageMs, now));
  }

  #change<CommandResult>(
    key: string,
    rule: (record: LedgerRecord | undefined, now: number) => Change<CommandResult>,
  ): Promise<CommandResult> {
    const now = this.#now();
    this.#forget(now);
    const { answer, next } = rule(this.#running.get(key) ?? this.#ended.get(key), now);
    if (next) {
      this.#remove(key);
      if (next.state === "running") this.#running.set(key, next);
      else {
        this.#ended.set(key, next);
        this.#bytes += next.outcome.length;
      }
      this.#forget(now);
    }
    return Promise.resolve(answer);
  }

  #remove(key: string): void {
    this.#running.delete(key);
    this.#bytes -= this.#ended.get(key)?.outcome.length ?? 0;
    this.#ended.delete(key);
  }

  #forget(now: number): void {
    const { keepForMs, maxRecords } = this.#limits;
    for (const [key, { at, since }] of this.#ended) {
      const isTooMany = this.#ended.size > maxRecords || (this.#bytes > MAX_MEMORY_BYTES && this.#ended.size > 1);
      if (!isTooMany && at > now - keepForMs) break;
      this.#remove(key);
      this.#forgotten = Math.max(this.#forgotten, since);
    }
    for (const [key, { at, since }] of this.#running) {
      if (at > now - keepForMs * UNFINISHED_FACTOR) break;
      this.#running.delete(key);
      this.#forgotten = Math.max(this.#forgotten, since);
    }
  }
}

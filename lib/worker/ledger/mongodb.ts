/**
 * A ledger in MongoDB, shared by all nodes of a service: a redelivery may reach any of them. Every
 * change is one conditional write of one document, by its version; a write without an answer is
 * sent again.
 */
import { randomUUID } from "node:crypto";
import type { Collection } from "mongodb";
import { isDuplicateKey } from "../../adapters/mongodb/error.ts";
import { MongoLink } from "../../adapters/mongodb/client.ts";
import {
  type Asked,
  type Begin,
  type Begun,
  type Finished,
  type Ledger,
  type LedgerLimits,
  UNFINISHED_FACTOR,
} from "./ledger.ts";
import { asked, begun, finished, type Change, type LedgerRecord } from "./rules.ts";

const COLLECTION = "taskflow_ledger";
/** Not a key of an attempt: those have colons. */
const MEMORY = "memory";

interface Stored extends LedgerRecord {
  readonly _id: string;
  /** New with each write. */
  readonly version: string;
  /** The time at which MongoDB removes it. */
  readonly expiresAt: Date;
}

export class MongoLedger implements Ledger {
  readonly isShared = true;
  readonly isDurable = true;
  readonly #link: MongoLink;
  readonly #limits: LedgerLimits;
  /** The time at which the first worker opened it, by the server's clock. */
  #openedFirst = 0;
  #offset = 0;

  constructor(url: string, limits: LedgerLimits) {
    this.#link = new MongoLink({ url, usedBy: "ledger" });
    this.#limits = limits;
  }

  get #records(): Collection<Stored> {
    return this.#link.collection<Stored>(COLLECTION);
  }

  async open(): Promise<void> {
    try {
      await this.#link.connect();
      this.#offset = await this.#link.timeOffset();
      await this.#records.createIndexes([{ key: { expiresAt: 1 }, expireAfterSeconds: 0 }]);
      const since = this.#now();
      const memory = this.#link.collection<{ _id: string; since: number }>(`${COLLECTION}_memory`);
      await this.#link.persist(() => memory.updateOne({ _id: MEMORY }, { $setOnInsert: { since } }, { upsert: true }));
      this.#openedFirst = (await this.#link.persist(() => memory.findOne({ _id: MEMORY })))?.since ?? since;
    } catch (error) {
      await this.#link.close();
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `The ledger ${this.#link.name} cannot be opened: see that MongoDB runs there and lets this user read and write, or give TaskflowWorker another ledger (${why}).`,
        { cause: error },
      );
    }
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  begin(key: string, begin: Begin): Promise<Begun> {
    const token = randomUUID();
    return this.#change(key, (record, now) => begun(record, begin, token, now));
  }

  finish(key: string, outcome: string): Promise<Finished> {
    return this.#change(key, (record, now) => finished(record, outcome, now), outcome.length);
  }

  ask(key: string, delivery: number, ageMs: number): Promise<Asked> {
    return this.#change(key, (record, now) => {
      const forgotten = Math.max(this.#openedFirst, now - this.#limits.keepForMs);
      return asked(record, delivery, forgotten < now - ageMs, now);
    });
  }

  /** The server's clock, so that workers whose clocks differ agree on what is old. */
  #now(): number {
    return Date.now() + this.#offset;
  }

  async #change<CommandResult>(
    key: string,
    rule: (record: LedgerRecord | undefined, now: number) => Change<CommandResult>,
    bytes = 0,
  ): Promise<CommandResult> {
    for (;;) {
      const found = await this.#link.persist(async () => this.#records.findOne({ _id: key }));
      const { answer, next } = rule(found ?? undefined, this.#now());
      if (!next || (await this.#write(key, next, found?.version, bytes))) return answer;
    }
  }

  /** False if another worker was faster. */
  #write(key: string, next: LedgerRecord, before: string | undefined, bytes: number): Promise<boolean> {
    const version = randomUUID();
    const { keepForMs } = this.#limits;
    const expiresAt = new Date(next.at + (next.state === "running" ? keepForMs * UNFINISHED_FACTOR : keepForMs));
    const { state, delivery, instance, token, outcome, asked: wasAsked, since, at } = next;
    const fields = { state, delivery, instance, token, outcome, asked: wasAsked, since, at, version, expiresAt };
    return this.#link.persist(async () => {
      if (before === undefined) {
        try {
          await this.#records.insertOne({ _id: key, ...fields });
          return true;
        } catch (error) {
          if (!isDuplicateKey(error)) throw error;
        }
      } else {
        const { matchedCount } = await this.#records.updateOne({ _id: key, version: before }, { $set: fields });
        if (matchedCount === 1) return true;
      }
      // Taken by another worker, or by an earlier try of this write whose answer was lost.
      const now = await this.#records.findOne({ _id: key }, { projection: { version: 1 } });
      return now?.version === version;
    }, bytes);
  }
}

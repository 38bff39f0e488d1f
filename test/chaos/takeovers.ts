/** How long the taskflows of a coordinator that was struck have no owner: told by the store, past everything that is tested. */
import { MongoClient, type Collection } from "mongodb";
import { setTimeout as delay } from "node:timers/promises";
import { TASKFLOWS, type RowDocument } from "../../lib/adapters/mongo-schema.ts";

export interface Takeover {
  readonly victim: string;
  readonly how: "SIGKILL" | "SIGSTOP";
  /** From the strike to the first of its taskflows under a new owner, or under its own next life. */
  readonly ms: number;
  readonly by: "another" | "its next life";
  /** Monotonic ms. */
  readonly from: number;
  readonly to: number;
}

const LOOK_MS = 25;
const GIVE_UP_MS = 30_000;
const CALL_MS = 2_000;

export class Takeovers {
  readonly found: Takeover[] = [];
  readonly #client: MongoClient;
  readonly #rows: Collection<RowDocument>;
  readonly #watches = new Set<Promise<void>>();
  #isClosed = false;

  constructor(storeUrl: string) {
    this.#client = new MongoClient(storeUrl, { serverSelectionTimeoutMS: CALL_MS, socketTimeoutMS: CALL_MS, retryWrites: false });
    this.#rows = this.#client.db().collection<RowDocument>(TASKFLOWS);
  }

  /** @param ids taskflows that may be in its care */
  watch(victim: string, how: Takeover["how"], from: number, ids: readonly string[]): void {
    const watch = this.#watch(victim, how, from, ids).catch(() => undefined);
    this.#watches.add(watch);
    void watch.finally(() => this.#watches.delete(watch));
  }

  async #watch(victim: string, how: Takeover["how"], from: number, ids: readonly string[]): Promise<void> {
    const before = new Map<string, number>();
    for (const { _id, owner, fence } of await this.#read(ids)) if (owner === victim) before.set(_id, fence);
    const owned = [...before.keys()];
    while (owned.length > 0 && !this.#isClosed && performance.now() - from < GIVE_UP_MS) {
      await delay(LOOK_MS);
      const rows = await this.#read(owned).catch(() => undefined);
      if (!rows) continue;
      const taken = rows.find(({ _id, fence }) => fence > (before.get(_id) ?? Number.POSITIVE_INFINITY));
      const to = performance.now();
      if (taken) {
        this.found.push({ victim, how, ms: to - from, by: taken.owner === victim ? "its next life" : "another", from, to });
        return;
      }
      if (rows.length === 0) return;
    }
  }

  #read(ids: readonly string[]): Promise<Pick<RowDocument, "_id" | "owner" | "fence">[]> {
    return this.#rows.find({ _id: { $in: [...ids] }, open: true }, { projection: { owner: 1, fence: 1 } }).toArray();
  }

  /** Rows that say that their taskflow goes on. */
  openRows(): Promise<number> {
    return this.#rows.countDocuments({ open: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#watches);
    await this.#client.close();
  }
}

/** The value that this share of all does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** How long the taskflows of a coordinator that was struck have no owner, as the store tells. */
import { setTimeout as delay } from "node:timers/promises";
import type { StoreView } from "./store-view.ts";

export type Strike = "SIGKILL" | "SIGSTOP" | "SIGTERM";

/** One taskflow that went from one owner to the next. Times are epoch ms. */
export interface Takeover {
  readonly taskflowId: string;
  readonly victim: string;
  readonly how: Strike;
  readonly struckAt: number;
  /** When it was seen under its new owner. */
  readonly takenAt: number;
  /** The fence that it had when its owner was struck. */
  readonly fence: number;
  readonly by: "another" | "its next incarnation";
}

const LOOK_MS = 75;
const GIVE_UP_MS = 30_000;
/**
 * Taskflows that are watched after one strike: reading rows is work for the server that is
 * watched.
 */
const WATCHED = 25;

export class Takeovers {
  readonly found: Takeover[] = [];
  readonly #store: StoreView;
  readonly #watches = new Set<Promise<void>>();
  #isClosed = false;

  constructor(store: StoreView) {
    this.#store = store;
  }

  /** @param ids taskflows that may be in its care */
  watch(victim: string, how: Strike, ids: readonly string[]): void {
    const watch = this.#watch(victim, how, Date.now(), ids).catch(() => undefined);
    this.#watches.add(watch);
    void watch.finally(() => this.#watches.delete(watch));
  }

  async #watch(victim: string, how: Strike, struckAt: number, ids: readonly string[]): Promise<void> {
    const rows = await this.#store.open(ids);
    const owned = rows.filter(({ owner }) => owner === victim).slice(0, WATCHED);
    const fences = new Map(owned.map(({ _id, fence }) => [_id, fence]));
    while (fences.size > 0 && !this.#isClosed && Date.now() - struckAt < GIVE_UP_MS) {
      await delay(LOOK_MS);
      const now = await this.#store.open([...fences.keys()]).catch(() => undefined);
      if (!now) continue;
      const takenAt = Date.now();
      const open = new Map(now.map((row) => [row._id, row]));
      for (const [taskflowId, fence] of fences) {
        const row = open.get(taskflowId);
        if (row?.fence === fence) continue;
        fences.delete(taskflowId);
        // Finished and nobody else's: there was nothing to take.
        if (!row) continue;
        const by = row.owner === victim ? "its next incarnation" : "another";
        this.found.push({ taskflowId, victim, how, struckAt, takenAt, fence, by });
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#watches);
  }
}

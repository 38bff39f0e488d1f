/**
 * Compaction: a snapshot takes the place of old entries, so that reading a journal costs as much as
 * the state that it leaves. A snapshot is made of the stored entries, never of the state in memory.
 * They never change, so it is right whoever makes it and whenever: no lease or fence guards it.
 */
import { build } from "../../core/journal/build.ts";
import { applyEntry, creationIn, decodeEntry, encodeEntry, isSnapshot } from "../../core/journal/journal.ts";
import { snapshotOf } from "../../core/journal/snapshot.ts";
import type { StoredTaskflow } from "../../ports/store.ts";
import type { Ports } from "../turn/ports.ts";
import type { Resident } from "../turn/resident.ts";
import type { Residents } from "../turn/residents.ts";
import { FORMAT } from "../turn/settings.ts";
import { Slices } from "../turn/slices.ts";

/**
 * Entries that stay behind a snapshot: a new owner announces the last one again, and a commit
 * without an answer is looked for among them.
 */
const KEPT = 1;

export class Compaction {
  readonly #ports: Pick<Ports, "store" | "clock" | "logger">;
  readonly #residents: Residents;
  readonly #asked = new Set<string>();
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(ports: Pick<Ports, "store" | "clock" | "logger">, residents: Residents) {
    this.#ports = ports;
    this.#residents = residents;
  }

  /** Compacts a taskflow's journal soon; one at a time. */
  ask({ flow: { taskflowId } }: Resident): void {
    if (this.#isStopped) return;
    this.#asked.add(taskflowId);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when none is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#asked.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const taskflowId of this.#asked) {
      let removed = 0;
      try {
        removed = await this.#compact(taskflowId);
      } catch (error) {
        this.#ports.logger.warn(`The journal of taskflow ${taskflowId} could not be compacted; trying again later.`, error);
      }
      const resident = this.#residents.get(taskflowId);
      // Where nothing was compacted it is tried again after as many facts.
      if (resident) resident.factCount = removed === 0 ? 0 : Math.max(0, resident.factCount - removed);
      this.#asked.delete(taskflowId);
    }
  }

  /** The number of facts that a snapshot replaced. */
  async #compact(taskflowId: string): Promise<number> {
    const { store, clock } = this.#ports;
    const stored = await store.read(taskflowId);
    if (!stored || stored.row.format > FORMAT || stored.entries.length < KEPT + 2) return 0;
    const slices = new Slices(clock);
    const { flow, created, facts, at } = await replayed(stored, slices);
    const texts: string[] = [];
    for (const fact of snapshotOf(flow, created)) {
      texts.push(encodeEntry(at, [fact]));
      if (slices.isOver) await slices.pause();
    }
    if (this.#isStopped) return 0;
    const result = await store.compact(taskflowId, stored.journal, stored.revision - KEPT, texts);
    return result === "stored" ? facts : 0;
  }
}

/** The state without the entries that stay. */
async function replayed({ entries }: StoredTaskflow, slices: Slices) {
  const first = decodeEntry(entries[0] ?? "");
  const created = creationIn(first);
  const flow = build(created, first.at);
  let facts = 0;
  let { at } = first;
  for (let index = 1; index < entries.length - KEPT; index++) {
    const entry = decodeEntry(entries[index] ?? "");
    if (index === 1 && !isSnapshot(entry)) applyEntry(flow, first);
    applyEntry(flow, entry);
    ({ at } = entry);
    if (entry.facts[0]?.kind !== "compacted") facts += entry.facts.length;
    if (slices.isOver) await slices.pause();
  }
  return { flow, created, facts, at };
}

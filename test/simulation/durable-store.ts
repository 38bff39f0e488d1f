/** The store that survives crashes: what `lib/ports/store.ts` asks for, in memory, and the record of every taskflow in it. */
import { isFinished } from "../../lib/core/flow.ts";
import type { Claimed, KnownOwner, RowChange, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";
import { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

export class DurableStore {
  readonly records = new Map<string, FlowRecord>();
  /** Records that changed since the last look. */
  readonly changed = new Set<FlowRecord>();
  readonly #world: World;
  readonly #beats = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Stores what can be stored, each for itself. */
  apply(writes: readonly Write[]): WriteResult[] {
    return writes.map((write) => this.#apply(write));
  }

  #apply(write: Write): WriteResult {
    if (write.kind === "create") return this.#create(write);
    const record = this.records.get(write.taskflowId);
    if (!record) return "conflict";
    const isFree = record.texts.length + 1 === write.revision;
    if (!isFree && !this.#world.plants.has("no revision guard")) return "conflict";
    record.append(write.entry, write.row ?? {});
    this.changed.add(record);
    return "stored";
  }

  #create({ row, entry }: Extract<Write, { kind: "create" }>): WriteResult {
    if (this.records.has(row.taskflowId) && !this.#world.plants.has("no unique ids")) return "conflict";
    this.#store(row.taskflowId, new FlowRecord(this.#world, row, entry));
    return "stored";
  }

  #store(taskflowId: string, record: FlowRecord): void {
    if (this.records.has(taskflowId)) this.#world.report(20, `${taskflowId} is stored a second time`);
    this.records.set(taskflowId, record);
    this.changed.add(record);
  }

  /** Somebody else's entry takes the next revision: it says nothing, and what the owner is about to write is outdated. */
  intrude(taskflowId: string): void {
    const record = this.records.get(taskflowId);
    if (!record || isFinished(record.flow.status)) return;
    this.#world.statistics.count("fact: conflicting owner's entry");
    record.append(JSON.stringify({ at: this.#world.agenda.now, facts: [] }), {});
  }

  read(taskflowId: string): StoredTaskflow | undefined {
    const record = this.records.get(taskflowId);
    return record && { row: { ...record.row }, entries: [...record.texts] };
  }

  repair(taskflowId: string, fence: number, change: RowChange): void {
    const record = this.records.get(taskflowId);
    if (record?.row.fence === fence) Object.assign(record.row, change);
  }

  beat(owner: string): KnownOwner[] {
    this.#beats.set(owner, (this.#beats.get(owner) ?? 0) + 1);
    return Array.from(this.#beats, ([known, beat]) => ({ owner: known, beat }));
  }

  lastFinished(owner: string | null, limit: number): string[] {
    const finished = Array.from(this.records.values()).filter(
      ({ row }) => isFinished(row.status) && (owner === null || row.owner === owner),
    );
    return finished
      .toSorted((a, b) => (b.row.finishedAt ?? 0) - (a.row.finishedAt ?? 0))
      .slice(0, limit)
      .map(({ row }) => row.taskflowId);
  }

  claim(owner: string, alive: readonly string[], limit: number): Claimed[] {
    const claimed: Claimed[] = [];
    for (const { row } of this.records.values()) {
      if (claimed.length >= limit || isFinished(row.status) || alive.includes(row.owner ?? "")) continue;
      row.owner = owner;
      if (!this.#world.plants.has("claim without a fence")) row.fence++;
      claimed.push({ taskflowId: row.taskflowId, fence: row.fence, dueAt: row.dueAt });
    }
    return claimed;
  }
}

/**
 * The store that survives crashes: what `lib/ports/store.ts` asks for, in memory, and the record
 * of every taskflow in it.
 */
import { isDeepStrictEqual } from "node:util";
import { isLeaseExpired } from "../../lib/ports/expired-lease.ts";
import type { Entry } from "../../lib/core/journal/facts.ts";
import { type Flow, isFinished } from "../../lib/core/model/flow.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import type { Claimed, DuePlace, KnownOwner, RowChange, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";
import { picture } from "../helpers/core-run.ts";
import type { Incarnation } from "./incarnation.ts";
import { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

/** A row that a claim has read. */
export interface Candidate {
  readonly record: FlowRecord;
  readonly owner: string | null;
  readonly fence: number;
  readonly secured: number;
}

export class DurableStore {
  readonly records = new Map<string, FlowRecord>();
  /** Records that changed since the last look. */
  readonly changed = new Set<FlowRecord>();
  readonly #world: World;
  readonly #beats = new Map<string, number>();
  /** Counts all beats. */
  #count = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Stores what can be stored, each for itself. */
  apply(incarnation: Incarnation, writes: readonly Write[]): WriteResult[] {
    return writes.map((write) => this.#apply(incarnation, write));
  }

  #apply(incarnation: Incarnation, write: Write): WriteResult {
    if (write.kind === "create") return this.#create(incarnation, write);
    const record = this.records.get(write.taskflowId);
    if (!record) return "conflict";
    const isFree = record.texts.length + 1 === write.revision;
    if (!isFree && record.driver !== incarnation) this.#world.count("world: an earlier owner's write is turned away");
    const isGuarded =
      !this.#world.mutations.has("no revision guard") &&
      (record.driver === incarnation || !this.#world.mutations.has("no guard between owners"));
    if (!isFree && isGuarded) return "conflict";
    const dueAt = write.row?.dueAt ?? Infinity;
    const isUrgent = dueAt < record.row.dueAt;
    const entry = decodeEntry(write.entry);
    const isItsRow = record.row.fence === fenceOf(entry, record);
    // Who has left it on disk until then would not see it.
    if (isUrgent && !isItsRow) return "conflict";
    // Written before the entry, unlike all else.
    if (isUrgent) record.row.dueAt = dueAt;
    // A row of another fence is left alone; and what nobody heard of may not have reached the row.
    const isLost = this.#world.isUnheard && this.#world.random.chance(0.5);
    record.append(incarnation, write.entry, isItsRow && !isLost ? (write.row ?? {}) : undefined, entry);
    this.changed.add(record);
    return "stored";
  }

  #create(incarnation: Incarnation, { row, entry }: Extract<Write, { kind: "create" }>): WriteResult {
    if (this.records.has(row.taskflowId) && !this.#world.mutations.has("no unique ids")) return "conflict";
    this.#store(row.taskflowId, new FlowRecord(this.#world, incarnation, row, entry));
    return "stored";
  }

  #store(taskflowId: string, record: FlowRecord): void {
    if (this.records.has(taskflowId)) this.#world.report(20, `${taskflowId} is stored a second time`);
    this.records.set(taskflowId, record);
    this.changed.add(record);
  }

  /**
   * Somebody else's entry takes the next revision: it says nothing, and what the owner is about
   * to write is outdated.
   */
  intrude(taskflowId: string): void {
    const record = this.records.get(taskflowId);
    if (!record || isFinished(record.flow.status)) return;
    this.#world.statistics.count("fact: conflicting owner's entry");
    record.append(record.driver, JSON.stringify({ at: this.#world.agenda.now, facts: [] }), undefined);
  }

  read(taskflowId: string): StoredTaskflow | undefined {
    const record = this.records.get(taskflowId);
    if (!record) return undefined;
    const { row, snapshot, texts } = record;
    const [first = "", ...others] = texts;
    const entries = snapshot ? [first, ...snapshot.texts, ...texts.slice(snapshot.revision)] : [first, ...others];
    return { row: { ...row }, journal: taskflowId, entries, revision: texts.length };
  }

  readOn(taskflowId: string, revision: number): StoredTaskflow | undefined {
    const record = this.records.get(taskflowId);
    if (!record || (record.snapshot?.revision ?? 1) > revision) return undefined;
    const { row, texts } = record;
    return { row: { ...row }, journal: taskflowId, entries: texts.slice(revision), revision: texts.length };
  }

  compact(taskflowId: string, revision: number, texts: readonly string[]): WriteResult {
    const record = this.records.get(taskflowId);
    if (!record || (record.snapshot?.revision ?? 1) >= revision || revision >= record.texts.length) return "conflict";
    this.#world.count("world: journal compacted");
    record.snapshot = { revision, texts };
    checkSnapshot(this.#world, this.read(taskflowId)?.entries ?? [], record.texts);
    return "stored";
  }

  reopen(incarnation: Incarnation, taskflowId: string, owner: string, fence: number): boolean {
    const record = this.records.get(taskflowId);
    if (!record || record.row.fence !== fence || !isFinished(record.row.status)) return false;
    this.#world.count("world: finished taskflow taken");
    record.reopened(incarnation);
    Object.assign(record.row, { status: "RUNNING", finishedAt: null, owner, fence: fence + 1 });
    return true;
  }

  repair(taskflowId: string, fence: number, change: RowChange): void {
    const record = this.records.get(taskflowId);
    if (record?.row.fence !== fence) return;
    Object.assign(record.row, change);
    // Nobody looks after it any more: whoever had it before must be unable to store anything.
    if (isFinished(record.row.status) && record.flow.fence !== fence)
      this.#world.report(31, `${taskflowId} is left finished under fence ${fence}, which its journal does not know`);
  }

  beat(owner: string): KnownOwner[] {
    this.#count++;
    // Whoever has left and comes back begins with another number than before.
    this.#beats.set(owner, (this.#beats.get(owner) ?? this.#count * 1_000) + 1);
    return Array.from(this.#beats, ([known, renewals]) => ({ owner: known, renewals }));
  }

  confirmOwnership(owner: string): void {
    for (const record of this.records.values())
      if (record.row.owner === owner && !isFinished(record.row.status)) record.secured++;
  }

  leave(owner: string): void {
    this.#beats.delete(owner);
  }

  release(owner: string, taskflowIds: readonly string[]): void {
    for (const taskflowId of taskflowIds) {
      const record = this.records.get(taskflowId);
      if (!record || record.row.owner !== owner || isFinished(record.row.status)) continue;
      this.#world.count("world: taskflow released");
      this.#world.note(() => `    ${owner} releases ${taskflowId}`);
      record.row.owner = null;
      record.ownedAt = this.#world.agenda.time;
    }
  }

  due(owner: string, until: number, limit: number, after?: DuePlace): Claimed[] {
    const rows = Array.from(this.records.values(), ({ row }) => row).filter(
      (row) => row.owner === owner && !isFinished(row.status) && row.dueAt <= until && (!after || isBehind(row, after)),
    );
    return rows
      .toSorted((a, b) => (isBehind(a, b) ? 1 : -1))
      .slice(0, limit)
      .map(({ taskflowId, fence, dueAt }) => ({ taskflowId, fence, dueAt }));
  }

  lastFinished(incarnation: Incarnation, owner: string | null, limit: number): string[] {
    const finished = Array.from(this.records.values()).filter(
      ({ row }) => isFinished(row.status) && (owner === null || row.owner === owner),
    );
    return finished
      .toSorted((a, b) => (b.row.finishedAt ?? 0) - (a.row.finishedAt ?? 0))
      .slice(0, limit)
      .map((record) => {
        // Its end may be announced once more.
        record.mayRepeat.add(incarnation);
        return record.taskflowId;
      });
  }

  /** What a claim reads first: rows as they are at that moment. */
  candidates(alive: readonly string[], limit: number): Candidate[] {
    const left = Array.from(this.records.values()).filter(
      ({ row }) => !isFinished(row.status) && !alive.includes(row.owner ?? ""),
    );
    return left.slice(0, limit).map((record) => ({
      record,
      owner: record.row.owner,
      fence: record.row.fence,
      secured: record.secured,
    }));
  }

  /** What it looks at then: without those whose owners have beaten since they were judged. */
  abandoned(candidates: readonly Candidate[], dead: readonly KnownOwner[]): Candidate[] {
    if (this.#world.mutations.has("claim of those that have come back")) return [...candidates];
    const abandoned = candidates.filter(({ owner }) => owner === null || isLeaseExpired(owner, dead, this.#beats));
    if (abandoned.length < candidates.length) this.#world.count("world: a claim finds an owner back");
    return abandoned;
  }

  /** What it does last: takes those that are as they were. */
  take(incarnation: Incarnation, owner: string, candidates: readonly Candidate[], since: number): Claimed[] {
    const same = candidates.filter(
      ({ record: { row, secured: now }, owner: before, fence, secured }) =>
        row.owner === before && row.fence === fence && now === secured && !isFinished(row.status),
    );
    if (same.length < candidates.length) this.#world.count("world: a claim comes too late");
    return same.map(({ record }) => {
      const { row } = record;
      record.taken(incarnation, row.owner, since);
      row.owner = owner;
      if (!this.#world.mutations.has("claim without a fence")) row.fence++;
      return { taskflowId: row.taskflowId, fence: row.fence, dueAt: row.dueAt };
    });
  }
}

/** Reads the journal with and without its snapshot. */
function checkSnapshot(world: World, compacted: readonly string[], all: readonly string[]): void {
  const [before, after] = [all, compacted].map((texts) => replay(texts.map(decodeEntry), all.length)) as [Flow, Flow];
  const isSame = isDeepStrictEqual(picture(after), picture(before)) && isDeepStrictEqual([...after.due], [...before.due]);
  if (!isSame) world.report(45, `${before.taskflowId} at revision ${all.length} reads otherwise`);
}

/** Under which an entry is written: its own if it names a new owner. */
function fenceOf({ facts }: Entry, { flow }: FlowRecord): number {
  const [first] = facts;
  return first?.kind === "owned" ? first.fence : flow.fence;
}

function isBehind(one: DuePlace, other: DuePlace): boolean {
  return one.dueAt > other.dueAt || (one.dueAt === other.dueAt && one.taskflowId > other.taskflowId);
}

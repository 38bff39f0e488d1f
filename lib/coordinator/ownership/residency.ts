/**
 * Decides which of a coordinator's taskflows are in memory. Those in which something can happen
 * are. The others are left on disk ("parked") and known by their rows alone, so memory is bounded
 * whatever the store holds.
 *
 * A row says when its taskflow is next due (`dueAt`). A **sweep** goes through this owner's rows in
 * that order, as far as they are due soon, and reads those that are not in memory; the next sweep
 * continues where it ended. So everything before its place is in memory, and a row that appears
 * before it in another way (parked while a clock went back, taken over without room) moves the
 * place back. A command, report or late answer loads a parked taskflow at once.
 */
import { isFinished, isOver } from "../../core/model/flow.ts";
import type { Claimed, DuePlace, StoredTaskflow } from "../../ports/store.ts";
import { announceLast } from "../turn/republish.ts";
import type { Ports } from "../turn/ports.ts";
import { Resident } from "../turn/resident.ts";
import {
  factsIn,
  isDamage,
  rehydrateOrLog,
  repairProjectionIfFinished,
  type ReadJournal,
  type Restored,
} from "../turn/rehydrate.ts";
import { type CoordinatorSettings, horizonOf, READ_BATCH } from "../turn/settings.ts";
import type { TurnLoop } from "../turn/loop.ts";

/** Rows that a sweep looks at, at once. */
const PAGE = 500;

const START: DuePlace = { dueAt: -1, taskflowId: "" };

export class Residency {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: TurnLoop;
  /** Another object whenever a sweep that is under way may pass over something. */
  #place: DuePlace = START;
  /** Rows that were due by then have been looked at, or are just being. */
  #seenUntil = -1;
  #sweeping: Promise<void> | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  /** What is due waits for room. */
  #isBlocked = false;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(ports: Ports, settings: CoordinatorSettings, turns: TurnLoop) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
  }

  /** Sweeps from now on, often enough that everything is in memory before its time. */
  start(): void {
    const { clock } = this.#ports;
    const plan = (): void => {
      this.#cancel = clock.after(Math.ceil(horizonOf(this.#settings) / 2), () => {
        void this.#sweepQuietly().then(() => {
          if (!this.#isStopped) plan();
        });
      });
    };
    plan();
  }

  /** Reads nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /**
   * Takes claimed taskflows: reads those that are due soon, and leaves the others on disk. Rejects
   * if the store does not answer.
   */
  async take(claimed: readonly Claimed[]): Promise<void> {
    const soon = this.#soon;
    const due = claimed.filter(({ dueAt }) => dueAt <= soon);
    for (const { dueAt } of claimed) if (dueAt > soon) this.left(dueAt);
    const read = await this.#read(due);
    for (const { dueAt } of due.slice(read)) this.left(dueAt);
  }

  /** A taskflow is left on disk until then. */
  left(dueAt: number): void {
    // The sweep has not come that far: it will find it.
    if (dueAt > this.#seenUntil) return;
    this.#place = dueAt <= this.#place.dueAt ? { dueAt: dueAt - 1, taskflowId: "" } : { ...this.#place };
  }

  /** There is room for one more. */
  freed(): void {
    if (!this.#isBlocked || !this.#hasRoom) return;
    this.#isBlocked = false;
    void this.#sweepQuietly();
  }

  /**
   * Sweeps from the beginning: this coordinator may own a taskflow that it does not know of.
   * Rejects if the store does not answer.
   */
  rescan(): Promise<void> {
    this.#place = { ...START };
    return this.#sweep();
  }

  /**
   * A taskflow that this coordinator owns, read if it was parked; undefined if it owns none of this
   * id, or if it is finished. Rejects if the store does not answer.
   */
  async load(taskflowId: string): Promise<Resident | undefined> {
    const there = this.#turns.residents.get(taskflowId);
    if (there) return there;
    await this.#alone(async () => {
      if (this.#isStopped || this.#turns.residents.has(taskflowId)) return;
      const [stored] = await this.#readUnderLease([taskflowId]);
      if (stored && !isFinished(stored.row.status)) await this.#add(stored, stored.row.fence);
    });
    return this.#turns.residents.get(taskflowId);
  }

  get #soon(): number {
    return this.#ports.clock.now() + horizonOf(this.#settings);
  }

  get #hasRoom(): boolean {
    return this.#turns.residents.size < this.#settings.maxActive;
  }

  async #sweepQuietly(): Promise<void> {
    try {
      await this.#sweep();
    } catch (error) {
      this.#ports.logger.warn("Taskflows that are due could not be read; trying again.", error);
    }
  }

  #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepOn().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweepOn(): Promise<void> {
    while (!this.#isStopped) {
      if (!this.#hasRoom) {
        this.#isBlocked = true;
        return;
      }
      const from = this.#place;
      const until = this.#soon;
      this.#seenUntil = Math.max(this.#seenUntil, until);
      const page = await this.#ports.store.due(this.#settings.owner, until, PAGE, from);
      const read = await this.#read(page);
      if (this.#place !== from) continue;
      const last = page[read - 1];
      if (last) this.#place = { dueAt: last.dueAt, taskflowId: last.taskflowId };
      if (read < PAGE) return;
    }
  }

  /** Reads those that are not in memory while there is room; returns how many it has handled. */
  async #read(claimed: readonly Claimed[]): Promise<number> {
    const { clock } = this.#ports;
    let done = 0;
    while (done < claimed.length && !this.#isStopped) {
      const room = this.#settings.maxActive - this.#turns.residents.size;
      if (room <= 0) {
        this.#isBlocked = true;
        break;
      }
      const batch = claimed.slice(done, done + Math.min(READ_BATCH, room));
      // A store that answers at once would keep all others waiting.
      if (await this.#alone(() => this.#readBatch(batch))) await new Promise<void>((resolve) => clock.soon(resolve));
      done += batch.length;
    }
    return done;
  }

  /** True if there was something to read. */
  async #readBatch(batch: readonly Claimed[]): Promise<boolean> {
    const wanted = new Map<string, number>();
    for (const { taskflowId, fence } of batch) if (!this.#turns.isResident(taskflowId, fence)) wanted.set(taskflowId, fence);
    if (wanted.size === 0) return false;
    const read = await this.#readUnderLease([...wanted.keys()]);
    // It may have been taken by another one meanwhile.
    const mine = read.filter(({ row }) => row.fence === wanted.get(row.taskflowId));
    await Promise.all(mine.map((stored) => this.#add(stored, stored.row.fence)));
    return true;
  }

  /** One at a time: nothing is read twice, and no read is older than the state in memory. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#reading.then(work);
    this.#reading = result.catch(() => {});
    return result;
  }

  /**
   * Reads stored taskflows while the lease holds throughout: no other coordinator has continued
   * them.
   */
  async #readUnderLease(taskflowIds: readonly string[]): Promise<StoredTaskflow[]> {
    for (;;) {
      const { leaseLapses } = this.#turns;
      const stored = await this.#readMany(taskflowIds);
      if (leaseLapses === this.#turns.leaseLapses) return stored.filter(({ row }) => row.owner === this.#settings.owner);
    }
  }

  /**
   * All at once, or one by one if that fails: a damaged taskflow, or too large a result, holds up
   * no other.
   */
  async #readMany(taskflowIds: readonly string[]): Promise<StoredTaskflow[]> {
    const { store, logger } = this.#ports;
    try {
      return await store.readMany(taskflowIds);
    } catch (error) {
      const found: StoredTaskflow[] = [];
      for (const taskflowId of taskflowIds) {
        try {
          const stored = await store.read(taskflowId);
          if (stored) found.push(stored);
        } catch (damage) {
          if (!isDamage(damage)) throw error;
          logger.error(`Taskflow ${taskflowId} is damaged in the store and is set aside.`, damage);
        }
      }
      return found;
    }
  }

  /** Takes one into care that was stored for this coordinator a moment ago. */
  adopt(stored: ReadJournal): void {
    void this.#add(stored, stored.row.fence);
  }

  /** Takes one into care that is finished, and about which something is to be decided. */
  reopen(restored: Restored, fence: number): Resident | undefined {
    void this.#enter(restored, fence, true);
    return this.#turns.residents.get(restored.row.taskflowId);
  }

  async #add(stored: ReadJournal, fence: number): Promise<void> {
    const restored = this.#isStopped ? undefined : rehydrateOrLog(stored, this.#ports.logger);
    if (restored) await this.#enter(restored, fence);
  }

  /**
   * Takes effect at once; the promise is for the row of an ended taskflow, so that it is not found
   * unfinished again.
   */
  async #enter({ row, entries, flow }: Restored, fence: number, isReopened = false): Promise<void> {
    if (this.#isStopped) return;
    const { eventTreeLimit } = this.#settings;
    const { taskflowId, dueAt } = row;
    const there = this.#turns.residents.get(taskflowId);
    // It is just being stored, or was, while it was read.
    if (there && (this.#turns.isResident(taskflowId, fence) || (there.creation && there.flow.idBase === flow.idBase))) return;
    // An earlier owner may have died before it announced its last events. It released a finished
    // taskflow after that, and a takeover announces the ends of a dead one.
    if (flow.fence !== fence && !isReopened) announceLast(this.#ports.bus, entries, flow, eventTreeLimit);
    // Claimed, and only its row says that it goes on: a former owner may stand still with an order
    // in hand, so the claim is stored first, like any other.
    const isUnfenced = flow.fence !== fence && !isFinished(row.status);
    if (isOver(flow) && !isReopened && !isUnfenced) return repairProjectionIfFinished(this.#ports, row, flow);
    const resident = new Resident(flow, eventTreeLimit, fence, dueAt);
    resident.factCount = factsIn(entries);
    this.#turns.add(resident, { kind: "recover", fence, ...(isOver(flow) ? { isReopened: true } : {}) });
  }
}

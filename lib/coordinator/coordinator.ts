/**
 * Drives taskflows. Around the pure engine it does, always in this order: decide, store, carry out the effects.
 *
 * Every taskflow in its care has a mailbox (`Resident`). In each turn of the event loop (`Turns`) the mailboxes that hold something are decided,
 * and their facts go to the store in one group commit. So a taskflow has one commit at a time, a busy coordinator few large ones, and
 * nothing is sent, answered or announced that is not stored.
 */
import { build } from "../core/build.ts";
import type { Created, StoredDefinition } from "../core/facts.ts";
import type { Answer, Order } from "../core/command.ts";
import { type Flow, isFinished, isOver } from "../core/flow.ts";
import { idBaseOf } from "../core/ids.ts";
import type { Outcome } from "../core/inputs.ts";
import { taskflowError } from "../errors.ts";
import type { Claimed, StoredTaskflow } from "../ports/store.ts";
import { announceLast } from "./announce.ts";
import { placeOf, taskflowIdOf } from "./attempt-key.ts";
import { Finished } from "./finished.ts";
import { LateAnswers } from "./late-answers.ts";
import { Orders } from "./orders.ts";
import { Ownership } from "./ownership.ts";
import { type Gate, OPEN_GATE } from "./pause-rules.ts";
import type { Ports } from "./ports.ts";
import { Resident } from "./resident.ts";
import { repairRow, restore, restoreOrTell } from "./restore.ts";
import { type CoordinatorSettings, TURN } from "./settings.ts";
import { Turns } from "./turns.ts";
import { wakeWaiting } from "./waiting.ts";

export type { Ports } from "./ports.ts";

/** What `produce` hands over: checked, in the long form, with its text. */
export interface NewTaskflow {
  readonly taskflowId?: string;
  readonly definition: StoredDefinition;
  readonly text: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** Taskflows read at once while they are taken over: a store may be far away. */
const READERS = 8;

/** How often a stop looks whether the last attempt has answered. */
const DRAIN_POLL_MS = 20;

export class Coordinator {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #gate: Gate;
  readonly #turns: Turns;
  readonly #ownership: Ownership;
  readonly #late: LateAnswers;
  readonly #orders: Orders;
  #ends: (() => void)[] = [];

  /** @param gate says which actions tasks may not call now */
  constructor(ports: Ports, settings: CoordinatorSettings, gate = OPEN_GATE) {
    this.#gate = gate;
    this.#ports = ports;
    this.#settings = settings;
    const maySend = (): boolean => this.#ownership.isHeld();
    this.#turns = new Turns(ports, settings, { maySend, late: (last, answer) => void this.#late.add(last, answer) }, gate);
    this.#ownership = new Ownership(ports, settings, {
      taken: (claimed) => this.#take(claimed),
      endsOf: (owner) => this.#endsOf(owner),
      announceEnd: (taskflowId) => this.#announceEnd(taskflowId),
      lapsed: () => this.#turns.lookAgain(),
    });
    const finished = new Finished(ports, settings, this.#turns, {
      load: (stored, fence) => this.#load(stored, fence, true),
      unsure: () => this.#ownership.doubt(),
    });
    this.#late = new LateAnswers(ports, this.#turns, finished);
    this.#orders = new Orders(ports, settings, this.#turns, finished);
  }

  /** Goes on with every taskflow of the store, which is open, that nobody drives. Resolves when all of them are in its care. */
  async start(): Promise<void> {
    this.#ends.push(wakeWaiting(this.#ports, this.#turns, this.#gate));
    this.#ends.push(this.#ports.bus.onReconnected(() => this.#turns.suspect()));
    await this.#ownership.start();
  }

  /** Looks at once for taskflows that another coordinator has given up. */
  takeOver(): Promise<void> {
    return this.#ownership.look();
  }

  /**
   * Takes no new work and starts no new attempt. A taskflow is given up as soon as nothing of it runs here; after `graceMs` at the latest all of
   * them are. What still runs then is delivered again by whoever goes on with it.
   *
   * @param released told whenever taskflows were given up
   */
  async stop(graceMs: number, released: () => void = () => {}): Promise<void> {
    const { clock, store } = this.#ports;
    this.#turns.isDraining = true;
    this.#ownership.takeNoMore();
    const deadline = clock.monotonic() + graceMs;
    while (this.active > 0 && clock.monotonic() < deadline) {
      const given = this.#turns.letGo();
      if (given.length > 0) {
        await store.release(this.#settings.owner, given);
        released();
      }
      await new Promise<void>((resolve) => void clock.after(DRAIN_POLL_MS, resolve));
    }
    await this.#turns.stop();
    this.#late.stop();
    for (const end of this.#ends) end();
    this.#ends = [];
    await this.#ownership.stop();
    released();
  }

  /** Unfinished taskflows in its care. */
  get active(): number {
    return this.#turns.residents.size;
  }

  /** Attempts that it waits for. */
  get inFlight(): number {
    return this.#turns.dispatcher.inFlight;
  }

  /** What is known of who is alive: asked only. */
  get owners(): Pick<Ownership, "isHeld" | "silenceOf"> {
    return this.#ownership;
  }

  /** What is remembered of a taskflow in its care, to be looked at only. */
  inspect(taskflowId: string): Readonly<Pick<Resident, "pending" | "unsent">> | undefined {
    return this.#turns.residents.get(taskflowId);
  }

  get isDraining(): boolean {
    return this.#turns.isDraining;
  }

  /**
   * Stores a taskflow; it starts in a later turn of the event loop than the one in which this resolves. An id that is stored already answers
   * `existing` and starts nothing.
   * @throws TASKFLOW_OVERLOADED: nothing is stored. STORE_UNAVAILABLE: nobody knows; with an id of the caller's it can be sent again safely
   */
  async produce(given: NewTaskflow): Promise<{ taskflowId: string; existing?: true }> {
    const taskflowId = given.taskflowId ?? this.#ports.ids.sorted();
    const { residents } = this.#turns;
    if (residents.has(taskflowId) && (await this.exists(taskflowId))) return { taskflowId, existing: true };
    this.checkRoom();
    const isStoredAlready = await this.#create(taskflowId, given);
    return isStoredAlready ? { taskflowId, existing: true } : { taskflowId };
  }

  /** @throws TASKFLOW_OVERLOADED while no new taskflow is taken */
  checkRoom(): void {
    const { size } = this.#turns.residents;
    if (!this.isDraining && size < this.#settings.maxActive) return;
    const why = this.isDraining ? "It is shutting down." : `It drives ${size} taskflows, its limit.`;
    const message = `This coordinator takes no new taskflow now. ${why} Try again later.`;
    throw taskflowError("TASKFLOW_OVERLOADED", message, { retryAfter: 1 });
  }

  /** Goes on with a taskflow that was stored for it, whole, a moment ago. */
  care(stored: StoredTaskflow): void {
    const { taskflowId, fence } = stored.row;
    // It shuts down: whoever comes next finds it.
    if (!this.isDraining && !this.#turns.caresFor(taskflowId, fence)) this.#load(stored, fence);
  }

  /** Is there a stored taskflow of this id? One that is being stored at this moment is waited for. */
  async exists(taskflowId: string): Promise<boolean> {
    const resident = this.#turns.residents.get(taskflowId);
    if (!resident || resident.state === "reading") return (await this.#ports.store.read(taskflowId)) !== undefined;
    return resident.whenStored();
  }

  /** Resolves with true if the id was taken. */
  #create(taskflowId: string, { definition, text, meta }: NewTaskflow): Promise<boolean> {
    const { defaults, eventTreeLimit } = this.#settings;
    const { ids, clock } = this.#ports;
    const created: Created = { kind: "created", taskflowId, idBase: idBaseOf(ids.random()), defaults, meta, definition };
    return new Promise((resolve, reject) => {
      const resident = new Resident(build(created, clock.now()), eventTreeLimit);
      resident.creation = { text, stored: resolve, failed: reject };
      this.#turns.add(resident, { kind: "begin" });
    });
  }

  /** Has an order carried out by whoever is the owner of the taskflow. Rejects as `Orders.command` does. */
  command(taskflowId: string, order: Order): Promise<Answer> {
    return this.#orders.command(taskflowId, order);
  }

  /** An order that another coordinator has passed on; undefined: the taskflow is not this one's. */
  heed(taskflowId: string, order: Order): Promise<Answer | undefined> {
    return this.#orders.heed(taskflowId, order);
  }

  /** The state of a taskflow as it is stored; undefined if there is none. It must not be changed, and is not kept. */
  async peek(taskflowId: string): Promise<Flow | undefined> {
    await this.#turns.committed(taskflowId);
    const resident = this.#turns.residents.get(taskflowId);
    if (resident && !resident.creation && resident.state !== "reading") return resident.flow;
    const stored = await this.#ports.store.read(taskflowId);
    return stored && restore(stored).flow;
  }

  /**
   * A worker tells how an attempt ended. True once that is stored, or no longer matters; false if the taskflow is in another's care, or its state is not
   * known now: then it is to be told again.
   */
  async report(key: string, outcome: Outcome): Promise<boolean> {
    const told = this.#attemptOf(key);
    if (!told) {
      const flow = await this.peek(taskflowIdOf(key));
      if (!flow || !isFinished(flow.status)) return !flow;
      const place = placeOf(key, flow);
      return place === undefined || this.#late.add(flow, { kind: "answer", ...place, outcome });
    }
    const { resident, task, attempt } = told;
    this.#turns.give(resident, { kind: "answer", task, attempt, outcome });
    await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
    const flow = await this.peek(resident.flow.taskflowId);
    const now = flow?.tasks[task];
    // Without the lease it may be another's by now, and the number of an attempt that was taken back be in use again.
    if (!this.#ownership.isHeld()) return false;
    return !flow || !now || now.attempt !== attempt || now.status !== "RUNNING";
  }

  /** A handler says that it is still at it: the time of its attempt begins anew. */
  heartbeat(key: string): void {
    const told = this.#attemptOf(key);
    if (told) this.#turns.extend(told.resident, told.task, told.attempt);
  }

  #attemptOf(key: string): { resident: Resident; task: number; attempt: number } | undefined {
    const resident = this.#turns.residents.get(taskflowIdOf(key));
    const place = resident && placeOf(key, resident.flow);
    return place && { resident, ...place };
  }

  /**
   * Calls back when a taskflow in its care has finished or left, with its last state if that is known to be stored; undefined if it is not
   * in its care.
   */
  watch(taskflowId: string, gone: (last: Flow | undefined) => void): (() => void) | undefined {
    return this.#turns.residents.get(taskflowId)?.onGone(gone);
  }

  async #take(claimed: readonly Claimed[]): Promise<void> {
    const left = claimed.values();
    const take = async (): Promise<void> => {
      for (const { taskflowId, fence } of left) {
        if (this.#turns.caresFor(taskflowId, fence)) continue;
        const stored = await this.#ports.store.read(taskflowId);
        // It may have been taken by another one meanwhile, or for an order.
        if (stored?.row.fence === fence && !this.#turns.caresFor(taskflowId, fence)) this.#load(stored, fence);
      }
    };
    // All of them end before this does, so that a taskflow is never taken twice.
    const ends = await Promise.allSettled(Array.from({ length: READERS }, take));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** @param isWanted also if it is over: something is to be decided about it */
  #load(stored: StoredTaskflow, fence: number, isWanted = false): Resident | undefined {
    const { bus, logger } = this.#ports;
    const restored = restoreOrTell(stored, logger);
    if (!restored) return undefined;
    const { entries, flow } = restored;
    const { eventTreeLimit } = this.#settings;
    announceLast(bus, entries, flow, eventTreeLimit);
    repairRow(this.#ports, stored.row, flow);
    if (isOver(flow) && !isWanted) return undefined;
    const resident = new Resident(flow, eventTreeLimit, fence);
    this.#turns.add(resident, { kind: "recover", fence });
    return resident;
  }

  /** Taskflows that had finished need no owner any more, but their end may not have been announced. */
  async #endsOf(owner: string | null): Promise<readonly string[]> {
    return this.#ports.bus.hasAudience() ? this.#ports.store.lastFinished(owner, TURN) : [];
  }

  async #announceEnd(taskflowId: string): Promise<void> {
    const { store, bus, logger } = this.#ports;
    const stored = await store.read(taskflowId);
    const restored = stored && restoreOrTell(stored, logger);
    if (restored) announceLast(bus, restored.entries, restored.flow, this.#settings.eventTreeLimit);
  }
}

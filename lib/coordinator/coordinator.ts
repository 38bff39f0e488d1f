/**
 * Drives taskflows. Around the pure engine it does, always in this order: decide, store, carry out the effects.
 *
 * Every taskflow in its care has a mailbox (`Resident`). In each turn of the event loop (`Turns`) the mailboxes that hold something are decided,
 * and their facts go to the store in one group commit. So a taskflow has one commit at a time, a busy coordinator few large ones, and
 * nothing is sent, answered or announced that is not stored.
 */
import type { Answer, Order } from "../core/model/command.ts";
import { type Flow, isFinished, isOver, taskAt } from "../core/model/flow.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import type { StoredTaskflow } from "../ports/store.ts";
import { announceLast } from "./turn/republish.ts";
import { placeOf, taskflowIdOf } from "../protocol/attempt-key.ts";
import { Care } from "./ownership/residency.ts";
import { Creations, type NewTaskflow } from "./commands/produce.ts";
import { Finished } from "./ownership/reopen.ts";
import { LateAnswers } from "./ownership/late-responses.ts";
import { Nesting, type NewChild, type Producer } from "./commands/nesting.ts";
import { Orders } from "./commands/command-router.ts";
import { Ownership } from "./ownership/lease.ts";
import { type Gate, OPEN_GATE } from "./flow-control/pause-rules.ts";
import type { Ports } from "./turn/ports.ts";
import type { Resident } from "./turn/resident.ts";
import { Retention } from "./ownership/retention.ts";
import { restore, restoreOrTell } from "./turn/rehydrate.ts";
import { type CoordinatorSettings, READ, TURN } from "./turn/settings.ts";
import { Turns, type TurnsListener } from "./turn/turn-loop.ts";
import { wakeWaiting } from "./turn/wake-ups.ts";

export type { NewTaskflow } from "./commands/produce.ts";
export type { Ports } from "./turn/ports.ts";

/** How often a stop looks whether the last attempt has answered. */
const DRAIN_POLL_MS = 20;

export class Coordinator {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #gate: Gate;
  readonly #turns: Turns;
  readonly #care: Care;
  readonly #ownership: Ownership;
  readonly #late: LateAnswers;
  readonly #orders: Orders;
  readonly #creations: Creations;
  readonly #nesting: Nesting;
  readonly #retention: Retention | undefined;
  #ends: (() => void)[] = [];

  /** @param gate says which actions tasks may not call now */
  constructor(ports: Ports, settings: CoordinatorSettings, gate = OPEN_GATE) {
    this.#gate = gate;
    this.#ports = ports;
    this.#settings = settings;
    const listener: TurnsListener = {
      maySend: () => this.#ownership.isHeld(),
      parked: (dueAt) => this.#care.left(dueAt),
      left: () => this.#care.freed(),
      late: (last, answer) => void this.#late.add(last, answer),
      order: (from, effect) => this.#nesting.order(from, effect),
      follow: (resident, children) => this.#nesting.follow(resident, children),
    };
    this.#turns = new Turns(ports, settings, listener, gate);
    this.#care = new Care(ports, settings, this.#turns);
    this.#retention = settings.retentionMs === null ? undefined : new Retention(ports, settings.retentionMs);
    this.#ownership = new Ownership(ports, settings, {
      taken: (claimed) => this.#care.take(claimed),
      rescan: () => this.#care.rescan(),
      endsOf: (owner) => this.#endsOf(owner),
      announceEnd: (taskflowId) => this.#announceEnd(taskflowId),
      lapsed: () => this.#turns.lookAgain(),
    });
    const finished = new Finished(ports, settings, this.#turns, {
      load: (stored, fence) => this.#care.reopen(stored, fence),
      unsure: () => this.#ownership.doubt(),
    });
    this.#late = new LateAnswers(ports, this.#turns, this.#care, finished);
    this.#orders = new Orders(ports, settings, this.#turns, this.#care, finished);
    this.#creations = new Creations(ports, settings, this.#turns);
    this.#nesting = new Nesting(ports, this.#turns, this.#orders, this.#creations, (taskflowId) => this.peek(taskflowId));
  }

  /** Goes on with every taskflow of the store, which is open, that nobody drives. Resolves when all of them are its own, and what is due of them is in memory. */
  async start(): Promise<void> {
    this.#ends.push(wakeWaiting(this.#ports, this.#turns, this.#gate));
    this.#ends.push(this.#ports.bus.onReconnected(() => this.#turns.suspect()));
    await this.#ownership.start();
    this.#care.start();
    this.#retention?.start();
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
    this.#care.stop();
    const givenUp = this.#giveUpParked().then(released);
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
    await givenUp;
    await this.#retention?.stop();
    await this.#ownership.stop();
    released();
  }

  /** Taskflows in memory. */
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
  inspect(taskflowId: string): Readonly<Pick<Resident, "pending" | "unsent" | "state">> | undefined {
    return this.#turns.residents.get(taskflowId);
  }

  get isDraining(): boolean {
    return this.#turns.isDraining;
  }

  /** Stores a taskflow, which starts then. Rejects as `Creations.produce` does. */
  produce(given: NewTaskflow): Promise<{ taskflowId: string; existing?: true }> {
    return this.#creations.produce(given);
  }

  /** Is there a stored taskflow of this id? One that is being stored at this moment is waited for. */
  exists(taskflowId: string): Promise<boolean> {
    return this.#creations.exists(taskflowId);
  }

  /**
   * Stores one below a task whose handler produces it: linked to the task first, then stored. Undefined: the parent is not in this coordinator's care.
   * @throws TASKFLOW_OVERLOADED: nothing is stored. STORE_UNAVAILABLE: nobody knows
   */
  produceBelow(producer: Producer, given: NewChild): Promise<Answer | undefined> {
    return this.#nesting.produce(producer, given);
  }

  /** The coordinator that drives an unfinished taskflow; null: none at this moment; undefined: it is finished, or there is none. */
  async ownerOf(taskflowId: string): Promise<string | null | undefined> {
    const row = (await this.#ports.store.read(taskflowId))?.row;
    return row && !isFinished(row.status) ? row.owner : undefined;
  }

  /** @throws TASKFLOW_OVERLOADED while no new taskflow is taken */
  checkRoom(): void {
    this.#creations.checkRoom();
  }

  /** Goes on with a taskflow that was stored for it, whole, a moment ago. */
  care(stored: StoredTaskflow): void {
    // It shuts down: whoever comes next finds it.
    if (!this.isDraining) this.#care.adopt(stored);
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
    const inMemory = await this.#inMemory(taskflowId);
    if (inMemory) return inMemory;
    const stored = await this.#ports.store.read(taskflowId);
    return stored && restore(stored).flow;
  }

  /** The same of several, by id, for little more than one costs. */
  async peekMany(taskflowIds: readonly string[]): Promise<Map<string, Flow>> {
    const flows = new Map<string, Flow>();
    const parked: string[] = [];
    for (const taskflowId of taskflowIds) {
      const flow = await this.#inMemory(taskflowId);
      if (flow) flows.set(taskflowId, flow);
      else parked.push(taskflowId);
    }
    for (let start = 0; start < parked.length; start += READ) {
      for (const stored of await this.#ports.store.readMany(parked.slice(start, start + READ))) {
        flows.set(stored.row.taskflowId, restore(stored).flow);
      }
    }
    return flows;
  }

  /** As it is stored, if it is in memory and that is known. */
  async #inMemory(taskflowId: string): Promise<Flow | undefined> {
    await this.#turns.committed(taskflowId);
    const resident = this.#turns.residents.get(taskflowId);
    return resident && !resident.creation && resident.state !== "reading" ? resident.flow : undefined;
  }

  /**
   * A worker tells how an attempt ended. True once that is stored, or no longer matters; false if the taskflow is in another's care, or its state is not
   * known now: then it is to be told again. Rejects if the store does not answer.
   */
  async report(key: string, outcome: Outcome): Promise<boolean> {
    await this.#care.bring(taskflowIdOf(key));
    const told = this.#attemptOf(key);
    if (!told) {
      const flow = await this.peek(taskflowIdOf(key));
      if (!flow || !isOver(flow)) return !flow;
      const place = placeOf(key, flow);
      return place === undefined || this.#late.add(flow, { kind: "answer", ...place, outcome });
    }
    const { resident, task, attempt } = told;
    this.#turns.give(resident, { kind: "answer", task, attempt, outcome });
    await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
    const flow = await this.peek(resident.flow.taskflowId);
    const now = flow && taskAt(flow, task);
    // Without the lease it may be another's by now, and the number of an attempt that was taken back be in use again.
    if (!this.#ownership.isHeld()) return false;
    return !flow || !now || now.attempt !== attempt || now.status !== "RUNNING" || now.held !== null;
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

  /** What is parked needs nobody's care until it is another's. What cannot be given up is taken over once this coordinator has left. */
  async #giveUpParked(): Promise<void> {
    await this.#ownership
      .releaseAll(({ taskflowId }) => !this.#turns.residents.has(taskflowId))
      .catch((error: unknown) =>
        this.#ports.logger.warn("Taskflows that wait could not be given up; others take them over later.", error),
      );
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

/**
 * One life of a coordinator's process, and its end. A crash cuts it off: from then on nothing
 * that it does has any effect, and nothing reaches it. It can come at any call of a port, so
 * before and after each commit and between any two effects. Frozen it stands still: what reaches
 * it waits, and it goes on with all of that, whatever has become of the world meanwhile.
 */
import { Coordinator } from "../../lib/coordinator/coordinator.ts";
import type { CoordinatorSettings } from "../../lib/coordinator/turn/settings.ts";
import type { Bus } from "../../lib/ports/bus.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import { BUILT_IN_TASK_TYPES } from "../../lib/task-types/index.ts";
import { TaskTypeRegistry } from "../../lib/task-types/registry.ts";
import { forward } from "./forwarding.ts";
import { storeOf } from "./incarnation-store.ts";
import type { FlowRecord } from "./record.ts";
import { SimulatedSandbox } from "./sandbox.ts";
import type { World } from "./world.ts";

/** More calls of ports than this without time going on is a circle. */
const CIRCLE = 20_000;

/** Its process ends at its nth call of a port, or at its nth commit. */
export interface CrashPlan {
  readonly call: number;
  readonly commit: number;
}

export type Place = "crash between effects" | "crash before a commit" | "crash after a commit";

export class Incarnation {
  readonly coordinator: Coordinator;
  readonly world: World;
  readonly owner: string;
  isAlive = true;
  hasStarted = false;
  startedAt = 0;
  /** Virtual time at which it went on after it was frozen. */
  thawedAt = 0;
  isFrozen = false;
  frozenUntil = 0;
  /** Its own link to the bus is down. */
  isCutOff = false;
  /** It was asked to end. */
  isStopping = false;
  /** Virtual time. */
  stoppingAt = 0;
  /** Virtual time until which nobody else may take what is its own. */
  heldUntil = 0;
  /** The same by its latest beat, which does not hold for one that was silent too long. */
  beatUntil = 0;
  /** Virtual time at which it had no room for another taskflow in its memory. */
  fullAt = 0;
  /** Virtual time since which it has had a free slot. */
  freeSince: number | undefined;
  /** Timers that it has armed and that have not fired. */
  timers = 0;
  /** Orders that it was given and has not answered. */
  orders = 0;
  /** Called when it ends. */
  readonly endings = new Set<() => void>();
  readonly listeners = new Set<() => void>();
  readonly linkListeners = new Set<() => void>();
  /** Deliveries that it waits for, with the virtual time at which it no longer does. */
  readonly outstanding = new Map<string, number>();
  /** By how much its machine's clock is ahead of the store's, apart from jumps. */
  readonly #skew: number;
  readonly #maxActive: number;
  #adjusted = 0;
  readonly #held: (() => void)[] = [];
  readonly #crashAt: CrashPlan;
  #calls = 0;
  #callsAtOnce = 0;
  #lastTime = -1;
  #commits = 0;

  constructor(world: World, settings: CoordinatorSettings, skew: number, crashAt: CrashPlan) {
    this.world = world;
    this.#skew = skew;
    this.owner = settings.owner;
    this.#maxActive = settings.maxActive;
    this.#crashAt = crashAt;
    const ids = { sorted: () => world.random.uuid(), random: () => world.random.uuid() };
    const logger = {
      info: () => {},
      warn: (...args: unknown[]) => this.note(() => `warns: ${args.map(String).join(" ")}`),
      error: (...args: unknown[]) => this.#hearError(args.map(String).join(" ")),
    };
    const bus = this.#bus();
    const taskTypes = new TaskTypeRegistry(BUILT_IN_TASK_TYPES, { bus, nodeID: settings.owner });
    const sandbox = new SimulatedSandbox(this);
    const ports = { store: storeOf(this), bus, clock: this.#clock(), ids, logger, taskTypes, sandbox };
    this.coordinator = new Coordinator(ports, settings);
  }

  /** What it takes for the store's time. */
  get now(): number {
    return this.world.agenda.now + this.#skew + this.#adjusted;
  }

  /** By how much the store's clock is ahead of its machine's. */
  get storeIsAhead(): number {
    return -this.world.agenda.offset - this.#skew;
  }

  note(line: () => string): void {
    this.world.note(() => `    ${this.owner} ${line()}`);
  }

  #hearError(message: string): void {
    if (!this.isAlive) return;
    this.note(() => `error: ${message}`);
    if (message.includes("set aside")) this.world.report(27, message);
  }

  start(): void {
    this.coordinator.start().then(
      () => {
        this.hasStarted = this.isAlive;
        this.startedAt = this.world.agenda.time;
        this.note(() => "has started");
      },
      () => this.die("crash while starting"),
    );
  }

  /** Is asked to end, hands over, and ends. */
  stop(graceMs: number, released: () => void): void {
    this.isStopping = true;
    this.stoppingAt = this.world.agenda.time;
    this.note(() => `is to stop within ${graceMs} ms`);
    this.coordinator.stop(graceMs, released).then(
      () => {
        if (!this.isAlive) return;
        // Whoever waits to read again, or for an owner, ends then.
        if (this.timers > 0 && this.orders === 0 && this.world.faults["read refused"] === 0)
          this.world.report(22, `${this.timers} timers are left after a stop`);
        this.#end("stopped");
      },
      () => this.die("crash while stopping"),
    );
  }

  /** True if the process lives on at this call of a port. */
  goesOn(where: Place = "crash between effects"): boolean {
    if (!this.isAlive) return false;
    const { time } = this.world.agenda;
    this.#callsAtOnce = time === this.#lastTime ? this.#callsAtOnce + 1 : 0;
    this.#lastTime = time;
    if (this.#callsAtOnce > CIRCLE) {
      this.world.report(27, "the coordinator turns in a circle");
      this.isAlive = false;
      return false;
    }
    this.#calls++;
    if (where !== "crash between effects") this.#commits++;
    const isDue =
      this.#calls === this.#crashAt.call || (where !== "crash between effects" && this.#commits === this.#crashAt.commit);
    if (!isDue || this.world.isCalm) return true;
    this.world.count("fault: crash");
    this.die(where);
    return false;
  }

  die(where: string): void {
    if (!this.isAlive) return;
    if (this.isFrozen) this.world.count("crash: crash while frozen");
    this.#end(where);
  }

  #end(how: string): void {
    this.isAlive = false;
    this.world.count(how === "stopped" ? "world: graceful stop" : `crash: ${how}`);
    this.note(() => `is gone: ${how}`);
    this.world.fleet.ended(this);
    for (const end of this.endings) end();
  }

  /** Has something reach the process: at once, when it is no longer frozen, or never. */
  reach(what: () => void): void {
    if (!this.isAlive) return;
    if (this.isFrozen) this.#held.push(what);
    else what();
  }

  get isFull(): boolean {
    return this.coordinator.active >= this.#maxActive;
  }

  /** Is the taskflow in its memory? */
  cares({ taskflowId }: FlowRecord): boolean {
    const forget = this.coordinator.watch(taskflowId, () => {});
    forget?.();
    return forget !== undefined;
  }

  freeze(ms: number): void {
    if (!this.isAlive || this.isFrozen) return;
    this.isFrozen = true;
    this.frozenUntil = this.world.agenda.time + ms;
    this.note(() => `is frozen for ${ms} ms`);
    this.world.agenda.in(ms, () => this.thaw());
  }

  thaw(): void {
    if (!this.isAlive || !this.isFrozen) return;
    this.isFrozen = false;
    this.thawedAt = this.world.agenda.time;
    this.note(() => `goes on, ${this.#held.length} things wait for it`);
    if (this.heldUntil <= this.thawedAt) this.world.count("world: frozen for longer than the lease");
    for (const what of this.#held.splice(0)) this.world.agenda.in(0, () => this.reach(what));
  }

  cutOff(ms: number): void {
    if (!this.isAlive || this.isCutOff) return;
    this.isCutOff = true;
    this.note(() => `has no link for ${ms} ms`);
    this.world.agenda.in(ms, () => this.reconnect());
  }

  reconnect(): void {
    if (!this.isAlive || !this.isCutOff) return;
    this.isCutOff = false;
    this.note(() => "has its link again");
    for (const { driver, tasks } of this.world.unfinished) {
      for (const { latest } of tasks)
        if (driver === this && latest?.sentBy === this) latest.suspectSince = this.world.agenda.time;
    }
    for (const listener of this.linkListeners) this.reach(listener);
  }

  #clock(): Clock {
    const { agenda } = this.world;
    return {
      now: () => this.now,
      adjust: (offsetMs) => {
        if (!this.world.mutations.has("the store's time ignored")) this.#adjusted = offsetMs;
      },
      monotonic: () => agenda.time,
      soon: (callback) => {
        if (this.goesOn()) agenda.in(0, () => this.reach(callback));
      },
      after: (ms, callback) => this.#arm(() => Math.max(ms, 1), undefined, callback),
      at: (time, callback) => {
        const left = Math.max(time - this.now, 1);
        return this.#arm(() => left, undefined, callback);
      },
    };
  }

  /**
   * Like the machine's clock: waits for as long as it seems at first, looks at the time if one is
   * given, and waits for the rest.
   */
  #arm(left: () => number, time: number | undefined, callback: () => void): () => void {
    const { agenda } = this.world;
    if (!this.goesOn()) return () => {};
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.timers--;
      isOver = true;
    };
    const fire = (): void => {
      if (isOver) return;
      if (time !== undefined && this.now < time) {
        cancel = wait();
        return;
      }
      end();
      callback();
    };
    const wait = (): (() => void) => agenda.in(left(), () => this.reach(fire));
    this.timers++;
    let cancel = wait();
    return () => {
      cancel();
      end();
    };
  }

  #bus(): Bus {
    const { bus } = this.world;
    const listen = (listeners: Set<() => void>, listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    return {
      route: (action, preferred) => (this.isAlive ? bus.route(action, preferred) : undefined),
      offers: (action) => (bus.isServed(action) ? 1 : 0),
      hasAudience: () => this.world.hasAudience,
      carries: () => true,
      queryOutcome: (question, done) => (this.goesOn() ? bus.ask(this, question, done) : () => {}),
      forward: (node, taskflowId, order) => (this.goesOn() ? forward(this, node, taskflowId, order) : new Promise(() => {})),
      abort: () => {},
      onReconnected: (listener) => listen(this.linkListeners, listener),
      call: (call, done) => {
        return this.goesOn() ? bus.call(this, call, done) : () => {};
      },
      announce: (event) => {
        if (this.goesOn()) bus.announce(this, event);
      },
      onWorkersChanged: (listener) => listen(this.listeners, listener),
    };
  }
}

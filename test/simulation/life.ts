/**
 * One life of a coordinator's process: its ports, and its end. A crash cuts it off: from then on nothing that it does has any effect, and
 * nothing reaches it. It can come at any call of a port, so before and after each commit and between any two effects.
 */
import { Coordinator } from "../../lib/coordinator/coordinator.ts";
import type { CoordinatorSettings } from "../../lib/coordinator/settings.ts";
import type { Bus } from "../../lib/ports/bus.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Claimed, KnownOwner, Store, StoredTaskflow, Write, WriteResult } from "../../lib/ports/store.ts";
import type { World } from "./world.ts";

/** More calls of ports than this without time going on is a circle. */
const CIRCLE = 20_000;

const never = <T>(): Promise<T> => new Promise<T>(() => {});
const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
const unavailable = (what: string): Error => new Error(`STORE_UNAVAILABLE: ${what}`);

/** Its process ends at its nth call of a port, or at its nth commit. */
export interface CrashPlan {
  readonly call: number;
  readonly commit: number;
}

export class Life {
  readonly coordinator: Coordinator;
  readonly world: World;
  isAlive = true;
  hasStarted = false;
  startedAt = 0;
  /** Timers that it has armed and that have not fired. */
  timers = 0;
  /** Called when it ends. */
  readonly endings = new Set<() => void>();
  readonly listeners = new Set<() => void>();
  /** Deliveries that it waits for, with the virtual time at which it no longer does. */
  readonly outstanding = new Map<string, number>();
  #calls = 0;
  #callsAtOnce = 0;
  #lastTime = -1;
  readonly #crashAt: CrashPlan;
  #commits = 0;

  constructor(world: World, settings: CoordinatorSettings, crashAt: CrashPlan) {
    this.world = world;
    this.#crashAt = crashAt;
    const ids = { sorted: () => world.random.uuid(), random: () => world.random.uuid() };
    const logger = {
      info: () => {},
      warn: (...args: unknown[]) => world.note(() => `    warns: ${args.map(String).join(" ")}`),
      error: (...args: unknown[]) => this.#hearError(args.map(String).join(" ")),
    };
    this.coordinator = new Coordinator({ store: this.#store(), bus: this.#bus(), clock: this.#clock(), ids, logger }, settings);
  }

  #hearError(message: string): void {
    if (!this.isAlive) return;
    this.world.note(() => `    error: ${message}`);
    if (message.includes("put aside")) this.world.report(27, message);
  }

  start(): void {
    this.coordinator.start().then(
      () => {
        this.hasStarted = this.isAlive;
        this.startedAt = this.world.agenda.time;
      },
      () => this.die("crash while starting"),
    );
  }

  /** True if the process lives on at this call of a port. */
  #goesOn(where: "crash between effects" | "crash before a commit" | "crash after a commit"): boolean {
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
    this.isAlive = false;
    this.world.count(`crash: ${where}`);
    this.world.lifeEnded(this);
  }

  #clock(): Clock {
    const { agenda } = this.world;
    return {
      now: () => agenda.now,
      monotonic: () => agenda.time,
      soon: (callback) => {
        if (this.#goesOn("crash between effects")) agenda.in(0, () => this.isAlive && callback());
      },
      after: (ms, callback) => this.#armAfter(ms, callback),
      at: (time, callback) => this.#arm(time, callback),
    };
  }

  #armAfter(ms: number, callback: () => void): () => void {
    if (!this.#goesOn("crash between effects")) return () => {};
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.timers--;
      isOver = true;
    };
    this.timers++;
    const cancel = this.world.agenda.in(Math.max(ms, 1), () => {
      if (!this.isAlive) return;
      end();
      callback();
    });
    return () => {
      cancel();
      end();
    };
  }

  /** Like the machine's clock: waits for as long as it seems at first, looks at the time, and waits for the rest. */
  #arm(time: number, callback: () => void): () => void {
    const { agenda } = this.world;
    if (!this.#goesOn("crash between effects")) return () => {};
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.timers--;
      isOver = true;
    };
    const wait = (): (() => void) =>
      agenda.in(Math.max(time - agenda.now, 1), () => {
        if (!this.isAlive) return;
        if (agenda.now < time) {
          cancel = wait();
          return;
        }
        end();
        callback();
      });
    this.timers++;
    let cancel = wait();
    return () => {
      cancel();
      end();
    };
  }

  #bus(): Bus {
    const { bus } = this.world;
    return {
      route: (action) => (this.isAlive ? bus.route(action) : undefined),
      hasAudience: () => this.world.hasAudience,
      ask: (_, done) => (this.#goesOn("crash between effects") ? this.world.agenda.in(5, () => this.isAlive && done({ kind: "silent" })) : () => {}),
      abort: () => {},
      onReconnected: () => () => {},
      call: (call, done) => {
        if (this.#goesOn("crash between effects")) bus.call(this, call, done);
      },
      announce: (event) => {
        if (this.#goesOn("crash between effects")) bus.announce(event);
      },
      onWorkersChanged: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    };
  }

  #store(): Store {
    const { world } = this;
    const { store } = world;
    const unused = (): never => {
      throw new Error("The coordinator does not use this.");
    };
    return {
      name: "simulated",
      open: unused,
      close: unused,
      due: unused,
      leave: unused,
      release: unused,
      timeOffset: unused,
      list: unused,
      delete: unused,
      health: unused,
      commit: (writes) => this.#commit(writes),
      read: (taskflowId): Promise<StoredTaskflow | undefined> =>
        this.#answer(() => {
          if (world.strikes("read refused")) throw unavailable("read");
          return store.read(taskflowId);
        }),
      repair: (taskflowId, fence, change): Promise<void> => this.#answer(() => store.repair(taskflowId, fence, change)),
      beat: (owner): Promise<KnownOwner[]> => this.#answer(() => store.beat(owner)),
      lastFinished: (owner, limit): Promise<string[]> => this.#answer(() => store.lastFinished(owner, limit)),
      claim: (owner, alive, limit): Promise<Claimed[]> => this.#answer(() => store.claim(owner, alive, limit)),
    };
  }

  #answer<T>(work: () => T): Promise<T> {
    if (!this.#goesOn("crash between effects")) return never();
    if (!this.world.isStoreAsync) return (async () => work())();
    return new Promise((resolve, reject) => {
      this.world.agenda.in(this.world.latency(), () => {
        if (!this.isAlive) return;
        try {
          resolve(work());
        } catch (error) {
          reject(asError(error));
        }
      });
    });
  }

  #commit(writes: readonly Write[]): WriteResult[] | Promise<WriteResult[]> {
    const { world } = this;
    if (!this.isAlive) throw unavailable("the process is dead");
    if (writes.length > 1) world.count("world: commit of several taskflows");
    const isAfter = world.random.chance(0.5);
    if (!this.#goesOn(isAfter ? "crash after a commit" : "crash before a commit")) {
      if (isAfter) world.applyUnheard(writes);
      throw unavailable("the process has crashed");
    }
    if (!world.isStoreAsync) return this.#store1(writes);
    return new Promise((resolve, reject) => {
      world.agenda.in(world.latency(), () => {
        // What a dead process has sent may be stored all the same.
        if (!this.isAlive) {
          if (world.random.chance(0.7)) world.applyUnheard(writes);
          return;
        }
        try {
          const results = this.#store1(writes);
          world.agenda.in(world.latency(), () => this.isAlive && resolve(results));
        } catch (error) {
          world.agenda.in(world.latency(), () => this.isAlive && reject(asError(error)));
        }
      });
    });
  }

  /** The commit itself, with what can go wrong in it. */
  #store1(writes: readonly Write[]): WriteResult[] {
    const { world } = this;
    if (world.strikes("commit refused")) {
      throw unavailable("nothing was stored");
    }
    if (world.strikes("commit unsure")) {
      world.store.apply(writes.filter(() => world.random.chance(0.7)));
      throw unavailable("nobody knows");
    }
    if (world.isStoreAsync && world.strikes("commit lands late")) {
      const appends = writes.filter(({ kind }) => kind === "append");
      world.agenda.in(world.random.int(1, 300), () => world.applyUnheard(appends));
      throw unavailable("it takes too long");
    }
    for (const write of writes) {
      if (write.kind === "append" && world.strikes("conflict")) world.store.intrude(write.taskflowId);
    }
    return world.store.apply(writes);
  }
}

/**
 * The coordinators' processes: one or two names, each with one life after the other, and what
 * befalls them.
 */
import { DEFAULT_OPTIONS } from "../../lib/core/model/options.ts";
import type { CoordinatorSettings } from "../../lib/coordinator/turn/settings.ts";
import { Incarnation } from "./incarnation.ts";
import type { World } from "./world.ts";

/** Beyond the end of the faults nobody stays away for longer. */
const AWAY_MS = 2_000;

/** Facts after which a journal is compacted: many times in a run. */
const COMPACT_AFTER = 3;

export class Fleet {
  /** Those that are alive, frozen ones too. */
  readonly incarnations: Incarnation[] = [];
  /** Virtual time since which a name has had no life. */
  readonly downSince = new Map<string, number>();
  /** Virtual time at which something befell anybody last. */
  disturbedAt = 0;
  readonly #world: World;
  readonly #owners: readonly string[];
  readonly #maxActive: number;
  readonly #parkMs: number;

  constructor(world: World, count: number) {
    this.#world = world;
    this.#owners = Array.from({ length: count }, (_, index) => `coordinator-${index + 1}`);
    this.#maxActive = world.random.pick([1, 2, 100]);
    this.#parkMs = world.random.pick([30_000, 4_000, 600, 600]);
  }

  get isAlone(): boolean {
    return this.#owners.length === 1;
  }

  begin(): void {
    const { random, agenda, calmAt, submitUntil } = this.#world;
    const sometimes = (fault: "crash" | "freeze" | "stop" | "link down", what: (incarnation: Incarnation) => void): void => {
      const times = random.pick([1, 2, 2, 8]);
      // Most taskflows take less time than the faults.
      const until = random.chance(0.4) ? calmAt : Math.min(calmAt, submitUntil + 500);
      for (let n = 0; n < times; n++) {
        if (!random.chance(this.#world.faults[fault])) continue;
        agenda.in(random.int(0, until), () => {
          const incarnation = this.incarnations.length === 0 ? undefined : random.pick(this.incarnations);
          if (!incarnation || this.#world.isCalm) return;
          this.#world.count(`fault: ${fault}`);
          this.disturbedAt = agenda.time;
          what(incarnation);
        });
      }
    };
    const { leaseMs } = this.#world;
    sometimes("crash", (incarnation) => incarnation.die("crash while idle"));
    sometimes("freeze", (incarnation) => incarnation.freeze(Math.ceil(leaseMs * random.pick([0.3, 1.2, 2, 5]))));
    sometimes("link down", (incarnation) => incarnation.cutOff(random.pick([20, 500, 3_000])));
    sometimes("stop", (incarnation) => this.#stop(incarnation));
    this.#owners.forEach((owner, index) => {
      if (index === 0 || random.chance(0.7)) this.#live(owner);
      else this.#liveLater(owner, random.int(1, calmAt));
    });
  }

  calmDown(): void {
    for (const incarnation of this.incarnations) {
      incarnation.thaw();
      incarnation.reconnect();
    }
  }

  anyStarted(): Incarnation | undefined {
    const started = this.incarnations.filter(({ hasStarted }) => hasStarted);
    return started.length === 0 ? undefined : this.#world.random.pick(started);
  }

  #live(owner: string): void {
    const { random, maxInFlight, leaseMs, faults } = this.#world;
    const settings: CoordinatorSettings = {
      owner,
      defaults: DEFAULT_OPTIONS,
      leaseMs,
      maxInFlight,
      maxActive: this.#maxActive,
      parkMs: this.#parkMs,
      retentionMs: null,
      paramsBytes: 4 * 1024 * 1024,
      compactAfter: this.#world.compacts ? COMPACT_AFTER : Infinity,
      eventTreeLimit: random.pick([4_096, 500]),
    };
    const crashes = random.chance(faults.crash);
    const skew = this.isAlone ? 0 : random.pick([0, 0, 700, 3_600_000, -3_600_000]);
    const incarnation = new Incarnation(this.#world, settings, skew, {
      call: crashes ? random.int(1, random.pick([10, 60, 400])) : Infinity,
      commit: crashes ? random.int(1, random.pick([3, 20])) : Infinity,
    });
    this.incarnations.push(incarnation);
    this.downSince.delete(owner);
    incarnation.note(() => "begins");
    incarnation.start();
  }

  #liveLater(owner: string, after: number): void {
    this.downSince.set(owner, this.#world.agenda.time);
    this.#world.agenda.in(after, () => this.#live(owner));
  }

  #stop(incarnation: Incarnation): void {
    const { random, agenda } = this.#world;
    const released = (): void => {
      for (const other of this.incarnations) {
        if (other === incarnation || !other.hasStarted || this.#world.strikes("release unheard")) continue;
        agenda.in(this.#world.delay(), () => other.reach(() => void other.coordinator.takeOver()));
      }
    };
    incarnation.reach(() => {
      if (!incarnation.isStopping && incarnation.hasStarted) incarnation.stop(random.pick([0, 200, 3_000]), released);
    });
  }

  ended(incarnation: Incarnation): void {
    const { random, agenda, isCalm, leaseMs } = this.#world;
    this.incarnations.splice(this.incarnations.indexOf(incarnation), 1);
    this.disturbedAt = agenda.time;
    for (const record of this.#world.store.records.values()) {
      if (record.driver === incarnation) record.interrupt();
    }
    const isLong = !this.isAlone && !isCalm && random.chance(0.6);
    this.#liveLater(incarnation.owner, isLong ? random.int(leaseMs, leaseMs * 2 + 3_000) : random.int(1, AWAY_MS));
  }
}

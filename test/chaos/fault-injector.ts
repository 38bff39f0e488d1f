/**
 * Breaks things, seeded: programs every 1–3 s, NATS every 15 s, MongoDB or the way to it every 30
 * s.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Supervised } from "../helpers/supervised.ts";
import { Random } from "../simulation/random.ts";
import type { Cluster } from "./cluster.ts";
import type { Strike } from "./takeovers.ts";

export interface TormentorOptions {
  readonly seed: number;
  readonly leaseMs: number;
  readonly natsEveryMs: number;
  readonly mongoEveryMs: number;
  /** Called right before a coordinator is struck. */
  readonly striking: (victim: Supervised, how: Strike) => void;
}

/** Epoch ms; `to` is infinite as long as it lasts. */
export interface Absence {
  readonly what: "coordinator" | "worker" | "NATS" | "MongoDB";
  readonly name: string;
  readonly from: number;
  to: number;
}

const STRIKE_MS = { min: 1_000, max: 3_000 };
const DOWN_MS = { min: 500, max: 2_000 };
/** Of killed coordinators, those that stay away until another one has taken over. */
const LONG_ABSENCES = 0.35;
/**
 * Of the strikes at the last coordinator or worker that is up, those that hit another program, or
 * none. A start may take longer than the pause between two strikes.
 */
const SPARED = 0.85;

export class FaultInjector {
  readonly #cluster: Cluster;
  readonly #options: TormentorOptions;
  readonly #random: Random;
  readonly #busy = new Set<Supervised>();
  readonly #pending = new Set<Promise<void>>();
  readonly #end = new AbortController();
  /** What was done, by kind. */
  readonly counts = new Map<string, number>();
  /** What did not go as promised. */
  readonly complaints: string[] = [];
  /** What was away, frozen or ending, and when. */
  readonly absences: Absence[] = [];
  #loops: Promise<void>[] = [];

  constructor(cluster: Cluster, options: TormentorOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  start(): void {
    const { natsEveryMs, mongoEveryMs } = this.#options;
    this.#loops = [
      this.#repeat(
        () => this.#random.int(STRIKE_MS.min, STRIKE_MS.max),
        () => this.#strike(),
      ),
      this.#repeat(
        () => natsEveryMs,
        () => this.#bounceNats(),
      ),
      // Never at the same time as NATS, whose outages are felt for some seconds.
      this.#repeat(
        (round) => (round === 0 ? mongoEveryMs - natsEveryMs / 2 : mongoEveryMs),
        () => this.#bounceMongo(),
      ),
    ];
  }

  /** Strikes no more; resolves when everything is up again. */
  async calm(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#loops);
    await Promise.all(this.#pending);
    // What did not start again in time has a complaint, and another chance.
    await Promise.all(this.#cluster.programs.filter((program) => !program.isRunning).map((program) => program.start()));
  }

  async #repeat(pause: (round: number) => number, act: () => Promise<void> | void): Promise<void> {
    const { signal } = this.#end;
    for (let round = 0; !signal.aborted; round++) {
      await delay(pause(round), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const done = Promise.resolve(act()).catch((error: unknown) => void this.complaints.push(String(error)));
      this.#pending.add(done);
      void done.finally(() => this.#pending.delete(done));
    }
  }

  #count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #pause({ min, max }: { min: number; max: number }): Promise<void> {
    return delay(this.#random.int(min, max));
  }

  async #strike(): Promise<void> {
    const { coordinators, workers } = this.#cluster;
    const isSpared = this.#random.chance(SPARED);
    const free = [coordinators, workers].flatMap((kind) => {
      const up = kind.filter((program) => !this.#busy.has(program) && program.isRunning);
      return up.length === 1 && isSpared ? [] : up;
    });
    if (free.length === 0) return this.#count("strikes left out, for nothing else was up");
    const victim = this.#random.pick(free);
    const isCoordinator = coordinators.includes(victim);
    const how = this.#random.pick(["SIGKILL", "SIGKILL", "SIGSTOP", "SIGTERM"] as const);
    this.#busy.add(victim);
    this.#count(`${how} of a ${isCoordinator ? "coordinator" : "worker"}`);
    if (isCoordinator) this.#options.striking(victim, how);
    try {
      await this.#absence(isCoordinator ? "coordinator" : "worker", victim.name, () =>
        this.#takeDown(victim, how, isCoordinator),
      );
    } finally {
      this.#busy.delete(victim);
    }
  }

  /** Resolves when it is up again. */
  async #takeDown(victim: Supervised, how: Strike, isCoordinator: boolean): Promise<void> {
    const { leaseMs } = this.#options;
    if (how === "SIGSTOP") {
      victim.signal("SIGSTOP");
      await this.#pause({ min: 300, max: leaseMs * 2 });
      victim.signal("SIGCONT");
      return;
    }
    const { code, signal } = await victim.end(how);
    if (how === "SIGTERM" && signal === "SIGKILL") this.complaints.push(`${victim.name} did not end on SIGTERM`);
    else if (how === "SIGTERM" && code !== 0) this.#count(`SIGTERM that ended with code ${code ?? signal ?? ""}`);
    const staysAway = isCoordinator && how === "SIGKILL" && this.#random.chance(LONG_ABSENCES);
    if (staysAway) this.#count("of these, away for longer than the lease");
    await (staysAway ? delay(leaseMs + 3_000) : this.#pause(DOWN_MS));
    await victim.start();
  }

  async #bounceNats(): Promise<void> {
    const { nats } = this.#cluster;
    if (this.#isAway("NATS")) return;
    this.#count("SIGKILL of NATS");
    await this.#absence("NATS", "NATS", async () => {
      await nats.kill();
      await this.#pause(DOWN_MS);
      await nats.restart();
    });
  }

  async #bounceMongo(): Promise<void> {
    const { mongo, proxy } = this.#cluster;
    if (this.#isAway("MongoDB")) return;
    const how = this.#random.pick(["kill", "cut", "half-open"] as const);
    this.#count(`MongoDB: ${how}`);
    await this.#absence("MongoDB", how, async () => {
      if (how === "kill") await mongo.kill();
      else if (how === "cut") proxy.cut();
      else proxy.halfOpen();
      await this.#pause(DOWN_MS);
      if (how === "kill") await mongo.restart();
      else proxy.restore();
    });
  }

  /** A server that is still on its way back is left alone. */
  #isAway(what: Absence["what"]): boolean {
    return this.absences.some((absence) => absence.what === what && absence.to === Number.POSITIVE_INFINITY);
  }

  async #absence(what: Absence["what"], name: string, during: () => Promise<void>): Promise<void> {
    const absence = { what, name, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.absences.push(absence);
    await during();
    absence.to = Date.now();
  }
}

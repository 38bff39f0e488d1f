/**
 * One run: virtual time, the durable store, the bus, the coordinators' lives, and those who have
 * taskflows done. All of it follows from the seed.
 */
import { isFinished } from "../../lib/core/model/flow.ts";
import type { Write } from "../../lib/ports/store.ts";
import { Agenda } from "./agenda.ts";
import { Client } from "./client.ts";
import type { StoredDefinition } from "../../lib/core/model/values.ts";
import { ACTIONS, drawPlan, type Plan } from "./definition.ts";
import { DurableStore } from "./durable-store.ts";
import { drawFaults, type Fault, FAULTS, type FaultRates } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import type { Incarnation } from "./incarnation.ts";
import { Operators } from "./operators.ts";
import { type PropertyNumber, Violation } from "./properties.ts";
import { Random } from "./random.ts";
import type { FlowRecord } from "./record.ts";
import { Statistics } from "./statistics.ts";
import { WorkerBus } from "./worker-bus.ts";

const OWNERSHIP: readonly Fault[] = [
  "beat refused",
  "beat slow",
  "time refused",
  "claim slow",
  "claim refused",
  "claim unsure",
  "read refused",
  "release refused",
];

/** Seeds with people are multiples of it. */
const PEOPLE_IN = 5;

/** Seeds in which journals are compacted are 3 more than a multiple of it. */
const COMPACTS_IN = 4;

export class World {
  readonly random: Random;
  readonly agenda = new Agenda();
  readonly statistics = new Statistics();
  readonly faults: FaultRates;
  readonly store: DurableStore;
  readonly bus: WorkerBus;
  readonly fleet: Fleet;
  readonly clients: Client[] = [];
  /**
   * In one of five seeds: where nobody decides, every status follows from the definitions and the
   * handlers.
   */
  readonly operators: Operators | undefined;
  /** Lines, where somebody wants to read what happened. */
  readonly trace: string[] | undefined;
  /** Mutants of the fakes of store and bus, by title. */
  readonly mutations: ReadonlySet<string>;
  violation: Violation | undefined;
  /** No fault strikes any more. */
  isCalm = false;
  /**
   * The machine's time has been set back: what compares times of different moments cannot be held
   * to them.
   */
  wentBack = false;
  /** A commit that was reported as failed may have landed later. */
  landedLate = false;
  /** What is being stored was given up by whoever sent it. */
  isUnheard = false;
  readonly calmAt: number;
  readonly submitUntil: number;
  readonly isStoreAsync: boolean;
  readonly compacts: boolean;
  readonly hasAudience: boolean;
  readonly looksIntoTrees: boolean;
  readonly successRate: number;
  readonly maxInFlight: number;
  readonly leaseMs: number;
  /** Times are multiples of it: a coarse one makes things happen at once. */
  readonly #grain: number;

  constructor(seed: number, mutations: ReadonlySet<string>, trace: string[] | undefined) {
    const random = new Random(seed);
    this.random = random;
    this.mutations = mutations;
    this.trace = trace;
    this.faults = drawFaults(random);
    this.store = new DurableStore(this);
    this.bus = new WorkerBus(this);
    const isAlone = random.chance(0.5);
    this.leaseMs = random.pick(isAlone ? [10_000, 10_000, 1_500] : [1_500, 4_000, 10_000]);
    this.calmAt = random.pick([500, 3_000, 15_000, 40_000]);
    this.submitUntil = Math.floor(this.calmAt / random.int(2, 20));
    this.isStoreAsync = random.chance(isAlone ? 0.4 : 0.7);
    this.compacts = seed % COMPACTS_IN === 3;
    this.hasAudience = random.chance(0.85);
    this.looksIntoTrees = random.chance(0.1);
    this.successRate = random.pick([1, 0.9, 0.7, 0.4]);
    this.maxInFlight = random.pick([1, 2, 5, 100]);
    this.#grain = random.pick([1, 1, 5, 50]);
    this.count(this.isStoreAsync ? "world: store answers later" : "world: store answers at once");
    this.count(isAlone ? "world: one coordinator" : "world: two coordinators");
    if (!this.hasAudience) this.count("world: nobody listens for events");
    this.fleet = new Fleet(this, isAlone ? 1 : 2);
    this.#plan(seed % PEOPLE_IN === 0);
    if (seed % PEOPLE_IN === 0) this.operators = new Operators(this);
  }

  #plan(hasPeople: boolean): void {
    const { random, agenda } = this;
    this.bus.planAbsences(this.calmAt);
    for (const [fault, sign] of [
      ["clock forward", 1],
      ["clock back", -1],
    ] as const) {
      if (this.strikes(fault))
        agenda.in(random.int(0, this.calmAt), () => this.#setClock(sign * random.pick([20, 700, 5_000, 60_000])));
    }
    agenda.in(this.calmAt, () => this.#calmDown());
    this.fleet.begin();
    const count = random.pick([1, 1, 2, 4]);
    for (let i = 0; i < count; i++) {
      const hasId = random.chance(0.6);
      const times = hasId && random.chance(0.4) ? random.int(2, 3) : 1;
      const plan = drawPlan(random, String(i), hasPeople);
      this.#countPlan(plan);
      this.clients.push(new Client(this, plan, hasId ? `flow-${i}` : undefined, times));
    }
  }

  #countPlan(plan: Plan): void {
    if (plan.options.maxAge !== undefined) this.count("input: flow with maxAge");
    if (plan.tasks.some(({ options }) => options.exactlyOnceTaskExecution)) this.count("input: task with exactly-once");
    if (plan.tasks.some(({ options }) => options.continueOnTaskFailure)) this.count("input: task with continueOnTaskFailure");
    if (plan.tasks.some(({ options }) => options.maxRetries === -1)) this.count("input: task without limit of retries");
  }

  #setClock(by: number): void {
    this.agenda.offset += by;
    // One that was set forward goes back when the store's time is looked at.
    this.wentBack = true;
    this.note(() => `the machine's time is set by ${by} ms`);
  }

  #calmDown(): void {
    this.note(() => "the faults cease");
    this.isCalm = true;
    this.bus.appear(...ACTIONS);
    this.fleet.calmDown();
  }

  /** Does the fault strike at this opportunity? */
  strikes(fault: Fault): boolean {
    if (this.isCalm || !this.random.chance(this.faults[fault])) return false;
    this.count(`fault: ${fault}`);
    this.note(() => `  FAULT ${fault}`);
    return true;
  }

  count(what: string): void {
    this.statistics.count(what);
  }

  /** A line for readers; made only where there are any. */
  note(line: () => string): void {
    this.trace?.push(`${String(this.agenda.time).padStart(7)} ${line()}`);
  }

  report(property: PropertyNumber, what: string): void {
    this.note(() => `  VIOLATES ${property}: ${what}`);
    this.violation ??= new Violation(property, what);
  }

  /** How long a store takes. */
  latency(): number {
    return this.isCalm ? this.random.int(0, 5) : this.#grained(this.random.pick([0, 1, 5, 20]));
  }

  /** How long a message or a piece of work takes. */
  delay(): number {
    return this.isCalm ? this.random.int(1, 10) : this.#grained(this.random.pick([1, 3, 10, 40, 150]));
  }

  #grained(ms: number): number {
    return Math.ceil(ms / this.#grain) * this.#grain;
  }

  /** Stores what no coordinator is told of. */
  applyUnheard(incarnation: Incarnation, writes: readonly Write[]): void {
    this.isUnheard = true;
    this.store.apply(incarnation, writes);
    this.isUnheard = false;
    for (const write of writes)
      this.store.records.get(write.kind === "create" ? write.row.taskflowId : write.taskflowId)?.interrupt();
  }

  /**
   * Who had it produced, under which id ever: each definition has its client's number in its
   * name.
   */
  clientOf(definition: StoredDefinition): Client {
    return this.clients[Number(definition.name)] as Client;
  }

  /** Where what is decided is stored, or not, within moments. */
  get storesAtOnce(): boolean {
    const { faults } = this;
    return (
      faults["commit refused"] +
        faults["commit unsure"] +
        faults["commit lands late"] +
        faults.conflict +
        faults["read refused"] ===
      0
    );
  }

  /** Where no fault makes things wait that the checker cannot see. */
  get checksPromptness(): boolean {
    const { faults } = this;
    const isDelivered = faults["not sent"] + faults["queue full"] + faults["link down"] === 0;
    return this.storesAtOnce && isDelivered && !this.wentBack && this.checksTakeover;
  }

  /** Virtual time since which it has. */
  get ownershipAt(): number {
    if (OWNERSHIP.every((fault) => this.faults[fault] === 0)) return 0;
    // A slow beat may be under way, or a step of a claim.
    return this.calmAt + (this.faults["beat slow"] + this.faults["claim slow"] > 0 ? this.leaseMs * 2 : 0);
  }

  /** Where the store answers whoever looks after the others. */
  get checksTakeover(): boolean {
    const { faults, isCalm } = this;
    return isCalm || OWNERSHIP.every((fault) => faults[fault] === 0);
  }

  get unfinished(): FlowRecord[] {
    return [...this.store.records.values()].filter(({ flow }) => !isFinished(flow.status));
  }

  get areFaultsOff(): boolean {
    return FAULTS.every((fault) => this.faults[fault] === 0);
  }
}

/**
 * What workers remember of attempts, by their keys: nothing, all of them together, or each node
 * for itself until it dies.
 */
import type { Outcome, OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { Random } from "./random.ts";

export const NODES = ["worker-1", "worker-2", "worker-3"] as const;

export type Memory = "none" | "shared" | "own";

export interface Entry {
  state: "unknown" | "running" | "done" | "interrupted";
  outcome: Outcome | undefined;
  /** Deliveries up to this one must not begin. */
  refused: number;
  /** Somebody was told that it runs: the outcome is reported. */
  isAsked: boolean;
  /** Those that wait for its end. */
  readonly joined: Set<(outcome: Outcome | undefined) => void>;
}

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** Virtual time since which it remembers everything. */
  #since = 0;

  entryOf(key: string): Entry {
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { state: "unknown", outcome: undefined, refused: 0, isAsked: false, joined: new Set() };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /** @param firstSent virtual time at which the attempt was sent first, or earlier */
  ask(key: string, delivery: number, firstSent: number, isRefusing: boolean): OutcomeReply {
    const entry = this.entryOf(key);
    if (entry.state === "done" && entry.outcome) return { kind: "done", outcome: entry.outcome };
    if (entry.state === "interrupted") return { kind: "interrupted" };
    if (entry.state === "running") {
      entry.isAsked = true;
      return { kind: "running" };
    }
    if (isRefusing) entry.refused = Math.max(entry.refused, delivery);
    return { kind: this.#since <= firstSent ? "never" : "silent" };
  }

  /** Drops what is over. What it refused it goes on refusing. */
  forget(now: number): void {
    this.#since = now;
    for (const entry of this.#entries.values()) if (entry.state !== "running") entry.state = "unknown";
  }

  /** The process that had it in memory is gone, with everything that ran in it. */
  die(now: number): void {
    this.#since = now;
    const runs = Array.from(this.#entries.values());
    this.#entries.clear();
    for (const { joined } of runs) for (const end of joined) end(undefined);
  }
}

/** The workers' nodes. */
export class Nodes {
  readonly memory: Memory;
  readonly #ledgers = new Map<string, Ledger>();
  /** How often each has died. */
  readonly #deaths = new Map<string, number>();

  constructor(random: Random) {
    this.memory = random.pick(["none", "shared", "shared", "own", "own"]);
  }

  ledgerOf(node: string): Ledger | undefined {
    if (this.memory === "none") return undefined;
    const name = this.memory === "shared" ? "all" : node;
    let ledger = this.#ledgers.get(name);
    if (!ledger) {
      ledger = new Ledger();
      this.#ledgers.set(name, ledger);
    }
    return ledger;
  }

  /** What was on its way to a process that has died since does not arrive. */
  deathsOf(node: string): number {
    return this.#deaths.get(node) ?? 0;
  }

  /** The process of a node dies, and with it what it alone remembers. */
  kill(node: string, now: number): void {
    if (this.memory !== "own") return;
    this.#deaths.set(node, this.deathsOf(node) + 1);
    this.ledgerOf(node)?.die(now);
  }
}

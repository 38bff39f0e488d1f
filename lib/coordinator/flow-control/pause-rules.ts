/**
 * Rules that keep tasks from calling certain actions for a while. They are stored, for all
 * coordinators; each reads them once a second, and at once when notified of a change.
 */
import { BoundedMap } from "../../util/bounded-map.ts";
import { matchesGlob } from "../../util/glob.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { PauseRule, Store } from "../../ports/store.ts";

const POLL_MS = 1_000;

/** Actions whose rule is remembered. */
const MAX_REMEMBERED = 10_000;

/** Matches every action. */
export const EVERY_ACTION = "**";

/** Says which actions tasks may not call now. */
export interface Gate {
  /** The rule that keeps tasks from calling the action. */
  ruleFor(action: string): PauseRule | undefined;
  /** Calls the listener whenever rules have changed. Returns what ends it. */
  onChanged(listener: () => void): () => void;
}

/** Keeps nothing back. */
export const OPEN_GATE: Gate = { ruleFor: () => undefined, onChanged: () => () => {} };

export interface PauseRulesPorts {
  readonly store: Pick<Store, "pauseRules" | "addPauseRule" | "removePauseRules">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PauseRules implements Gate {
  readonly #ports: PauseRulesPorts;
  readonly #coordinator: string;
  readonly #listeners = new Set<() => void>();
  readonly #remembered = new BoundedMap<string, PauseRule | undefined>(MAX_REMEMBERED);
  #rules: readonly PauseRule[] = [];
  #text = "[]";
  /** Reads end in the order in which they began: an older result never replaces a newer one. */
  #last: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #isFailing = false;
  #isStopped = false;

  /** @param coordinator whose rules count, beside those for all */
  constructor(ports: PauseRulesPorts, coordinator: string) {
    this.#ports = ports;
    this.#coordinator = coordinator;
  }

  /**
   * Reads the rules before anything is sent. Rejects if the store cannot be reached.
   * @param paused true: this coordinator sends nothing until `**` is lifted. False ends such a
   * pause of an earlier process
   */
  async start(paused: boolean): Promise<void> {
    const { store } = this.#ports;
    if (paused) await this.add(EVERY_ACTION, "TASKFLOW_PAUSED", this.#coordinator);
    else await store.removePauseRules(EVERY_ACTION, this.#coordinator);
    await this.look();
    this.#plan();
  }

  /** Reads no more. A pause of this coordinator alone ends with it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#last.catch(() => {});
    const own = this.#rules.some(({ coordinator }) => coordinator === this.#coordinator);
    if (own) await this.#ports.store.removePauseRules(EVERY_ACTION, this.#coordinator).catch(() => 0);
  }

  /** Those that count here: for all coordinators, and for this one. */
  get rules(): readonly PauseRule[] {
    return this.#rules.filter((rule) => this.#counts(rule));
  }

  /** Nothing is sent at all. */
  get isPaused(): boolean {
    return this.rules.some(({ pattern }) => pattern === EVERY_ACTION);
  }

  ruleFor(action: string): PauseRule | undefined {
    if (this.#rules.length === 0) return undefined;
    return this.#remembered.getOrMake(action, () => this.rules.find(({ pattern }) => matchesGlob(pattern, action)));
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Those of all coordinators, as the store has them now. */
  async list(): Promise<readonly PauseRule[]> {
    await this.look();
    return this.#rules;
  }

  /** Once it resolves, nothing that matches is sent from here. @throws STORE_UNAVAILABLE */
  async add(pattern: string, reason: string | null, coordinator: string | null = null): Promise<PauseRule> {
    const rule: PauseRule = { pattern, reason, since: this.#ports.clock.now(), coordinator };
    await this.#ports.store.addPauseRule(rule);
    await this.look();
    return rule;
  }

  /** Answers how many rules with exactly this pattern there were. @throws STORE_UNAVAILABLE */
  async lift(pattern: string): Promise<number> {
    const lifted = await this.#ports.store.removePauseRules(pattern);
    await this.look();
    return lifted;
  }

  /** Reads them anew. @throws STORE_UNAVAILABLE */
  look(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#read());
    return this.#last;
  }

  #counts({ coordinator }: PauseRule): boolean {
    return coordinator === null || coordinator === this.#coordinator;
  }

  async #read(): Promise<void> {
    const rules = await this.#ports.store.pauseRules();
    const text = JSON.stringify(rules);
    if (text === this.#text) return;
    this.#rules = rules;
    this.#text = text;
    this.#remembered.clear();
    for (const listener of this.#listeners) listener();
  }

  #plan(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#ports.clock.after(POLL_MS, () => void this.#poll());
  }

  /** While the store does not answer, what was read last holds. */
  async #poll(): Promise<void> {
    try {
      await this.look();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#ports.logger.warn("The pause rules could not be read; the known ones stay in force.", error);
      this.#isFailing = true;
    }
    this.#plan();
  }
}

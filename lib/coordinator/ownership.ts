/**
 * Who drives what: each coordinator shows by a beat in the store that it lives, and takes over the taskflows of those that fell silent.
 *
 * A beat is judged by a change seen or not seen over the observer's own monotonic time; nobody's clock counts. The lease is for liveness only:
 * what keeps two owners from writing one taskflow is the number of its next entry. A coordinator that could not beat for the length of its lease
 * sends nothing more, for others may have taken over; when it beats again it reads again what it believed to be its own.
 */
import type { Claimed } from "../ports/store.ts";
import type { Ports } from "./ports.ts";
import { type CoordinatorSettings, FORMAT } from "./settings.ts";

/** Taskflows claimed at once. */
const BATCH = 500;

export interface OwnershipListener {
  /** Taskflows that are this coordinator's from now on. */
  readonly taken: (claimed: readonly Claimed[]) => Promise<void>;
  /** A coordinator has died; null at the start, where nobody knows who did. Its last ends may not have been announced. */
  readonly died: (owner: string | null) => Promise<void>;
  /** The lease had lapsed and is held again: what was its own may be another's now. */
  readonly lapsed: () => void;
}

interface Seen {
  readonly beat: number;
  /** Own monotonic time of the change. */
  readonly at: number;
}

export class Ownership {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #listener: OwnershipListener;
  readonly #seen = new Map<string, Seen>();
  #alive: string[] = [];
  /** Those that have died, and whose last ends are still to be announced. */
  readonly #dead = new Set<string>();
  /** Something may be this owner's that it does not know of. */
  #isUnsure = false;
  #heldUntil = 0;
  #hasLapsed = false;
  #beating: Promise<void> | undefined;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(ports: Ports, settings: CoordinatorSettings, listener: OwnershipListener) {
    this.#ports = ports;
    this.#settings = settings;
    this.#listener = listener;
  }

  /** True while nobody else can have taken over: to be asked right before each dispatch. */
  isHeld(): boolean {
    if (this.#ports.clock.monotonic() < this.#heldUntil) return true;
    this.#hasLapsed = true;
    return false;
  }

  /**
   * The first beat, and the taskflows that nobody drives: those of an earlier life under the same name too. Rejects if the store cannot be
   * reached.
   */
  async start(): Promise<void> {
    const { store, clock } = this.#ports;
    const { owner, leaseMs } = this.#settings;
    const from = clock.monotonic();
    this.#alive = this.#observe(await store.beat(owner), from);
    clock.adjust(await store.timeOffset());
    const others = this.#alive.filter((alive) => alive !== owner);
    this.#heldUntil = from + leaseMs;
    await this.#listener.died(null);
    // In one go: what is claimed is this owner's, and a second claim without it among the living would find it again.
    await this.#listener.taken(await store.claim(owner, others, Number.MAX_SAFE_INTEGER, FORMAT));
    this.#plan();
  }

  /** Has taskflows that another coordinator gave up looked for at once. */
  look(): Promise<void> {
    return this.#beatOnce();
  }

  /** Beats no more. What it drove is free for others when the store has been told. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#beating;
    await this.#ports.store.leave(this.#settings.owner);
  }

  #plan(): void {
    if (this.#isStopped) return;
    const { clock } = this.#ports;
    this.#cancel = clock.after(Math.ceil(this.#settings.leaseMs / 3), () => {
      void this.#beatOnce().then(() => this.#plan());
    });
  }

  #beatOnce(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#beating ??= this.#beat()
      .catch((error: unknown) => this.#ports.logger.warn("The coordinator's beat could not be stored; trying again.", error))
      .finally(() => {
        this.#beating = undefined;
      });
    return this.#beating;
  }

  async #beat(): Promise<void> {
    const { store, clock } = this.#ports;
    const { owner, leaseMs } = this.#settings;
    // Counted from before the store was asked: a lease that others see begins later than this one's own.
    const from = clock.monotonic();
    const beats = await store.beat(owner);
    clock.adjust(await store.timeOffset());
    // Also where the answer took that long, and nobody has asked meanwhile.
    const wasLapsed = this.#heldUntil > 0 && (this.#hasLapsed || clock.monotonic() >= this.#heldUntil);
    this.#heldUntil = from + leaseMs;
    this.#hasLapsed = false;
    if (wasLapsed) this.#listener.lapsed();
    const alive = this.#observe(beats, from);
    for (const before of this.#alive) if (!alive.includes(before)) this.#dead.add(before);
    this.#alive = alive;
    await this.#claim(alive);
    for (const dead of this.#dead) {
      await this.#listener.died(dead);
      this.#dead.delete(dead);
    }
  }

  /**
   * Owners that are alive as far as one can tell. One seen for the first time has a whole lease before it.
   * @param from when the store was asked: nobody knows how old its answer is, but it is no older than that
   */
  #observe(beats: readonly { owner: string; beat: number }[], from: number): string[] {
    const now = this.#ports.clock.monotonic();
    const alive = [this.#settings.owner];
    const known = new Set<string>();
    for (const { owner, beat } of beats) {
      known.add(owner);
      if (owner === this.#settings.owner) continue;
      const seen = this.#seen.get(owner);
      if (seen?.beat !== beat) this.#seen.set(owner, { beat, at: now });
      if (seen?.beat !== beat || from - seen.at < this.#settings.leaseMs) alive.push(owner);
    }
    for (const owner of this.#seen.keys()) if (!known.has(owner)) this.#seen.delete(owner);
    return alive;
  }

  async #claim(alive: readonly string[]): Promise<void> {
    const { store } = this.#ports;
    const { owner } = this.#settings;
    // A claim whose answer was lost, or that could not be read: nobody else looks after what is this owner's by now.
    if (this.#isUnsure) await this.#listener.taken(await store.due(owner, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
    this.#isUnsure = true;
    for (;;) {
      const claimed = await store.claim(owner, alive, BATCH, FORMAT);
      if (claimed.length > 0) await this.#listener.taken(claimed);
      if (claimed.length < BATCH || this.#isStopped) break;
    }
    this.#isUnsure = false;
  }
}

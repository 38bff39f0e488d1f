/**
 * Ownership: each coordinator renews its lease in the store, and takes over the taskflows of
 * coordinators whose lease has expired. A lease is judged by the changes that an observer sees over
 * its own monotonic time; no machine's clock counts.
 *
 * The lease is for liveness only: the number of its next entry keeps two owners from writing one
 * taskflow. A coordinator that could not renew for the length of its lease sends nothing more,
 * because others may have taken over. Once it has renewed, it checks which taskflows it still owns
 * (`confirmOwnership`) and reads them again.
 */
import type { Claimed, KnownOwner } from "../../ports/store.ts";
import type { Ports } from "../turn/ports.ts";
import { type CoordinatorSettings, FORMAT } from "../turn/settings.ts";

/** Taskflows claimed at once. */
const BATCH = 1_000;

/**
 * The lease is renewed at least this often: the last renewal of a dead coordinator is seen that
 * much later at worst, and its taskflows are taken over within the lease + 2 s.
 */
const RENEW_MS = 1_000;
/** Between two beats, at least. */
const PAUSE_MS = 50;

export interface LeaseListener {
  /** Taskflows that are this coordinator's from now on. */
  readonly taken: (claimed: readonly Claimed[]) => Promise<void>;
  /** Any taskflow in the store may be this coordinator's without its knowing. */
  readonly rescan: () => Promise<void>;
  /**
   * The taskflows that a dead coordinator finished last; of any coordinator if null. Their ends may
   * not have been announced.
   */
  readonly endsOf: (owner: string | null) => Promise<readonly string[]>;
  /** Reads a finished taskflow. Resolves with a function that announces its end. */
  readonly announceEnd: (taskflowId: string) => Promise<(() => void) | undefined>;
  /** The lease had lapsed and is held again: what was its own may be another's now. */
  readonly lapsed: () => void;
}

interface Seen {
  readonly renewals: number;
  /** Own monotonic time of the change. */
  readonly at: number;
}

export class LeaseKeeper {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #listener: LeaseListener;
  readonly #seen = new Map<string, Seen>();
  #alive: string[] = [];
  /** Silent for a lease, with the beat that was seen last. */
  #silent: KnownOwner[] = [];
  /** Those that have died, and whose last ends are still to be looked for. */
  readonly #dead = new Set<string>();
  /** Finished taskflows whose end is still to be announced again. */
  readonly #unannounced = new Set<string>();
  /**
   * This coordinator may own taskflows that it does not know of: the next renewal looks for them.
   */
  #isUnsure = false;
  /** That has come up since the latest look for it began. */
  #isDoubted = false;
  #leaseUntil = 0;
  #hasLapsed = false;
  #renewing: Promise<void> | undefined;
  /** Taking over what others left takes as long as it takes; the beats go on meanwhile. */
  #takingOver: Promise<void> | undefined;
  #mustTakeOverAgain = false;
  #isLeaving = false;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(ports: Ports, settings: CoordinatorSettings, listener: LeaseListener) {
    this.#ports = ports;
    this.#settings = settings;
    this.#listener = listener;
  }

  /** True while no other coordinator can have taken over: checked right before each dispatch. */
  hasLease(): boolean {
    if (this.#ports.clock.monotonic() < this.#leaseUntil) return true;
    this.#hasLapsed = true;
    return false;
  }

  /** Another coordinator that is alive as far as one can tell. */
  isAlive(owner: string): boolean {
    return owner !== this.#settings.owner && this.#alive.includes(owner);
  }

  /** How long a coordinator's beat has not changed, as far as one can tell; null: it has none. */
  silenceOf(owner: string): number | null {
    const seen = this.#seen.get(owner);
    return seen ? this.#ports.clock.monotonic() - seen.at : null;
  }

  /**
   * Acquires the lease and claims the taskflows without an owner, those of an earlier process of
   * the same name included. Rejects if the store cannot be reached.
   */
  async start(): Promise<void> {
    const { store, clock } = this.#ports;
    const { owner, leaseMs } = this.#settings;
    const from = clock.monotonic();
    this.#alive = this.#observe(await store.renewLease(owner), from);
    clock.adjust(await store.timeOffset());
    this.#leaseUntil = from + leaseMs;
    // It is not known which coordinators have died. Read before this coordinator finishes anything
    // itself.
    for (const taskflowId of await this.#listener.endsOf(null)) this.#unannounced.add(taskflowId);
    const claiming = this.#claimAll();
    this.#takingOver = claiming.catch(() => {}).finally(() => (this.#takingOver = undefined));
    this.#plan();
    try {
      await claiming;
    } catch (error) {
      this.#isStopped = true;
      this.#cancel();
      throw error;
    }
    this.#takeOverOnce();
  }

  /** Has taskflows that another coordinator gave up looked for at once. */
  async look(): Promise<void> {
    await this.#renewOnce();
    await this.#takingOver;
  }

  /**
   * This coordinator may own taskflows that it does not know of: the next renewal looks for them.
   */
  doubt(): void {
    this.#isUnsure = true;
    this.#isDoubted = true;
  }

  /** Takes nothing over any more: what it gives up is for others. */
  takeNoMore(): void {
    this.#isLeaving = true;
  }

  /** Beats no more. What it drove is free for others when the store has been told. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#renewing;
    await this.#takingOver;
    await this.#ports.store.leave(this.#settings.owner);
  }

  #plan(): void {
    if (this.#isStopped) return;
    const { clock } = this.#ports;
    this.#cancel = clock.after(this.#pause(), () => {
      void this.#renewOnce().then(() => this.#plan());
    });
  }

  /** Until the next beat, or until a silent one's lease is over. */
  #pause(): number {
    const { leaseMs } = this.#settings;
    const now = this.#ports.clock.monotonic();
    let pause = Math.min(leaseMs / 3, RENEW_MS);
    for (const { at } of this.#seen.values()) if (now < at + leaseMs) pause = Math.min(pause, at + leaseMs - now);
    return Math.ceil(Math.max(pause, PAUSE_MS));
  }

  #renewOnce(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#renewing ??= this.#renew()
      .catch((error: unknown) => this.#ports.logger.warn("The coordinator's lease could not be renewed; trying again.", error))
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    const { store, clock } = this.#ports;
    const { owner, leaseMs } = this.#settings;
    // Counted from before the store was asked, so others see the lease expire later than this
    // coordinator does.
    const from = clock.monotonic();
    const owners = await store.renewLease(owner);
    clock.adjust(await store.timeOffset());
    // Also if the answer took that long and no dispatch has checked meanwhile.
    const wasLapsed = this.#leaseUntil > 0 && (this.#hasLapsed || clock.monotonic() >= this.#leaseUntil);
    // A coordinator that judged it dead before this renewal may still be about to claim something.
    if (wasLapsed) await store.confirmOwnership(owner);
    this.#leaseUntil = from + leaseMs;
    this.#hasLapsed = false;
    if (wasLapsed) this.#listener.lapsed();
    const alive = this.#observe(owners, from);
    for (const before of this.#alive) if (!alive.includes(before)) this.#dead.add(before);
    this.#alive = alive;
    this.#takeOverOnce();
  }

  /** Takes over what has no living owner; once more if that is asked for meanwhile. */
  #takeOverOnce(): void {
    this.#mustTakeOverAgain = true;
    this.#takingOver ??= this.#takeOver()
      .catch((error: unknown) => this.#ports.logger.warn("Taskflows could not be taken over; trying again.", error))
      .finally(() => {
        this.#takingOver = undefined;
      });
  }

  async #takeOver(): Promise<void> {
    while (this.#mustTakeOverAgain && !this.#isStopped && !this.#isLeaving) {
      this.#mustTakeOverAgain = false;
      await this.#claim();
      for (const dead of this.#dead) {
        for (const taskflowId of await this.#listener.endsOf(dead)) this.#unannounced.add(taskflowId);
        this.#dead.delete(dead);
      }
      await this.#republishEnds();
    }
  }

  /** Announces ends again, as long as nothing is more urgent. */
  async #republishEnds(): Promise<void> {
    for (const taskflowId of this.#unannounced) {
      if (this.#mustTakeOverAgain || this.#isStopped) return;
      const announce = await this.#listener.announceEnd(taskflowId);
      if (this.#unannounced.delete(taskflowId)) announce?.();
    }
  }

  /**
   * True, once, if the end of this finished taskflow is still to be announced: the caller does so.
   */
  takeUnannounced(taskflowId: string): boolean {
    return this.#unannounced.delete(taskflowId);
  }

  /**
   * The coordinators that count as alive. One that is seen for the first time has a whole lease.
   * @param from when the store was asked: its answer is no older than that
   */
  #observe(owners: readonly KnownOwner[], from: number): string[] {
    const now = this.#ports.clock.monotonic();
    const alive = [this.#settings.owner];
    const silent: KnownOwner[] = [];
    const known = new Set<string>();
    for (const { owner, renewals } of owners) {
      known.add(owner);
      if (owner === this.#settings.owner) continue;
      const seen = this.#seen.get(owner);
      if (seen?.renewals !== renewals) this.#seen.set(owner, { renewals, at: now });
      if (seen?.renewals !== renewals || from - seen.at < this.#settings.leaseMs) alive.push(owner);
      else silent.push({ owner, renewals });
    }
    this.#silent = silent;
    for (const owner of this.#seen.keys()) if (!known.has(owner)) this.#seen.delete(owner);
    return alive;
  }

  /**
   * Taskflows of an earlier process of this name first lose their owner: otherwise each claim would
   * find them again, because their owner seems to live.
   */
  async #claimAll(): Promise<void> {
    await this.releaseAll();
    await this.#claim();
  }

  /** Gives up what is this owner's in the store, in batches. */
  async releaseAll(isMeant: (taskflow: Claimed) => boolean = () => true): Promise<void> {
    const { store, clock } = this.#ports;
    const { owner } = this.#settings;
    let last: Claimed | undefined;
    for (;;) {
      const page: Claimed[] = await store.due(owner, Number.MAX_SAFE_INTEGER, BATCH, last);
      const given = page.filter(isMeant).map(({ taskflowId }) => taskflowId);
      if (given.length > 0) await store.release(owner, given);
      if (page.length < BATCH) return;
      last = page.at(-1);
      // A store that answers at once would keep all others waiting.
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }

  async #claim(): Promise<void> {
    const { store } = this.#ports;
    const { owner } = this.#settings;
    // A claim whose answer was lost or could not be read: no other coordinator drives what this one
    // owns by now.
    this.#isDoubted = false;
    if (this.#isUnsure) await this.#listener.rescan();
    this.#isUnsure = true;
    for (;;) {
      const claimed = await store.claim(owner, this.#alive, this.#silent, BATCH, FORMAT);
      if (claimed.length > 0) await this.#listener.taken(claimed);
      if (claimed.length < BATCH || this.#isStopped) break;
    }
    this.#isUnsure = this.#isDoubted;
  }
}

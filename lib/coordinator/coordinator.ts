/**
 * Drives taskflows. Around the pure engine it always does, in this order: decide, store, carry out
 * the effects.
 *
 * Every taskflow that it owns and has in memory has a mailbox (`Resident`). In each turn of the
 * event loop (`TurnLoop`) the mailboxes that hold something are decided, and their facts go to the
 * store in one group commit. So a taskflow has one commit at a time, a busy coordinator has few
 * large ones, and nothing is sent, answered or announced before it is stored.
 */
import type { CommandResult, CommandRequest } from "../core/model/command.ts";
import { type Flow, isFinished, isOver, taskAt } from "../core/model/flow.ts";
import type { Outcome } from "../core/execution/inputs.ts";
import { isTaskflowError } from "../errors/errors.ts";
import { steadyLogger } from "../util/steady-logger.ts";
import { sleep } from "../util/timer.ts";
import { announceLast } from "./turn/republish.ts";
import { placeOf, taskflowIdOf } from "../protocol/attempt-key.ts";
import { Compaction } from "./ownership/compaction.ts";
import { Residency } from "./ownership/residency.ts";
import { Creator, type NewTaskflow } from "./commands/produce.ts";
import { ReopenFinished } from "./ownership/reopen.ts";
import { LateAnswers } from "./ownership/late-responses.ts";
import { Nesting, type NewChild, type Producer } from "./commands/nesting.ts";
import { CommandRouter } from "./commands/router.ts";
import { LeaseKeeper } from "./ownership/lease.ts";
import { type Gate, OPEN_GATE } from "./flow-control/pause-rules.ts";
import type { Ports } from "./turn/ports.ts";
import type { Resident } from "./turn/resident.ts";
import { Retention } from "./ownership/retention.ts";
import { isDamage, readStored, rehydrate, rehydrateOrLog, type ReadJournal, type Restored } from "./turn/rehydrate.ts";
import { type CoordinatorSettings, MAX_TURN_SIZE } from "./turn/settings.ts";
import type { TurnListener } from "./turn/effect-handlers.ts";
import { TurnLoop } from "./turn/loop.ts";
import { wakeWaiting } from "./turn/wake-ups.ts";

export type { NewTaskflow } from "./commands/produce.ts";
export type { Ports } from "./turn/ports.ts";

/** How often a stop looks whether the last attempt has answered. */
const DRAIN_POLL_MS = 20;

const isOutage = (error: unknown): boolean => isTaskflowError(error, "STORE_UNAVAILABLE");

export class Coordinator {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #gate: Gate;
  readonly #turns: TurnLoop;
  readonly #residency: Residency;
  readonly #compaction: Compaction;
  readonly #lease: LeaseKeeper;
  readonly #late: LateAnswers;
  readonly #commands: CommandRouter;
  readonly #creator: Creator;
  readonly #nesting: Nesting;
  readonly #retention: Retention | undefined;
  #ends: (() => void)[] = [];

  /** @param gate says which actions tasks may not call now */
  constructor(given: Ports, settings: CoordinatorSettings, gate = OPEN_GATE) {
    const ports = { ...given, logger: steadyLogger(given.logger, isOutage, () => given.clock.monotonic()) };
    this.#gate = gate;
    this.#ports = ports;
    this.#settings = settings;
    const listener: TurnListener = {
      hasLease: () => this.#lease.hasLease(),
      parked: (dueAt) => this.#residency.left(dueAt),
      left: () => this.#residency.freed(),
      overgrown: (resident) => this.#compaction.ask(resident),
      late: (last, answer) => void this.#late.add(last, answer),
      send: (from, effect) => this.#nesting.send(from, effect),
      lookAfter: (resident, children) => this.#nesting.lookAfter(resident, children),
    };
    this.#turns = new TurnLoop(ports, settings, listener, gate);
    this.#compaction = new Compaction(ports, this.#turns.residents);
    this.#residency = new Residency(ports, settings, this.#turns);
    this.#retention = settings.retentionMs === null ? undefined : new Retention(ports, settings.retentionMs);
    this.#lease = new LeaseKeeper(ports, settings, {
      taken: (claimed) => this.#residency.take(claimed),
      rescan: () => this.#residency.rescan(),
      endsOf: (owner) => this.#endsOf(owner),
      announceEnd: (taskflowId) => this.#announceEnd(taskflowId),
      lapsed: () => this.#turns.lookAgain(),
    });
    const finished = new ReopenFinished(ports, settings, this.#turns, {
      load: (restored, fence) => this.#residency.reopen(restored, fence),
      unsure: () => this.#lease.doubt(),
      reopened: (restored) => {
        if (this.#lease.takeUnannounced(restored.row.taskflowId)) this.#announceLast(restored);
      },
    });
    this.#late = new LateAnswers(ports, this.#turns, this.#residency, finished);
    this.#commands = new CommandRouter(ports, settings, this.#turns, this.#residency, finished);
    this.#creator = new Creator(ports, settings, this.#turns);
    this.#nesting = new Nesting(ports, this.#turns, this.#commands, this.#creator, (taskflowId) => this.peek(taskflowId));
  }

  /**
   * Takes over every taskflow of the open store that has no owner. Resolves when all of them are
   * its own, and those that are due are in memory.
   */
  async start(): Promise<void> {
    this.#ends.push(wakeWaiting(this.#ports, this.#turns, this.#gate));
    this.#ends.push(this.#ports.bus.onReconnected(() => this.#turns.linkLost()));
    await this.#lease.start();
    this.#residency.start();
    this.#retention?.start();
  }

  /** Looks at once for taskflows that another coordinator has given up. */
  takeOver(): Promise<void> {
    return this.#lease.look();
  }

  /**
   * Takes no new work and starts no new attempt. Releases a taskflow as soon as none of its
   * attempts runs here, and all of them after `graceMs`. Attempts that still run then are delivered
   * again by the next owner.
   * @param released called whenever taskflows were released
   */
  async stop(graceMs: number, released: () => void = () => {}): Promise<void> {
    const { clock, store } = this.#ports;
    this.#turns.isDraining = true;
    this.#lease.takeNoMore();
    this.#residency.stop();
    const givenUp = this.#giveUpParked().then(released);
    const deadline = clock.monotonic() + graceMs;
    while (this.active > 0 && clock.monotonic() < deadline) {
      const given = this.#turns.letGo();
      if (given.length > 0) {
        await store.release(this.#settings.owner, given);
        released();
      }
      await sleep(DRAIN_POLL_MS, clock);
    }
    await this.#turns.stop();
    this.#late.stop();
    for (const end of this.#ends) end();
    this.#ends = [];
    await givenUp;
    await this.#retention?.stop();
    await this.#compaction.stop();
    await this.#ports.sandbox.close();
    await this.#lease.stop();
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
  get owners(): Pick<LeaseKeeper, "hasLease" | "silenceOf" | "isAlive"> {
    return this.#lease;
  }

  /** What is remembered of a taskflow in its care, to be looked at only. */
  inspect(taskflowId: string): Readonly<Pick<Resident, "pending" | "state">> | undefined {
    return this.#turns.residents.get(taskflowId);
  }

  /** Answers that are listened for although their taskflow has left memory. */
  get lateListening(): number {
    return this.#turns.lateListening;
  }

  get isDraining(): boolean {
    return this.#turns.isDraining;
  }

  /** Stores a taskflow, which starts then. Rejects as `Creator.produce` does. */
  produce(given: NewTaskflow): Promise<{ taskflowId: string; existing?: true }> {
    return this.#creator.produce(given);
  }

  /** Whether a taskflow of this id is stored. If one is being stored, waits for it. */
  exists(taskflowId: string): Promise<boolean> {
    return this.#creator.exists(taskflowId);
  }

  /**
   * Stores a taskflow below a task whose handler produces it: first the task's link, then the
   * taskflow. Undefined: this coordinator does not own the parent.
   * @throws TASKFLOW_OVERLOADED: nothing is stored. STORE_UNAVAILABLE: the outcome is unknown
   */
  async produceBelow(producer: Producer, given: NewChild): Promise<CommandResult | undefined> {
    // The parent may be parked: its attempt timed out, and the handler does not know.
    await this.#residency.load(producer.taskflowId);
    return this.#nesting.produce(producer, given);
  }

  /**
   * The owner of an unfinished taskflow; null: it has none right now; undefined: the taskflow is
   * finished or does not exist.
   */
  async ownerOf(taskflowId: string): Promise<string | null | undefined> {
    const row = (await readStored(this.#ports.store, taskflowId))?.row;
    return row && !isFinished(row.status) ? row.owner : undefined;
  }

  /** @throws TASKFLOW_OVERLOADED while no new taskflow is taken */
  checkRoom(): void {
    this.#creator.checkRoom();
  }

  /** Goes on with a taskflow that was stored for it, whole, a moment ago. */
  adopt(stored: ReadJournal): void {
    // It is shutting down: the next owner finds the taskflow.
    if (!this.isDraining) this.#residency.adopt(stored);
  }

  /** Has the owner of the taskflow carry out a command. Rejects as `CommandRouter.command` does. */
  command(taskflowId: string, order: CommandRequest): Promise<CommandResult> {
    return this.#commands.command(taskflowId, order);
  }

  /** An order that another coordinator has passed on; undefined: the taskflow is not this one's. */
  handleForwarded(taskflowId: string, order: CommandRequest): Promise<CommandResult | undefined> {
    return this.#commands.handleForwarded(taskflowId, order);
  }

  /**
   * The stored state of a taskflow; undefined if it does not exist. It must not be changed, and is
   * not cached.
   */
  async peek(taskflowId: string): Promise<Flow | undefined> {
    const inMemory = await this.inMemory(taskflowId);
    if (inMemory) return inMemory;
    const stored = await readStored(this.#ports.store, taskflowId);
    return stored && rehydrate(stored).flow;
  }

  /** As it is stored, if it is in memory and that is known. */
  async inMemory(taskflowId: string): Promise<Flow | undefined> {
    await this.#turns.committed(taskflowId);
    const resident = this.#turns.residents.get(taskflowId);
    return resident && !resident.creation && resident.state !== "reading" ? resident.flow : undefined;
  }

  /**
   * A worker reports the outcome of an attempt. True once it is stored, or if it no longer matters.
   * False if another coordinator owns the taskflow, or if its state is unknown now: the worker then
   * reports again. Rejects if the store does not answer.
   */
  async report(key: string, outcome: Outcome): Promise<boolean> {
    await this.#residency.load(taskflowIdOf(key));
    const running = this.#attemptOf(key);
    if (!running) {
      const flow = await this.peek(taskflowIdOf(key));
      if (!flow || !isOver(flow)) return !flow;
      const place = placeOf(key, flow);
      return place === undefined || this.#late.add(flow, { kind: "answer", ...place, outcome });
    }
    const { resident, task, attempt } = running;
    this.#turns.give(resident, { kind: "answer", task, attempt, outcome });
    await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
    const flow = await this.peek(resident.flow.taskflowId);
    const now = flow && taskAt(flow, task);
    // Without the lease, another coordinator may own the taskflow by now and use the number of a
    // withdrawn attempt again.
    if (!this.#lease.hasLease()) return false;
    return !flow || !now || now.attempt !== attempt || now.status !== "RUNNING" || now.pendingResponse !== null;
  }

  /** A handler says that it is still at it: the time of its attempt begins anew. */
  heartbeat(key: string): void {
    const running = this.#attemptOf(key);
    if (running) this.#turns.extend(running.resident, running.task, running.attempt);
  }

  #attemptOf(key: string): { resident: Resident; task: number; attempt: number } | undefined {
    const resident = this.#turns.residents.get(taskflowIdOf(key));
    const place = resident && placeOf(key, resident.flow);
    return place && { resident, ...place };
  }

  /**
   * Calls back when a resident taskflow has finished or left memory, with its last state if that is
   * known to be stored. Undefined if it is not resident here.
   */
  watch(taskflowId: string, gone: (last: Flow | undefined) => void): (() => void) | undefined {
    return this.#turns.residents.get(taskflowId)?.onGone(gone);
  }

  /**
   * Releases parked taskflows: they need an owner only when they are due. Those that cannot be
   * released are taken over once this coordinator has left.
   */
  async #giveUpParked(): Promise<void> {
    await this.#lease
      .releaseAll(({ taskflowId }) => !this.#turns.residents.has(taskflowId))
      .catch((error: unknown) =>
        this.#ports.logger.warn("Waiting taskflows could not be released; other coordinators take them over later.", error),
      );
  }

  /** Taskflows that finished have no owner any more, but their ends may not have been announced. */
  async #endsOf(owner: string | null): Promise<readonly string[]> {
    return this.#ports.bus.hasAudience() ? this.#ports.store.lastFinished(owner, MAX_TURN_SIZE) : [];
  }

  async #announceEnd(taskflowId: string): Promise<(() => void) | undefined> {
    const { store, logger } = this.#ports;
    const stored = await readStored(store, taskflowId).catch((error: unknown) => {
      if (!isDamage(error)) throw error;
      logger.error(`Taskflow ${taskflowId} is damaged in the store; its end is not republished.`, error);
    });
    const restored = stored && rehydrateOrLog(stored, logger);
    return restored ? () => this.#announceLast(restored) : undefined;
  }

  #announceLast({ entries, flow }: Restored): void {
    announceLast(this.#ports.bus, entries, flow, this.#settings.eventTreeLimit);
  }
}

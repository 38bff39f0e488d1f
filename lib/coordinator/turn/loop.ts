/**
 * The turns of the event loop: every mailbox that holds something is decided, the facts of all are
 * stored in one commit, then the effects run. Later inputs wait for the next turn.
 */
import { decide } from "../../core/decide.ts";
import type { CommandResult, CommandRequest } from "../../core/model/command.ts";
import { isOver } from "../../core/model/flow.ts";
import type { Input } from "../../core/execution/inputs.ts";
import { hasRevocable } from "../../core/execution/turned-away.ts";
import type { Write, WriteResult } from "../../ports/store.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { TurnListener } from "./effect-handlers.ts";
import { LateListening } from "./late-listening.ts";
import { PendingCommands } from "./pending-commands.ts";
import { callsIn, type UnitOfWork } from "./unit-of-work.ts";
import { OPEN_GATE } from "../flow-control/pause-rules.ts";
import { Pacer } from "./pacer.ts";
import type { Ports } from "./ports.ts";
import type { Resident } from "./resident.ts";
import { Residents } from "./residents.ts";
import { Reconciler, type Turns } from "./reconciler.ts";
import { EffectRunner } from "./effect-runner.ts";
import { type CoordinatorSettings, horizonOf, MAX_TURN_SIZE } from "./settings.ts";
import { writeOf } from "./projection.ts";

export class TurnLoop implements Turns {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #effects: EffectRunner;
  readonly #listener: TurnListener;
  readonly dispatcher: Dispatcher;
  readonly #listening: LateListening;
  readonly #commands = new PendingCommands();
  readonly #pacer: Pacer;
  readonly #reconciler: Reconciler;
  /** Resident taskflows, by id. */
  readonly residents = new Residents();
  #dirty: Resident[] = [];
  #isPlanned = false;
  #committing: Promise<void> | undefined;
  #isStopped = false;
  /** How often the lease expired and was renewed again. */
  leaseLapses = 0;
  /** True: nothing is sent any more; answers are still taken. */
  isDraining = false;

  constructor(ports: Ports, settings: CoordinatorSettings, listener: TurnListener, gate = OPEN_GATE) {
    const { taskTypes: types, clock } = ports;
    const { hasLease, late } = listener;
    this.#listener = listener;
    this.#listening = new LateListening(clock);
    this.#pacer = new Pacer(clock);
    this.#ports = ports;
    this.#settings = settings;
    this.dispatcher = new Dispatcher(settings, types, gate);
    const give = (resident: Resident, input: Input): void => this.give(resident, input);
    const freed = (): void => this.#planForQueue();
    this.#reconciler = new Reconciler(ports, settings, this, this.#commands);
    this.#effects = new EffectRunner({
      types,
      clock,
      sandbox: ports.sandbox,
      paramsBytes: settings.paramsBytes,
      dispatcher: this.dispatcher,
      hasLease,
      give,
      freed,
      late,
      listening: this.#listening,
      nested: listener,
    });
  }

  /** Takes a taskflow into care, and its first inputs into its mailbox. */
  add(resident: Resident, ...inputs: Input[]): void {
    if (this.#isStopped) return;
    this.residents.set(resident.flow.taskflowId, resident);
    this.give(resident, ...inputs);
  }

  give(resident: Resident, ...inputs: Input[]): void {
    if (resident.state === "gone" || this.#isStopped) return this.#commands.lose(inputs);
    resident.inbox.push(...inputs);
    this.wake(resident);
  }

  /**
   * Answers once the changes are stored. Undefined: the taskflow left before, nothing is stored.
   */
  command(resident: Resident, order: CommandRequest): Promise<CommandResult | undefined> {
    const { correlationId, answered } = this.#commands.open();
    this.give(resident, { kind: "command", correlationId, ...order });
    return answered;
  }

  /** Answers that are listened for although their taskflow has left. */
  get lateListening(): number {
    return this.#listening.size;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  extend(resident: Resident, task: number, attempt: number): void {
    this.#effects.extend(resident, task, attempt);
  }

  /** Has a taskflow looked at in the next turn. */
  wake(resident: Resident): void {
    if (resident.state !== "idle") return;
    resident.state = "dirty";
    this.#dirty.push(resident);
    this.#plan();
  }

  /** Resolves when nothing of this taskflow is on its way to the store. */
  async committed(taskflowId: string): Promise<void> {
    while (this.#committing && this.residents.get(taskflowId)?.state === "committing") await this.#committing;
  }

  /** Finishes what is planned, then lets go of everything. */
  async stop(): Promise<void> {
    this.#pacer.hurry();
    while (this.#isPlanned || this.#committing) {
      await this.#committing;
      await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
    }
    this.#isStopped = true;
    this.#listening.stop();
    for (const resident of this.residents.values()) {
      this.#commands.lose(resident.pendingInputs);
      resident.leave();
    }
    this.residents.clear();
  }

  #plan(): void {
    if (this.#isPlanned || this.#committing) return;
    this.#isPlanned = true;
    this.#pacer.plan(() => this.#turn());
  }

  #planForQueue(): void {
    if (this.#isPlanned || this.#committing) return;
    if (this.dispatcher.hasNext && this.#mayDispatch) this.#plan();
  }

  get #mayDispatch(): boolean {
    return !this.isDraining && this.#listener.hasLease();
  }

  #turn(): void {
    this.#isPlanned = false;
    // Planned before the commit began; what waits has its turn when that is over.
    if (this.#committing) return;
    // Without the lease they are woken when it is held again.
    if (this.#mayDispatch) for (const resident of this.dispatcher.next()) this.wake(resident);
    const chosen = this.#dirty.splice(0, MAX_TURN_SIZE);
    const now = this.#ports.clock.now();
    const units: UnitOfWork[] = [];
    const stored: UnitOfWork[] = [];
    for (const resident of chosen) {
      const unit = this.#decide(resident, now);
      if (unit) (unit.write ? stored : units).push(unit);
    }
    if (stored.length > 0) this.#commit(stored);
    for (const unit of units) this.carryOut(unit);
    if (this.#dirty.length > 0) this.#plan();
    // A taskflow that was woken for a slot may not have used it.
    else this.#planForQueue();
  }

  #decide(resident: Resident, now: number): UnitOfWork | undefined {
    if (resident.state !== "dirty") return undefined;
    const { flow, inbox: inputs } = resident;
    // A new taskflow is as old as it was made: its journal gives it the time of its first entry.
    const at = resident.creation ? flow.createdAt : now;
    resident.inbox = [];
    resident.state = "idle";
    const firstSeq = flow.seq + 1;
    let taken = 0;
    try {
      if (resident.creation) flow.revision = 1;
      const creation = resident.creation && this.#ports.bus.hasAudience() ? resident.writer.creation(at) : undefined;
      const router = this.#mayDispatch ? this.dispatcher.routerFor(resident) : undefined;
      const { facts, effects, answers } = decide(flow, inputs, at, router);
      taken = callsIn(effects);
      if (router) this.dispatcher.admit(resident, taken);
      const leaseLapses = this.leaseLapses;
      return {
        resident,
        inputs,
        facts,
        effects,
        answers,
        firstSeq,
        at,
        creation,
        leaseLapses,
        write: writeOf(resident, facts, at, this.#settings),
      };
    } catch (error) {
      // A broken invariant: what is stored is sound, so it is left as it is, for people to look at.
      const message = `Taskflow ${flow.taskflowId} is set aside after an internal error; it is unchanged in the store.`;
      this.#ports.logger.error(message, error);
      this.dispatcher.release(taken);
      this.#commands.lose(inputs);
      resident.creation?.failed(error);
      this.drop(resident);
      return undefined;
    }
  }

  /** At once where the store commits in this thread; else the next turn waits for it. */
  #commit(units: readonly UnitOfWork[]): void {
    let results: WriteResult[] | Promise<WriteResult[]>;
    try {
      results = this.#ports.store.commit(units.map((unit) => unit.write as Write));
    } catch (error) {
      return this.#commitFailed(units, error);
    }
    if (!(results instanceof Promise)) return this.#committed(units, results);
    for (const { resident } of units) resident.state = "committing";
    const afterwards = results.then(
      (all) => this.#committed(units, all),
      (error: unknown) => this.#commitFailed(units, error),
    );
    this.#committing = afterwards.finally(() => {
      this.#committing = undefined;
      if (this.#dirty.length > 0) this.#plan();
      else this.#planForQueue();
    });
  }

  #committed(units: readonly UnitOfWork[], results: readonly WriteResult[]): void {
    this.#pacer.committed();
    const created: UnitOfWork[] = [];
    units.forEach((unit, index) => {
      const { resident } = unit;
      if (results[index] !== "stored") return this.#lost(unit);
      const { creation } = resident;
      resident.creation = undefined;
      // Stored, but others may have gone on from there.
      const isInDoubt = unit.leaseLapses !== this.leaseLapses;
      if (isInDoubt) void this.#reconciler.reconcile(resident, unit);
      else if (resident.state === "committing") resident.state = "idle";
      if (!isInDoubt) this.announce(unit);
      if (resident.hasOutgrown(unit.facts.length, this.#settings.compactAfter)) this.#listener.overgrown(resident);
      creation?.stored(false);
      if (isInDoubt) return;
      if (creation) created.push(unit);
      else this.carryOut(unit);
    });
    // The answers to `produce` go first.
    if (created.length > 0)
      this.#ports.clock.soon(() => {
        for (const unit of created) this.carryOut(unit);
      });
  }

  /** Announces the events of a stored unit of work. */
  announce({ resident, facts, at, firstSeq, creation }: UnitOfWork): void {
    const { bus } = this.#ports;
    const { writer } = resident;
    if (!bus.hasAudience()) return writer.skip();
    if (creation) bus.announce(creation);
    for (const event of writer.write(facts, at, firstSeq)) bus.announce(event);
  }

  /** Answers the commands and runs the effects of a unit of work that is stored, or empty. */
  carryOut(unit: UnitOfWork): void {
    const { resident, facts, effects } = unit;
    this.#answer(unit);
    if (resident.state === "gone") return this.dispatcher.release(callsIn(effects));
    this.#effects.stored(resident, facts);
    this.#effects.run(resident, effects);
    if (isOver(resident.flow)) {
      this.#listenOn(resident);
      this.drop(resident);
    } else if (resident.inbox.length > 0) this.wake(resident);
    else if (resident.dueAt > 0) this.#park(resident);
  }

  /** A taskflow leaves, and stays this coordinator's: late answers are still listened for. */
  #listenOn(resident: Resident): void {
    for (const listening of resident.takeLate()) this.#listening.keep(listening);
  }

  /** Parks a taskflow to which nothing happens for long: its row says when it is due. */
  #park(resident: Resident): void {
    const { dueAt } = resident;
    if (this.isDraining || !resident.restsUntil(this.#ports.clock.now() + horizonOf(this.#settings))) return;
    resident.isParked = true;
    this.#listenOn(resident);
    this.drop(resident);
    this.leftOnDisk(dueAt);
  }

  /**
   * An answer without a write is true only while this coordinator owns the taskflow. Without the
   * lease the command is decided again once ownership is known.
   */
  #answer({ resident, inputs, answers, write }: UnitOfWork): void {
    if (answers.length === 0) return;
    if (write || this.#listener.hasLease()) this.#commands.give(answers);
    else if (resident.state === "gone") this.#commands.lose(inputs);
    else resident.withheldCommands.push(...inputs.filter(({ kind }) => kind === "command"));
  }

  /** A taskflow of this coordinator is not in memory, and may be due then. */
  leftOnDisk(dueAt: number): void {
    this.#listener.parked(dueAt);
  }

  /** Lets go of a taskflow. */
  drop(resident: Resident): void {
    const { pendingInputs } = resident;
    this.dispatcher.forget(resident);
    this.dispatcher.release(resident.slots);
    const { taskflowId } = resident.flow;
    if (this.residents.get(taskflowId) === resident) this.residents.delete(taskflowId);
    resident.leave();
    this.#commands.lose(pendingInputs);
    for (const input of pendingInputs) if (input.kind === "answer") this.#listener.late(resident.flow, input);
    this.#planForQueue();
    this.#listener.left();
  }

  /** The write met an existing taskflow or entry: this state is outdated. */
  #lost(unit: UnitOfWork): void {
    const { resident, effects } = unit;
    const { creation } = resident;
    if (creation) {
      this.dispatcher.release(callsIn(effects));
      this.#commands.lose(unit.inputs);
      this.drop(resident);
      creation.stored(true);
      return;
    }
    this.#ports.logger.warn(`Taskflow ${resident.flow.taskflowId} was changed by another coordinator.`);
    void this.#reconciler.reconcile(resident, unit);
  }

  /**
   * The outcome of the commit is unknown. Callers of `produce` get that error, and every taskflow
   * is read back before it goes on.
   */
  #commitFailed(units: readonly UnitOfWork[], error: unknown): void {
    this.#pacer.commitFailed();
    this.#ports.logger.error(`A commit of ${units.length} taskflows failed; they are read back.`, error);
    for (const unit of units) {
      const { creation } = unit.resident;
      unit.resident.creation = undefined;
      // Not before the turn is over: the caller may come back at once.
      void this.#reconciler.reconcile(unit.resident, unit);
      creation?.failed(error);
    }
  }

  /** What was sent before this moment may be lost, answers too: they are asked for. */
  linkLost(): void {
    for (const resident of this.residents.values()) {
      if (resident.pending.size > 0) this.give(resident, { kind: "link-lost", tasks: Array.from(resident.pending.keys()) });
    }
  }

  /** Checks the ownership of all residents: others may have taken over while it was silent. */
  lookAgain(): void {
    this.leaseLapses++;
    for (const resident of this.residents.values()) {
      // The others are looked at when they are stored or read.
      if (!resident.creation && (resident.state === "idle" || resident.state === "dirty"))
        void this.#reconciler.reconcile(resident);
    }
  }

  /**
   * Whether the taskflow is resident under this fence. A state under a lower fence is dropped:
   * another coordinator owned the taskflow meanwhile.
   */
  isResident(taskflowId: string, fence: number): boolean {
    const resident = this.residents.get(taskflowId);
    // One that is to be stored under an id that is taken, as will turn out, makes room and no more.
    if (!resident || resident.creation) return false;
    if (resident.fence >= fence) return true;
    this.drop(resident);
    return false;
  }

  /** Drops taskflows without a running attempt, for other coordinators; returns their ids. */
  letGo(): string[] {
    for (const resident of this.residents.values()) if (hasRevocable(resident.flow)) this.give(resident, { kind: "drain" });
    const idle = Array.from(this.residents.values()).filter(
      (resident) => resident.state === "idle" && resident.inbox.length === 0 && resident.awaited().size === 0,
    );
    for (const resident of idle) this.drop(resident);
    return idle.map((resident) => resident.flow.taskflowId);
  }
}

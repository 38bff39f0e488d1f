/**
 * The turns of the event loop: every mailbox that holds something is decided, the facts of all go to the store in one commit, and
 * then the effects are carried out. What comes in meanwhile waits for the next turn.
 */
import { decide } from "../../core/decide.ts";
import type { Answer, Order } from "../../core/model/command.ts";
import { isOver } from "../../core/model/flow.ts";
import type { Input } from "../../core/execution/inputs.ts";
import type { StoredTaskflow, Write, WriteResult } from "../../ports/store.ts";
import { announceSince } from "./republish.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Late } from "./effect-handlers.ts";
import type { Family } from "./effect-handlers.ts";
import { OrderBook } from "./pending-commands.ts";
import { callsIn, type Part } from "./unit-of-work.ts";
import { OPEN_GATE } from "../flow-control/pause-rules.ts";
import type { Ports } from "./ports.ts";
import type { Resident } from "./resident.ts";
import { Residents } from "./residents.ts";
import { isLast, isStored, mendRow, readPatiently, repairRow, restoreOrTell } from "./rehydrate.ts";
import { Sender } from "./effect-runner.ts";
import { type CoordinatorSettings, horizonOf, TURN } from "./settings.ts";
import { writeOf } from "./projection.ts";

export interface TurnsListener extends Family {
  /** False while another coordinator may have taken over. */
  readonly maySend: () => boolean;
  /** An answer has come for a taskflow that has left. */
  readonly late: Late;
  /** A taskflow has left memory; it is due then. */
  readonly parked: (dueAt: number) => void;
  /** A taskflow has left memory: there is room for another one. */
  readonly left: () => void;
}

export class Turns {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #sender: Sender;
  readonly #listener: TurnsListener;
  readonly dispatcher: Dispatcher;
  readonly #orders = new OrderBook();
  /** The taskflows in the coordinator's care, by id. */
  readonly residents = new Residents();
  #dirty: Resident[] = [];
  #isPlanned = false;
  #committing: Promise<void> | undefined;
  #isStopped = false;
  /** How often the lease had lapsed and was held again. */
  lapses = 0;
  /** True: nothing is sent any more; answers are still taken. */
  isDraining = false;

  constructor(ports: Ports, settings: CoordinatorSettings, listener: TurnsListener, gate = OPEN_GATE) {
    const { bus, clock } = ports;
    const { maySend, late } = listener;
    this.#listener = listener;
    this.#ports = ports;
    this.#settings = settings;
    this.dispatcher = new Dispatcher(settings.maxInFlight, (action, preferred) => bus.route(action, preferred), gate);
    const give = (resident: Resident, input: Input): void => this.give(resident, input);
    const freed = (): void => this.#planForQueue();
    this.#sender = new Sender({ bus, clock, dispatcher: this.dispatcher, maySend, give, freed, late, family: listener });
  }

  /** Takes a taskflow into care, and its first inputs into its mailbox. */
  add(resident: Resident, ...inputs: Input[]): void {
    if (this.#isStopped) return;
    this.residents.set(resident.flow.taskflowId, resident);
    this.give(resident, ...inputs);
  }

  give(resident: Resident, ...inputs: Input[]): void {
    if (resident.state === "gone" || this.#isStopped) return this.#orders.lose(inputs);
    resident.inbox.push(...inputs);
    this.wake(resident);
  }

  /**
   * Has an order decided in its turn, and answered once what it changed is stored. Undefined: the taskflow has left before, and of the order
   * nothing is stored.
   */
  order(resident: Resident, order: Order): Promise<Answer | undefined> {
    const { ticket, answered } = this.#orders.open();
    this.give(resident, { kind: "command", ticket, ...order });
    return answered;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  extend(resident: Resident, task: number, attempt: number): void {
    this.#sender.extend(resident, task, attempt);
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
    while (this.#isPlanned || this.#committing) {
      await this.#committing;
      await new Promise<void>((resolve) => this.#ports.clock.soon(resolve));
    }
    this.#isStopped = true;
    for (const resident of this.residents.values()) {
      this.#orders.lose(resident.unheard);
      resident.leave();
    }
    this.residents.clear();
  }

  #plan(): void {
    if (this.#isPlanned || this.#committing) return;
    this.#isPlanned = true;
    this.#ports.clock.soon(() => this.#turn());
  }

  #planForQueue(): void {
    if (this.#isPlanned || this.#committing) return;
    if (this.dispatcher.hasNext && this.#mayDispatch) this.#plan();
  }

  get #mayDispatch(): boolean {
    return !this.isDraining && this.#listener.maySend();
  }

  #turn(): void {
    this.#isPlanned = false;
    // Planned before the commit began; what waits has its turn when that is over.
    if (this.#committing) return;
    // Without the lease they are woken when it is held again.
    if (this.#mayDispatch) for (const resident of this.dispatcher.next()) this.wake(resident);
    const chosen = this.#dirty.splice(0, TURN);
    const now = this.#ports.clock.now();
    const parts: Part[] = [];
    const stored: Part[] = [];
    for (const resident of chosen) {
      const part = this.#decide(resident, now);
      if (part) (part.write ? stored : parts).push(part);
    }
    if (stored.length > 0) this.#commit(stored);
    for (const part of parts) this.#carryOut(part);
    if (this.#dirty.length > 0) this.#plan();
    // Whoever was woken for a slot may have left it.
    else this.#planForQueue();
  }

  #decide(resident: Resident, now: number): Part | undefined {
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
      const { facts, effects, answers } = decide(flow, inputs, at);
      for (let mayFollow = this.#mayDispatch; mayFollow;) {
        const tasks = this.dispatcher.admit(resident);
        if (tasks.length === 0) break;
        taken += tasks.length;
        const sent = decide(flow, [{ kind: "dispatch", tasks }], at);
        facts.push(...sent.facts);
        effects.push(...sent.effects);
        const unused = tasks.length - callsIn(sent.effects);
        this.dispatcher.release(unused);
        taken -= unused;
        // Those were too old to be sent and have ended: others may be due now, those of the next stage.
        mayFollow = unused > 0;
      }
      const lapses = this.lapses;
      return {
        resident,
        inputs,
        facts,
        effects,
        answers,
        firstSeq,
        at,
        creation,
        lapses,
        write: writeOf(resident, facts, at, this.#settings),
      };
    } catch (error) {
      // A broken invariant: what is stored is sound, so it is left as it is, for people to look at.
      const message = `Taskflow ${flow.taskflowId} is put aside after an internal error; it is unchanged in the store.`;
      this.#ports.logger.error(message, error);
      this.dispatcher.release(taken);
      this.#orders.lose(inputs);
      resident.creation?.failed(error);
      this.#drop(resident);
      return undefined;
    }
  }

  /** At once where the store commits in this thread; else the next turn waits for it. */
  #commit(parts: readonly Part[]): void {
    let results: WriteResult[] | Promise<WriteResult[]>;
    try {
      results = this.#ports.store.commit(parts.map((part) => part.write as Write));
    } catch (error) {
      return this.#commitFailed(parts, error);
    }
    if (!(results instanceof Promise)) return this.#committed(parts, results);
    for (const { resident } of parts) resident.state = "committing";
    const afterwards = results.then(
      (all) => this.#committed(parts, all),
      (error: unknown) => this.#commitFailed(parts, error),
    );
    this.#committing = afterwards.finally(() => {
      this.#committing = undefined;
      if (this.#dirty.length > 0) this.#plan();
      else this.#planForQueue();
    });
  }

  #committed(parts: readonly Part[], results: readonly WriteResult[]): void {
    const created: Part[] = [];
    parts.forEach((part, index) => {
      const { resident } = part;
      if (results[index] !== "stored") return this.#lost(part);
      const { creation } = resident;
      resident.creation = undefined;
      // Stored, but others may have gone on from there.
      const isInDoubt = part.lapses !== this.lapses;
      if (isInDoubt) void this.#readBack(resident, part);
      else if (resident.state === "committing") resident.state = "idle";
      if (!isInDoubt) this.#announce(part);
      creation?.stored(false);
      if (isInDoubt) return;
      if (creation) created.push(part);
      else this.#carryOut(part);
    });
    // The answers to `produce` go first.
    if (created.length > 0)
      this.#ports.clock.soon(() => {
        for (const part of created) this.#carryOut(part);
      });
  }

  #announce({ resident, facts, at, firstSeq, creation }: Part): void {
    const { bus } = this.#ports;
    const { writer } = resident;
    if (!bus.hasAudience()) return writer.skip();
    if (creation) bus.announce(creation);
    for (const event of writer.write(facts, at, firstSeq)) bus.announce(event);
  }

  #carryOut(part: Part): void {
    const { resident, facts, effects } = part;
    this.#answer(part);
    if (resident.state === "gone") return this.dispatcher.release(callsIn(effects));
    for (const fact of facts) if (fact.kind === "settled" || fact.kind === "delayed") this.#sender.ended(resident, fact.task);
    this.#sender.carryOut(resident, effects);
    if (isOver(resident.flow)) this.#drop(resident);
    else if (resident.inbox.length > 0) this.wake(resident);
    else if (resident.dueAt > 0) this.#park(resident);
  }

  /** Lets go of a taskflow to which nothing happens for long, for its row says when it does. One that comes to an end gives all up. */
  #park(resident: Resident): void {
    const { dueAt } = resident;
    if (this.isDraining || !resident.restsUntil(this.#ports.clock.now() + horizonOf(this.#settings))) return;
    resident.isParked = true;
    this.#drop(resident);
    this.#listener.parked(dueAt);
  }

  /** What nothing was stored of is the truth only while the taskflow is this coordinator's: without the lease it is decided once more when that is known. */
  #answer({ resident, inputs, answers, write }: Part): void {
    if (answers.length === 0) return;
    if (write || this.#listener.maySend()) this.#orders.give(answers);
    else if (resident.state === "gone") this.#orders.lose(inputs);
    else resident.withheld.push(...inputs.filter(({ kind }) => kind === "command"));
  }

  #drop(resident: Resident): void {
    const { unheard } = resident;
    this.dispatcher.forget(resident);
    this.dispatcher.release(resident.pending.size);
    const { taskflowId } = resident.flow;
    if (this.residents.get(taskflowId) === resident) this.residents.delete(taskflowId);
    resident.leave();
    this.#orders.lose(unheard);
    for (const input of unheard) if (input.kind === "answer") this.#listener.late(resident.flow, input);
    this.#planForQueue();
    this.#listener.left();
  }

  /** The write met a taskflow or an entry that was there already: this picture of it is outdated. */
  #lost(part: Part): void {
    const { resident, effects } = part;
    const { creation } = resident;
    if (creation) {
      this.dispatcher.release(callsIn(effects));
      this.#orders.lose(part.inputs);
      this.#drop(resident);
      creation.stored(true);
      return;
    }
    this.#ports.logger.warn(`Taskflow ${resident.flow.taskflowId} was changed by another coordinator.`);
    void this.#readBack(resident, part);
  }

  /** Nobody knows what was stored. Callers of `produce` are told so, and every taskflow is read back before it goes on. */
  #commitFailed(parts: readonly Part[], error: unknown): void {
    this.#ports.logger.error(`A commit of ${parts.length} taskflows failed; they are read back.`, error);
    for (const part of parts) {
      const { creation } = part.resident;
      part.resident.creation = undefined;
      // Not before the turn is over: the caller may come back at once.
      void this.#readBack(part.resident, part);
      creation?.failed(error);
    }
  }

  /**
   * Where others may have changed it. What was stored of the part after all is carried out; else it goes on from what is stored, with the inputs that were
   * decided on the outdated picture.
   */
  async #readBack(resident: Resident, part?: Part, isMended = false): Promise<void> {
    const { fence } = resident;
    const { taskflowId, idBase, revision, seq } = resident.flow;
    resident.state = "reading";
    const stored = await this.#readHeld(taskflowId);
    const calls = part ? callsIn(part.effects) : 0;
    const wasStored = isStored(stored, part?.write);
    // Let go of meanwhile; another one may have taken its place.
    if (this.#isStopped || this.residents.get(taskflowId) !== resident) {
      this.#settleOrders(part, wasStored);
      this.dispatcher.release(calls);
      return this.#drop(resident);
    }
    const isOurs = stored?.row.owner === this.#settings.owner && stored.row.fence === fence;
    if (isOurs && (part ? isLast(stored, part.write) : stored.entries.length === revision)) {
      if (!isMended && (await mendRow(this.#ports, stored.row, resident.flow))) return this.#readBack(resident, part, true);
      resident.state = "idle";
      // What was to change of it may not have reached the row.
      resident.dueAt = stored.row.dueAt;
      void repairRow(this.#ports, stored.row, resident.flow);
      resident.inbox.unshift(...resident.withheld.splice(0));
      if (part) this.#announce(part);
      if (part) this.#carryOut(part);
      return this.wake(resident);
    }
    const restored = isOurs ? restoreOrTell(stored, this.#ports.logger) : undefined;
    if (restored && !isMended && (await mendRow(this.#ports, restored.row, restored.flow)))
      return this.#readBack(resident, part, true);
    this.dispatcher.release(calls);
    // Not ours either: a taskflow that was to be stored, and whose id somebody else has taken.
    if (restored?.flow.idBase !== idBase) {
      this.#settleOrders(part, wasStored);
      return this.#drop(resident);
    }
    const { eventTreeLimit } = this.#settings;
    resident.cancelTimers();
    resident.replace(restored.flow, eventTreeLimit, restored.row.dueAt);
    announceSince(this.#ports.bus, restored.entries, restored.flow, part ? part.firstSeq - 1 : seq, eventTreeLimit);
    resident.state = "idle";
    if (wasStored) this.#settleOrders(part, true);
    resident.inbox = [...(part?.inputs.filter(({ kind }) => !wasStored || kind !== "command") ?? []), ...resident.unheard];
    resident.withheld = [];
    const isReopened = resident.inbox.some(({ kind }) => kind === "command");
    if (isOver(restored.flow) && !isReopened) {
      void repairRow(this.#ports, restored.row, restored.flow);
      this.#settleOrders(part, wasStored);
      return this.#drop(resident);
    }
    const waiting = resident.inbox.filter(({ kind }) => kind !== "recover");
    resident.inbox = [];
    const inFlight = resident.awaited();
    const recover = { kind: "recover", fence, inFlight, ...(isReopened ? { isReopened } : {}) } as const;
    // A new owner says first that it is that. Else answers go first: what has been answered is neither in flight nor lost.
    this.give(resident, ...(restored.flow.fence === fence ? [...waiting, recover] : [recover, ...waiting]));
  }

  /** A part that is not carried out here any more: its orders are answered if it was stored, else they are looked at anew. */
  #settleOrders(part: Part | undefined, wasStored: boolean): void {
    if (!part) return;
    if (wasStored) this.#orders.give(part.answers);
    this.#orders.lose(part.inputs);
  }

  /** What is stored, read while the lease was held all the time. */
  async #readHeld(taskflowId: string): Promise<StoredTaskflow | undefined> {
    for (;;) {
      const lapses = this.lapses;
      const stored = await readPatiently(this.#ports, taskflowId, () => this.#isStopped);
      if (this.#isStopped || lapses === this.lapses) return stored;
    }
  }

  /** What was sent before this moment may be lost, answers too: they are asked for. */
  suspect(): void {
    for (const resident of this.residents.values()) {
      if (resident.pending.size > 0) this.give(resident, { kind: "suspect", tasks: Array.from(resident.pending.keys()) });
    }
  }

  /** Looks whether every taskflow in its care is still its own: others may have taken over while it was silent. */
  lookAgain(): void {
    this.lapses++;
    for (const resident of this.residents.values()) {
      // The others are looked at when they are stored or read.
      if (!resident.creation && (resident.state === "idle" || resident.state === "dirty")) void this.#readBack(resident);
    }
  }

  /** Is it in the coordinator's care under this fence? What is there under a lower one was another's meanwhile: that is let go of. */
  caresFor(taskflowId: string, fence: number): boolean {
    const resident = this.residents.get(taskflowId);
    // One that is to be stored under an id that is taken, as will turn out, makes room and no more.
    if (!resident || resident.creation) return false;
    if (resident.fence >= fence) return true;
    this.#drop(resident);
    return false;
  }

  /** Lets go of taskflows that nothing runs of, for another coordinator to go on with; answers their ids. */
  letGo(): string[] {
    const idle = Array.from(this.residents.values()).filter(
      (resident) => resident.state === "idle" && resident.inbox.length === 0 && resident.awaited().size === 0,
    );
    for (const resident of idle) this.#drop(resident);
    return idle.map((resident) => resident.flow.taskflowId);
  }
}

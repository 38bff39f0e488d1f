/**
 * After a commit whose outcome is unknown, a conflict, or a lapse of the lease: the store is the
 * truth, and the resident is made to agree with it before anything else of it is decided.
 */
import { isOver } from "../../core/model/flow.ts";
import type { Input } from "../../core/execution/inputs.ts";
import type { StoredTaskflow } from "../../ports/store.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { PendingCommands } from "./pending-commands.ts";
import type { Ports } from "./ports.ts";
import {
  factsIn,
  isLast,
  isStored,
  readPatiently,
  rehydrateOrLog,
  repairProjectionIfFinished,
  repairProjectionIfStale,
} from "./rehydrate.ts";
import { announceSince } from "./republish.ts";
import type { Resident } from "./resident.ts";
import type { Residents } from "./residents.ts";
import type { CoordinatorSettings } from "./settings.ts";
import { callsIn, type UnitOfWork } from "./unit-of-work.ts";

/** The parts of the turn loop that reconciling needs. */
export interface Turns {
  readonly isStopped: boolean;
  readonly leaseLapses: number;
  readonly residents: Residents;
  readonly dispatcher: Dispatcher;
  give(resident: Resident, ...inputs: Input[]): void;
  wake(resident: Resident): void;
  announce(unit: UnitOfWork): void;
  carryOut(unit: UnitOfWork): void;
  drop(resident: Resident): void;
  leftOnDisk(dueAt: number): void;
}

export class Reconciler {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: Turns;
  readonly #commands: PendingCommands;

  constructor(ports: Ports, settings: CoordinatorSettings, turns: Turns, commands: PendingCommands) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
    this.#commands = commands;
  }

  /**
   * Reads the taskflow again. If the unit of work was stored after all, it is carried out; else the
   * taskflow goes on from the stored state, with the inputs that were decided on the outdated one.
   */
  async reconcile(resident: Resident, unit?: UnitOfWork, isMended = false): Promise<void> {
    const { fence } = resident;
    const { taskflowId, idBase, revision, seq } = resident.flow;
    resident.state = "reading";
    const stored = await this.#readUnderLease(taskflowId);
    const calls = unit ? callsIn(unit.effects) : 0;
    const wasStored = isStored(stored, unit?.write);
    // It left meanwhile, and another resident may have taken its place.
    if (this.#turns.isStopped || this.#turns.residents.get(taskflowId) !== resident) {
      this.#settleCommands(unit, wasStored);
      this.#turns.dispatcher.release(calls);
      return this.#turns.drop(resident);
    }
    const isOurs = stored?.row.owner === this.#settings.owner && stored.row.fence === fence;
    if (isOurs && (unit ? isLast(stored, unit.write) : stored.revision === revision)) {
      if (!isMended && (await repairProjectionIfStale(this.#ports, stored.row, resident.flow)))
        return this.reconcile(resident, unit, true);
      resident.state = "idle";
      // The change of this unit may not have reached the projection.
      resident.dueAt = stored.row.dueAt;
      void repairProjectionIfFinished(this.#ports, stored.row, resident.flow);
      resident.inbox.unshift(...resident.withheldCommands.splice(0));
      if (unit) this.#turns.announce(unit);
      if (unit) this.#turns.carryOut(unit);
      return this.#turns.wake(resident);
    }
    const restored = isOurs ? rehydrateOrLog(stored, this.#ports.logger) : undefined;
    if (restored && !isMended && (await repairProjectionIfStale(this.#ports, restored.row, restored.flow)))
      return this.reconcile(resident, unit, true);
    this.#turns.dispatcher.release(calls);
    // Also for a new taskflow whose id was taken by another one.
    if (restored?.flow.idBase !== idBase) {
      this.#settleCommands(unit, wasStored);
      this.#turns.drop(resident);
      // In its place a sweep has passed over the parked one that has the id.
      if (restored) this.#turns.leftOnDisk(restored.row.dueAt);
      return;
    }
    const { eventTreeLimit } = this.#settings;
    resident.cancelTimers();
    resident.replace(restored.flow, eventTreeLimit, restored.row.dueAt);
    resident.factCount = factsIn(restored.entries);
    announceSince(this.#ports.bus, restored.entries, restored.flow, unit ? unit.firstSeq - 1 : seq, eventTreeLimit);
    resident.state = "idle";
    if (wasStored) this.#settleCommands(unit, true);
    resident.inbox = [...(unit?.inputs.filter(({ kind }) => !wasStored || kind !== "command") ?? []), ...resident.pendingInputs];
    resident.withheldCommands = [];
    // Until its fence is stored, a former owner's write may still land behind the end.
    const isReopened = restored.flow.fence !== fence || resident.inbox.some(({ kind }) => kind === "command");
    if (isOver(restored.flow) && !isReopened) {
      void repairProjectionIfFinished(this.#ports, restored.row, restored.flow);
      this.#settleCommands(unit, wasStored);
      return this.#turns.drop(resident);
    }
    const waiting = resident.inbox.filter(({ kind }) => kind !== "recover");
    resident.inbox = [];
    const inFlight = resident.awaited();
    const recover = { kind: "recover", fence, inFlight, ...(isReopened ? { isReopened } : {}) } as const;
    // A new owner records its fence first. Otherwise answers go first: the attempts that they
    // settle are not in flight.
    this.#turns.give(resident, ...(restored.flow.fence === fence ? [...waiting, recover] : [recover, ...waiting]));
  }

  /** Commands of a unit that is not carried out here: answered if it was stored, else lost. */
  #settleCommands(unit: UnitOfWork | undefined, wasStored: boolean): void {
    if (!unit) return;
    if (wasStored) this.#commands.give(unit.answers);
    this.#commands.lose(unit.inputs);
  }

  /** The stored state, read while this coordinator held its lease throughout. */
  async #readUnderLease(taskflowId: string): Promise<StoredTaskflow | undefined> {
    for (;;) {
      const leaseLapses = this.#turns.leaseLapses;
      const stored = await readPatiently(this.#ports, taskflowId, () => this.#turns.isStopped);
      if (this.#turns.isStopped || leaseLapses === this.#turns.leaseLapses) return stored;
    }
  }
}

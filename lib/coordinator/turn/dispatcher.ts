import { actionNameOf } from "../../core/model/action-name.ts";
import { latestAttempt } from "../../core/model/flow.ts";
import type { Router } from "../../core/execution/dispatch.ts";
import type { Task } from "../../core/model/flow.ts";
import { type Gate, OPEN_GATE } from "../flow-control/pause-rules.ts";
import type { Resident } from "./resident.ts";

/**
 * Bounds what is in flight, and remembers who waits: taskflows that found no free slot, in their order, those with a task that no node serves
 * now, and those with a task whose action is paused.
 */
export class Dispatcher implements Router {
  readonly #maxInFlight: number;
  readonly #nodeFor: (action: string, preferred?: string) => string | undefined;
  readonly #gate: Gate;
  readonly #queued = new Set<Resident>();
  readonly #starved = new Set<Resident>();
  readonly #gated = new Set<Resident>();
  #inFlight = 0;
  /** The taskflow that is being decided, and the actions that were found to be offered nowhere. */
  #deciding: Resident | undefined;
  readonly #unserved = new Set<string>();

  constructor(maxInFlight: number, nodeFor: (action: string, preferred?: string) => string | undefined, gate = OPEN_GATE) {
    this.#maxInFlight = maxInFlight;
    this.#nodeFor = nodeFor;
    this.#gate = gate;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The router for one decision about a taskflow; `admit` follows it. */
  routerFor(resident: Resident): Router {
    this.forget(resident);
    this.#deciding = resident;
    this.#unserved.clear();
    return this;
  }

  /** Takes the slots of the attempts that the decision sends. Each is given back by `release`. */
  admit(resident: Resident, sent: number): void {
    const { due, repeats } = resident.flow;
    if (this.#unserved.size > 0) this.#starved.add(resident);
    if (sent >= this.free && due.size + repeats.size > 0) this.#queued.add(resident);
    this.#inFlight += sent;
  }

  get free(): number {
    return this.#maxInFlight - this.#inFlight;
  }

  route(task: Task): string | undefined {
    const action = actionNameOf(task.definition.taskDetails);
    if (this.#unserved.has(action)) return undefined;
    if (this.#gate.ruleFor(action)) {
      this.#gated.add(this.#deciding as Resident);
      return undefined;
    }
    // A repeated delivery goes to the node of the first one, if it is there: it may remember.
    const before = task.status === "RUNNING" ? latestAttempt(task).nodeID : null;
    const node = this.#nodeFor(action, before ?? undefined);
    if (node === undefined) this.#unserved.add(action);
    return node;
  }

  release(slots: number): void {
    this.#inFlight -= slots;
  }

  get hasNext(): boolean {
    return this.#inFlight < this.#maxInFlight && this.#firstQueued(1).length > 0;
  }

  /** The taskflows that may have a slot now, in the order in which they began to wait. */
  next(): Resident[] {
    return this.#firstQueued(this.free);
  }

  /** Those of which something is on its way to or from the store have their turn when it is there: nobody waits behind them. */
  #firstQueued(limit: number): Resident[] {
    const chosen: Resident[] = [];
    for (const resident of this.#queued) {
      if (chosen.length >= limit) break;
      if (resident.state === "idle") chosen.push(resident);
    }
    return chosen;
  }

  /** The taskflows that wait for a worker. */
  get starved(): ReadonlySet<Resident> {
    return this.#starved;
  }

  /** The taskflows that wait for a rule to be lifted. */
  get gated(): ReadonlySet<Resident> {
    return this.#gated;
  }

  forget(resident: Resident): void {
    this.#queued.delete(resident);
    this.#starved.delete(resident);
    this.#gated.delete(resident);
  }
}

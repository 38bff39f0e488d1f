import { actionNameOf } from "../../core/model/action-name.ts";
import { latestAttempt } from "../../core/journal/apply.ts";
import { dispatchable, type Pick } from "../../core/decide.ts";
import type { Task } from "../../core/model/flow.ts";
import { type Gate, OPEN_GATE } from "../flow-control/pause-rules.ts";
import type { Resident } from "./resident.ts";

/**
 * Bounds what is in flight, and remembers who waits: taskflows that found no free slot, in their order, those with a task that no node serves
 * now, and those with a task whose action is paused.
 */
export class Dispatcher {
  readonly #maxInFlight: number;
  readonly #route: (action: string, preferred?: string) => string | undefined;
  readonly #gate: Gate;
  readonly #queued = new Set<Resident>();
  readonly #starved = new Set<Resident>();
  readonly #gated = new Set<Resident>();
  #inFlight = 0;

  constructor(maxInFlight: number, route: (action: string, preferred?: string) => string | undefined, gate = OPEN_GATE) {
    this.#maxInFlight = maxInFlight;
    this.#route = route;
    this.#gate = gate;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes slots for the tasks of a taskflow that can be sent now. Each is given back by `release`. */
  admit(resident: Resident): Pick[] {
    const { flow } = resident;
    this.#queued.delete(resident);
    this.#starved.delete(resident);
    this.#gated.delete(resident);
    if (flow.due.size + flow.repeats.size === 0) return [];
    const unserved = new Set<string>();
    const route = (task: Task): string | undefined => {
      const action = actionNameOf(task.definition.taskDetails);
      if (unserved.has(action)) return undefined;
      if (this.#gate.ruleFor(action)) {
        this.#gated.add(resident);
        return undefined;
      }
      // What was delivered before goes to the same node, if it is there: it may remember.
      const before = task.status === "RUNNING" ? latestAttempt(task).nodeID : null;
      const node = this.#route(action, before ?? undefined);
      if (node === undefined) unserved.add(action);
      return node;
    };
    const free = this.#maxInFlight - this.#inFlight;
    const picks = dispatchable(flow, free, route);
    this.#inFlight += picks.length;
    if (unserved.size > 0) this.#starved.add(resident);
    if (picks.length >= free && flow.due.size + flow.repeats.size > picks.length) this.#queued.add(resident);
    return picks;
  }

  release(slots: number): void {
    this.#inFlight -= slots;
  }

  get hasNext(): boolean {
    return this.#inFlight < this.#maxInFlight && this.#firstQueued(1).length > 0;
  }

  /** The taskflows that may have a slot now, in the order in which they began to wait. */
  next(): Resident[] {
    return this.#firstQueued(this.#maxInFlight - this.#inFlight);
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

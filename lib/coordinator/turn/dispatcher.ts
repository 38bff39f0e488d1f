import type { Router } from "../../core/execution/dispatch.ts";
import type { Flow, Task } from "../../core/model/flow.ts";
import type { Resolution } from "../../core/model/resolution.ts";
import { resolvePlain } from "../../definitions/evaluation.ts";
import { targetOf } from "../../core/model/task-type.ts";
import type { Dispatch } from "../../ports/dispatch.ts";
import type { KnownTaskTypes } from "../../ports/task-types.ts";
import { type Gate, OPEN_GATE } from "../flow-control/pause-rules.ts";
import type { Resident } from "./resident.ts";
import type { CoordinatorSettings } from "./settings.ts";

type DispatcherLimits = Pick<CoordinatorSettings, "maxInFlight" | "paramsBytes">;

/**
 * Bounds the attempts in flight, and remembers the taskflows that wait: those without a free slot,
 * in their order, those with a task that no node serves now, and those with a paused action.
 */
export class Dispatcher implements Router {
  readonly #maxInFlight: number;
  readonly #paramsBytes: number;
  readonly #gate: Gate;
  readonly #queued = new Set<Resident>();
  readonly #starved = new Set<Resident>();
  readonly #gated = new Set<Resident>();
  #inFlight = 0;
  /** The taskflow that is being decided, and the targets without a worker. */
  #deciding: Resident | undefined;
  readonly #unserved = new Map<string, Dispatch>();
  readonly types: KnownTaskTypes;

  constructor({ maxInFlight, paramsBytes }: DispatcherLimits, types: KnownTaskTypes, gate = OPEN_GATE) {
    this.#maxInFlight = maxInFlight;
    this.#paramsBytes = paramsBytes;
    this.types = types;
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
    if (this.#unserved.size > 0) this.#starved.add(resident);
    this.#inFlight += sent;
  }

  get free(): number {
    return this.#maxInFlight - this.#inFlight;
  }

  route(task: Task, preferred?: string): string | undefined {
    const target = targetOf(this.types, task);
    const dispatch = this.types.dispatchOf(task);
    if (this.#unserved.get(target) === dispatch) return undefined;
    if (this.#gate.ruleFor(target)) {
      this.#gated.add(this.#deciding as Resident);
      return undefined;
    }
    const node = dispatch.route(target, preferred);
    if (node === undefined) this.#unserved.set(target, dispatch);
    return node;
  }

  processOf(task: Task, node: string): string | undefined {
    return this.types.dispatchOf(task).processOf?.(node);
  }

  resolve(flow: Flow, task: Task): Resolution | "later" | undefined {
    return resolvePlain(flow, task, this.types.typeOf(task), this.#paramsBytes);
  }

  full(): void {
    this.#queued.add(this.#deciding as Resident);
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

  /** A taskflow with a pending read or write has its turn later: no other waits behind it. */
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

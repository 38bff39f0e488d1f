import { EventWriter } from "../../core/views/events.ts";
import { keepTurnedAway } from "../../core/execution/turned-away.ts";
import { mayAnswerLate } from "../../core/execution/task.ts";
import type { Listening } from "./late-listening.ts";
import { type Flow, taskAt } from "../../core/model/flow.ts";
import type { Input } from "../../core/execution/inputs.ts";

/** An attempt that was sent and has not ended. */
interface Pending {
  readonly attempt: number;
  readonly delivery: number;
  /** Ends its watch over the attempt's timeout. */
  cancelTimeout: () => void;
  /** Begins the watch anew; answers what ends it. */
  readonly watch: () => () => void;
  /** It takes one of the coordinator's slots. While its nested taskflows run it takes none. */
  hasSlot: boolean;
  readonly sentAt: number;
  /** The handler's last heartbeat. */
  heardAt: number | null;
}

/** A taskflow of so many tasks may have twice as many facts before it is compacted, and so on. */
const LARGE_FLOW = 1_000;

/** The calls of `produce` that wait for their taskflow to be stored. */
export class Creation {
  /** The definition's JSON text. */
  readonly text: string;
  readonly #waiting: { readonly stored: (existing: boolean) => void; readonly failed: (error: unknown) => void }[] = [];

  constructor(text: string) {
    this.text = text;
  }

  wait(stored: (existing: boolean) => void, failed: (error: unknown) => void): void {
    this.#waiting.push({ stored, failed });
  }

  /** @param existing the id was taken */
  stored(existing: boolean): void {
    for (const { stored } of this.#waiting.splice(0)) stored(existing);
  }

  failed(error: unknown): void {
    for (const { failed } of this.#waiting.splice(0)) failed(error);
  }
}

/**
 * A taskflow in its coordinator's memory, with its mailbox: inputs wait here and are decided
 * together, in order, one commit at a time.
 *
 * - idle: nothing waits.
 * - dirty: it is in the coordinator's list and is decided in the next turn.
 * - committing: decided and not stored yet; inputs wait.
 * - reading: its commit failed; it is read again before anything else.
 * - gone: finished, parked, or owned by another coordinator; inputs are dropped.
 */
export class Resident {
  flow: Flow;
  /**
   * The fence under which this coordinator owns it. `flow.fence` is an earlier owner's until this
   * one has stored that it continues.
   */
  readonly fence: number;
  writer: EventWriter;
  state: "idle" | "dirty" | "committing" | "reading" | "gone" = "idle";
  inbox: Input[] = [];
  creation: Creation | undefined;
  /** Facts in its journal since the snapshot. */
  factCount = 0;
  /**
   * Decided commands whose answers wait until it is certain that this coordinator still owns the
   * taskflow.
   */
  withheldCommands: Input[] = [];
  /** As its row says it once all that was decided is stored. */
  dueAt: number;
  /** It is gone because nothing happens to it for long. */
  isParked = false;
  readonly pending = new Map<number, Pending>();
  readonly #timers = new Set<() => void>();
  readonly #listening = new Set<Listening>();
  readonly #watchers = new Set<(last: Flow | undefined) => void>();

  /** @param fence under which it is this coordinator's; its journal may not know yet */
  constructor(flow: Flow, eventTreeLimit: number, fence: number = flow.fence, dueAt = 0) {
    this.flow = flow;
    this.fence = fence;
    this.dueAt = dueAt;
    this.writer = new EventWriter(flow, eventTreeLimit);
  }

  /** Another state of the same taskflow, read from the store. */
  replace(flow: Flow, eventTreeLimit: number, dueAt: number): void {
    keepTurnedAway(this.flow, flow);
    this.flow = flow;
    this.dueAt = dueAt;
    this.writer = new EventWriter(flow, eventTreeLimit);
  }

  /** Counts facts that were stored; true if the journal is much longer than its state by now. */
  hasOutgrown(facts: number, compactAfter: number): boolean {
    this.factCount += facts;
    return this.factCount > compactAfter * (1 + this.flow.tasks.length / LARGE_FLOW);
  }

  /** Inputs that nothing has come of yet. */
  get pendingInputs(): Input[] {
    return [...this.withheldCommands, ...this.inbox];
  }

  /**
   * Resolves with true once it is stored, by this coordinator or another; rejects if that is
   * unknown.
   */
  whenStored(): Promise<boolean> {
    const { creation } = this;
    if (!creation) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void => reject(error instanceof Error ? error : new Error(String(error)));
      creation.wait(() => resolve(true), failed);
    });
  }

  /** Attempts that take a slot of the coordinator. */
  get slots(): number {
    let slots = 0;
    for (const { hasSlot } of this.pending.values()) if (hasSlot) slots++;
    return slots;
  }

  /** True if nothing of it is under way, and nothing happens to it before that time. */
  restsUntil(time: number): boolean {
    const { state, pendingInputs, pending, dueAt } = this;
    return dueAt > time && state === "idle" && pendingInputs.length === 0 && pending.size === 0;
  }

  /**
   * Tasks whose latest delivery will still be answered here. A delivery that is stored and was not
   * sent will not, whatever happened to earlier ones.
   */
  awaited(): Set<number> {
    const tasks = new Set<number>();
    const addLatest = (task: number, attempt: number, delivery: number): void => {
      const latest = taskAt(this.flow, task)?.attempts.at(-1);
      if (latest?.attempt === attempt && latest.deliveries === delivery) tasks.add(task);
    };
    for (const [task, { attempt, delivery }] of this.pending) addLatest(task, attempt, delivery);
    return tasks;
  }

  /** Keeps what cancels a timer; returns what forgets it. */
  keepTimer(cancel: () => void): () => void {
    this.#timers.add(cancel);
    return () => this.#timers.delete(cancel);
  }

  /** Listens for the answer to a delivery as long as the taskflow is here. */
  keepListening(listening: Listening): void {
    this.#listening.add(listening);
  }

  /** The answer has come. */
  forgetListening(listening: Listening): void {
    this.#listening.delete(listening);
  }

  /** Takes out the listening for answers that count after the taskflow has left. */
  takeLate(): Listening[] {
    const late = Array.from(this.#listening).filter(({ task, attempt }) => mayAnswerLate(this.flow, task, attempt));
    for (const listening of late) this.#listening.delete(listening);
    return late;
  }

  cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /**
   * Calls back once it is gone, with its last stored state if that is known. Returns a function
   * that ends the watch.
   */
  onGone(watcher: (last: Flow | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Lets go of everything. */
  leave(): void {
    // Whatever was decided before it is read again may never have been stored.
    const last = this.state === "reading" ? undefined : this.flow;
    this.state = "gone";
    this.inbox = [];
    this.withheldCommands = [];
    this.cancelTimers();
    for (const { end } of this.#listening) end();
    this.#listening.clear();
    for (const { cancelTimeout } of this.pending.values()) cancelTimeout();
    this.pending.clear();
    for (const watcher of this.#watchers) watcher(last);
    this.#watchers.clear();
  }
}

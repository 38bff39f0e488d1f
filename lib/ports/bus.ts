/**
 * The bus's port: how the coordinator reaches workers and subscribers.
 *
 * A bus may lose, delay, double and reorder everything without telling. A reply is a hint, and the store is the truth: the coordinator times
 * attempts itself and takes every outcome as it comes.
 */
import type { CommandResult, CommandRequest } from "../core/model/command.ts";
import type { JsonText } from "../core/model/values.ts";
import type { Outcome, OutcomeReply } from "../core/execution/inputs.ts";

export interface Call {
  /** `[v<version>.]serviceId.actionName`. */
  readonly action: string;
  /** The node it goes to: stored before it is sent. */
  readonly node: string;
  /** Never changed by the bus, nor by a worker in the same process. */
  readonly params: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  /** The execution context. */
  readonly context: JsonText;
  readonly taskflowId: string;
  readonly stageId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly delivery: number;
  readonly fence: number;
  readonly idempotencyKey: string;
  /** How long an answer is listened for, in ms; longer than the attempt's timeout, for late answers. */
  readonly listenMs: number;
}

export interface EventMessage {
  readonly taskflowId: string;
  /** Of the Moleculer event, without its prefix `taskflow.`: `task.success`. */
  readonly topic: string;
  /** The same of a further Moleculer event with this text. */
  readonly also: string | undefined;
  /** The event as JSON: its own piece, then one that it shares with those announced beside it. */
  readonly text: string;
  readonly own: string;
  readonly shared: string;
}

/** Asks for the outcome of an attempt of which nothing is heard. */
export interface OutcomeQuery {
  /** The action that the attempt called. */
  readonly action: string;
  /** The node that it was sent to. */
  readonly node: string;
  /** `taskflowId:taskId:attempt`. */
  readonly key: string;
  /** The latest delivery: with `never` it and those before it are refused for good. */
  readonly delivery: number;
  /** How long ago the attempt was first sent (its `startedAt`), by the store's clock; more is safe, less is not. */
  readonly ageMs: number;
  /** How long to go on asking while nobody answers. */
  readonly patienceMs: number;
}

/**
 * What `ask` may say of an attempt:
 *
 * - `done`: with its outcome.
 * - `running`: the worker is at it. When it ends it reports the outcome, until a coordinator has acknowledged it; the answer of the call may be lost.
 * - `interrupted`: it had begun, and its process died in the middle of it.
 * - `never`: for certain it has not begun, and no delivery up to the one asked about ever will: it may be delivered again as the same attempt. Only a ledger
 *   that remembers everything since the attempt was first sent says so, whichever process it is read by.
 * - `silent`: nobody can tell: there is no ledger, it is gone, it does not reach back so far, or nobody answered in time.
 */
export type { OutcomeReply as Reply } from "../core/execution/inputs.ts";

export interface Bus {
  /** The node that the next call of the action would go to, `preferred` if it offers it; undefined if no node offers it now. */
  route(action: string, preferred?: string): string | undefined;

  /**
   * Sends one delivery of an attempt. `done` is called once, never synchronously, with how it ended; after `listenMs` at the latest. It is not called for a
   * delivery that the worker refuses because `never` was said of it: that tells nothing of the attempt.
   *
   * Returns what ends the listening: `done` need not be called any more.
   */
  call(call: Call, done: (outcome: Outcome) => void): () => void;

  /** May an execution context of so many characters travel by value to the node? Asked past 64 Ki only. */
  carries(action: string, node: string, length: number): boolean;

  /**
   * Asks the node that an attempt was sent to, or another one that shares its ledger, until one answers or `patienceMs` is over (also while the bus is down).
   * `done` is called once, never synchronously; not at all once the bus is closed or the returned function was called.
   */
  queryOutcome(question: OutcomeQuery, done: (reply: OutcomeReply) => void): () => void;

  /** Tells the node that nobody waits for the attempt any more. It may be lost. Never throws. */
  abort(node: string, key: string): void;

  /**
   * Passes an order on to the coordinator of that node, which answers when it is stored; `not-mine`: it does not have the taskflow. `unheard`: no answer came in
   * time, and nobody knows whether it was carried out. Rejects only where the order does not fit into a message: then it was not sent.
   */
  forward(node: string, taskflowId: string, order: CommandRequest): Promise<CommandResult | "not-mine" | "unheard">;

  /**
   * Calls the listener when this node's own link to the bus is back after a loss: answers that were under way will not come. Returns what
   * ends it.
   */
  onReconnected(listener: () => void): () => void;

  /** True if somebody could see an event; if not, none need be made. */
  hasAudience(): boolean;

  /** Announces an event: to the taskflow's subject, in order, and as a Moleculer event to who listens for it. Never throws. */
  announce(event: EventMessage): void;

  /** Calls the listener whenever actions may have appeared. Returns what ends it. */
  onWorkersChanged(listener: () => void): () => void;
}

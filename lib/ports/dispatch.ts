/**
 * The dispatch's port: how attempts of one task type reach whoever does the work. The bus is that of
 * ACTION; a type of your own may bring another.
 *
 * A dispatch may lose, delay, double and reorder everything without telling. What it says is a hint,
 * and the store is the truth: the coordinator times attempts itself and takes every outcome as it
 * comes.
 */
import type { Outcome, OutcomeReply } from "../core/execution/inputs.ts";
import type { JsonText } from "../core/model/values.ts";
import type { TypedTask } from "../core/model/task-type.ts";

/** One delivery of an attempt. */
export interface Call {
  /** Who is to do it, as the type names it: for an ACTION `[v<version>.]serviceId.actionName`. */
  readonly target: string;
  /** The node it goes to: stored before it is sent. */
  readonly node: string;
  /** As the task's definition has them; never to be changed. */
  readonly taskDetails: unknown;
  /** Never to be changed, by a worker in the same process neither. */
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

/** Asks for the outcome of an attempt of which nothing is heard. */
export interface OutcomeQuery {
  /** The target of the attempt. */
  readonly target: string;
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
 * What `queryOutcome` may say of an attempt:
 *
 * - `done`: with its outcome.
 * - `running`: the worker is at it. When it ends it reports the outcome, until a coordinator has acknowledged it; the answer of the call may be lost.
 * - `interrupted`: it had begun, and its process died in the middle of it.
 * - `never`: for certain it has not begun, and no delivery up to the one asked about ever will: it may be delivered again as the same attempt. Only a ledger
 *   that remembers everything since the attempt was first sent says so, whichever process it is read by.
 * - `silent`: nobody can tell: there is no ledger, it is gone, it does not reach back so far, or nobody answered in time.
 */
export type { OutcomeReply as Reply } from "../core/execution/inputs.ts";

/** Reaches whoever does the work of one type. */
export interface Dispatch {
  /** The node that the next attempt would go to, `preferred` if it does such work; undefined if none does now. */
  route(target: string, preferred?: string): string | undefined;

  /** How many nodes do such work now. */
  offers(target: string): number;

  /**
   * Sends one delivery of an attempt. `done` is called once, never synchronously, with how it ended; after `listenMs` at the latest. It is not called for a
   * delivery that the worker refuses because `never` was said of it: that tells nothing of the attempt.
   *
   * Returns what ends the listening: `done` need not be called any more.
   */
  call(call: Call, done: (outcome: Outcome) => void): () => void;

  /** May an execution context of so many characters travel by value to the node? Asked past 64 Ki only. */
  carries(target: string, node: string, length: number): boolean;

  /**
   * Asks the node that an attempt was sent to, or another one that shares its ledger, until one answers or `patienceMs` is over (also while the bus is down).
   * `done` is called once, never synchronously; not at all once the dispatch is closed or the returned function was called.
   */
  queryOutcome(question: OutcomeQuery, done: (reply: OutcomeReply) => void): () => void;

  /** Tells the node that nobody waits for the attempt any more. It may be lost. Never throws. */
  abort(node: string, key: string): void;
}

/** The dispatch of each type that a coordinator knows. */
export interface Dispatches {
  /** Never undefined: for a task whose type sends nothing it finds nobody. */
  dispatchOf(task: TypedTask): Dispatch;
}

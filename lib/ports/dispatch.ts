/**
 * The dispatch's port: how attempts of one task type reach their workers. The bus is the dispatch
 * of ACTION; a user's type may bring its own.
 *
 * A dispatch may silently lose, delay, duplicate and reorder everything. Its reports are hints, and
 * the store is the truth: the coordinator times attempts itself and accepts outcomes in any order.
 */
import type { Outcome, OutcomeReply } from "../core/execution/inputs.ts";
import type { JsonText } from "../core/model/values.ts";
import type { TypedTask } from "../core/model/task-type.ts";

/** One delivery of an attempt. */
export interface Call {
  /** The target as the type names it; for an ACTION `[v<version>.]serviceId.actionName`. */
  readonly target: string;
  /** The node to send to; it was stored before. */
  readonly node: string;
  /** From the task's definition. Must not be changed. */
  readonly taskDetails: unknown;
  /** Must not be changed, not even by a worker in the same process. */
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
  /** How long to wait for an answer, in ms; longer than the attempt's timeout, for late answers. */
  readonly listenMs: number;
}

/** Asks for the outcome of a silent attempt. */
export interface OutcomeQuery {
  /** The target of the attempt. */
  readonly target: string;
  /** The node that it was sent to. */
  readonly node: string;
  /** The process of that node, as `processOf` named it then; absent: unknown. */
  readonly process?: string;
  /** `taskflowId:taskId:attempt`. */
  readonly key: string;
  /**
   * The latest delivery: after the reply `never`, it and all earlier ones are rejected for good.
   */
  readonly delivery: number;
  /**
   * Time since the attempt was first sent (its `startedAt`), by the store's clock; more is safe,
   * less is not.
   */
  readonly ageMs: number;
  /** How long to repeat the query without a reply. */
  readonly patienceMs: number;
}

/**
 * The reply to `queryOutcome`:
 *
 * - `done`: with the outcome.
 * - `running`: the worker is running the attempt. When it ends, the worker reports the outcome
 *   until a coordinator has acknowledged it; the answer of the call itself may be lost.
 * - `interrupted`: the attempt had started, and its process died while it ran.
 * - `never`: the attempt certainly has not started, and no delivery up to the given one ever will:
 *   it may be delivered again as the same attempt. Only the very process that the latest delivery
 *   went to may give this reply, and only if its ledger goes back to the first delivery.
 * - `silent`: the outcome is unknown: there is no ledger, it is lost, it does not go back far
 *   enough, or no worker replied in time.
 */
export type { OutcomeReply as Reply } from "../core/execution/inputs.ts";

/** Reaches the workers of one task type. */
export interface Dispatch {
  /**
   * The node for the next attempt: `preferred` if it serves the target; undefined if no node serves
   * it now.
   */
  route(target: string, preferred?: string): string | undefined;

  /** Names the process that runs a node now; undefined: unknown. A restarted node has another. */
  processOf?(node: string): string | undefined;

  /** Number of nodes that serve the target now. */
  offers(target: string): number;

  /**
   * Sends one delivery of an attempt. Calls `done` once, never synchronously, with its end; after
   * `listenMs` at the latest. Does not call it for a delivery that the worker rejects after the
   * reply `never`: that says nothing about the attempt.
   *
   * Returns a function that stops listening: `done` need not be called after that.
   */
  call(call: Call, done: (outcome: Outcome) => void): () => void;

  /**
   * Whether an execution context of this length may travel by value to the node. Called above 64 Ki
   * only.
   */
  carries(target: string, node: string, length: number): boolean;

  /**
   * Asks the node of the attempt, or another one that shares its ledger, until one replies or
   * `patienceMs` is over (also while the bus is down). Calls `done` once, never synchronously; not
   * at all once the dispatch is closed or the returned function was called.
   */
  queryOutcome(query: OutcomeQuery, done: (reply: OutcomeReply) => void): () => void;

  /** Asks the node to abort the attempt. May be lost. Never throws. */
  abort(node: string, key: string): void;
}

/** The dispatches of all types that a coordinator knows. */
export interface Dispatches {
  /** Never undefined: the dispatch of a type that sends nothing finds no node. */
  dispatchOf(task: TypedTask): Dispatch;
}

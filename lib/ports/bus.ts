/**
 * The bus's port: how the coordinator reaches workers and subscribers.
 *
 * A bus may lose, delay, double and reorder everything without telling. A reply is a hint, and the store is the truth: the coordinator times
 * attempts itself and takes every outcome as it comes.
 */
import type { JsonText } from "../core/flow.ts";
import type { Outcome } from "../core/inputs.ts";

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
  /** The event as JSON. */
  readonly text: string;
}

export interface Bus {
  /** The node that the next call of the action would go to; undefined if no node offers it now. */
  route(action: string): string | undefined;

  /** Sends one delivery of an attempt. `done` is called once, never synchronously, with how it ended; after `listenMs` at the latest. */
  call(call: Call, done: (outcome: Outcome) => void): void;

  /** True if somebody could see an event; if not, none need be made. */
  hasAudience(): boolean;

  /** Announces an event: to the taskflow's subject, in order, and as a Moleculer event to who listens for it. Never throws. */
  announce(event: EventMessage): void;

  /** Calls the listener whenever actions may have appeared. Returns what ends it. */
  onWorkersChanged(listener: () => void): () => void;
}

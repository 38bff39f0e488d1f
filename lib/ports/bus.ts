/**
 * The bus's port: how coordinators reach one another and their subscribers, and, as the dispatch of ACTION, the workers. It may lose, delay, double and reorder
 * everything without telling.
 */
import type { CommandResult, CommandRequest } from "../core/model/command.ts";
import type { Dispatch } from "./dispatch.ts";

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

export interface Bus extends Dispatch {
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

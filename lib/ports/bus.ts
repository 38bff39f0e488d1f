/**
 * The bus's port: how coordinators reach each other, their subscribers and, as the dispatch of
 * ACTION, the workers. It may silently lose, delay, duplicate and reorder everything.
 */
import type { CommandResult, CommandRequest } from "../core/model/command.ts";
import type { Dispatch } from "./dispatch.ts";

export interface EventMessage {
  readonly taskflowId: string;
  /** Name of the Moleculer event without its prefix `taskflow.`, such as `task.success`. */
  readonly topic: string;
  /** Topic of a second Moleculer event with the same text. */
  readonly also: string | undefined;
  /** The event as JSON: its own piece, then the piece shared with the events of the same commit. */
  readonly text: string;
  readonly own: string;
  readonly shared: string;
}

export interface Bus extends Dispatch {
  /**
   * Forwards a command to the coordinator of that node, which answers once its facts are stored.
   * `not-mine`: it does not have the taskflow. `unanswered`: no answer arrived in time, and the
   * outcome is unknown. Rejects only if the command exceeds a message: then it was not sent.
   */
  forward(node: string, taskflowId: string, request: CommandRequest): Promise<CommandResult | "not-mine" | "unanswered">;

  /**
   * Calls the listener when this node's own link to the bus is back after a loss: answers in flight
   * are lost. Returns a function that removes the listener.
   */
  onReconnected(listener: () => void): () => void;

  /** False if nothing could receive an event, so that none need be written. */
  hasAudience(): boolean;

  /**
   * Announces an event on the taskflow's subject, in order, and as a Moleculer event to its
   * listeners. Never throws.
   */
  announce(event: EventMessage): void;

  /**
   * Calls the listener whenever actions may have appeared. Returns a function that removes the
   * listener.
   */
  onWorkersChanged(listener: () => void): () => void;
}

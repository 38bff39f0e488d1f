/** Task types with how their work is done: what a coordinator is made of. */
import type { TaskType, TaskTypes } from "../core/model/task-type.ts";
import type { Bus } from "./bus.ts";
import type { Dispatch, Dispatches } from "./dispatch.ts";

/** A task type whose attempts are sent to somebody: `begin` may be `send`. */
export interface SendingTaskType<Details = unknown> extends TaskType<Details> {
  /** Called once for each coordinator. */
  readonly dispatch: (ports: DispatchPorts) => Dispatch;
}

/** What the dispatch of a type is made of. */
export interface DispatchPorts {
  readonly bus: Bus;
  /** The coordinator's own node. */
  readonly nodeID: string;
}

/** The types that a coordinator knows, each with its dispatch. */
export type KnownTaskTypes = TaskTypes & Dispatches;

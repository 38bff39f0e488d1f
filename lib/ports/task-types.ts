/** Task types together with their dispatches, as a coordinator needs them. */
import type { TaskType, TaskTypes } from "../core/model/task-type.ts";
import type { Bus } from "./bus.ts";
import type { Dispatch, Dispatches } from "./dispatch.ts";

/** A task type whose attempts are sent to workers: `begin` may return `send`. */
export interface SendingTaskType<Details = unknown> extends TaskType<Details> {
  /** Called once by each coordinator. */
  readonly dispatch: (ports: DispatchPorts) => Dispatch;
}

/** The ports that a dispatch may use. */
export interface DispatchPorts {
  readonly bus: Bus;
  /** The coordinator's own node. */
  readonly nodeID: string;
}

/** The types that a coordinator knows, each with its dispatch. */
export type KnownTaskTypes = TaskTypes & Dispatches;

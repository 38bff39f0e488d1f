/**
 * The state of a taskflow as it stands in a snapshot: what differs from one that was just built.
 */
import type { CommandResult } from "../model/command.ts";
import type { Child, Flow, Stage, Task } from "../model/flow.ts";
import type { TaskDefinition } from "../model/values.ts";

// A new field of the state does not compile until it stands in one of the lists of its kind.
type OfCreation =
  | ("taskflowId" | "idBase" | "name" | "definition" | "meta" | "options" | "rootId" | "parent" | "parentContext" | "depth")
  | ("createdAt" | "copiedAt");
type Derived = "revision" | "isFollowing" | "turnedAway" | "deadlines" | "childCount";
type Parts = "stages" | "tasks" | "undo" | "children" | "awaiting" | "commands" | "annotations" | "due" | "repeats";
export type FlowField = Exclude<keyof Flow, OfCreation | Derived | Parts>;
export type StageField = Exclude<keyof Stage, "index" | "name" | "options" | "when" | "tasks">;
export type TaskField = Exclude<
  keyof Task,
  "ordinal" | "stage" | "index" | "undoes" | "undo" | "children" | "activeChildren" | "options" | "definition" | "resolved"
>;

/** The state of a taskflow without its stages and tasks. */
export interface FlowState extends Partial<Pick<Flow, FlowField>> {
  readonly awaiting?: readonly number[];
  readonly commands?: readonly (readonly [string, CommandResult])[];
  readonly annotations?: Flow["annotations"];
  readonly due?: readonly number[];
  readonly repeats?: readonly number[];
  readonly children?: readonly ChildState[];
}

export interface StageState extends Partial<Pick<Stage, StageField>> {
  /** The number of stages: that of the compensations. */
  readonly stage: number;
}

export type Replaced = Partial<Pick<TaskDefinition, "params" | "taskDetails" | "options">>;

export interface TaskState extends Partial<Pick<Task, TaskField>> {
  readonly ordinal: number;
  /** Members of its definition that are not those of the taskflow's. */
  readonly definition?: Replaced;
  /** Members that its templates gave. */
  readonly resolved?: Replaced;
}

export interface ChildState extends Omit<Child, "task"> {
  readonly task: number;
  /** Its place in the order of the taskflow's; absent: another task has it now. */
  readonly place?: number;
}

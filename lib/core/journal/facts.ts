/**
 * Facts: everything that can happen to a taskflow, as it stands in its journal. `decide` makes them, `apply` carries them out,
 * and replaying all of them gives the taskflow again. A fact that changes a status is also an event, and takes the next `seq`.
 */
import type { EffectiveOptions } from "../../../schemas/options.ts";
import type { Options } from "../../../schemas/options.ts";
import type { CommandResult } from "../model/command.ts";
import type { Pause, Parent } from "../model/flow.ts";
import type { StoredDefinition } from "../model/values.ts";
import type { TaskError } from "../model/values.ts";
import type { JsonText } from "../model/values.ts";
import type { TaskflowStatus } from "../model/values.ts";

/** The first fact of every journal, and event 1 (TASKFLOW WAITING). */
export interface Created {
  readonly kind: "created";
  readonly taskflowId: string;
  readonly idBase: string;
  /** The service's options of that time: a later change of configuration does not alter a live run. */
  readonly defaults: EffectiveOptions;
  /** The producer's meta. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly definition: StoredDefinition;
  /** Where it stands, if a task's handler produced it. */
  readonly nested?: Nested;
  /** It is a copy, with the history of another one up to this time: no worker knows the keys of the attempts before it. */
  readonly copiedAt?: number;
}

export interface Nested {
  readonly parent: Parent;
  readonly rootId: string;
  readonly depth: number;
  /** The parent task's execution context. */
  readonly context: unknown;
}

/** A coordinator drives the taskflow from here on. */
export interface Owned {
  readonly kind: "owned";
  readonly fence: number;
}

/** Event TASKFLOW. */
export interface FlowChanged {
  readonly kind: "flow";
  readonly status: "RUNNING" | "PAUSED" | "COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED";
  readonly reason?: string;
  readonly error?: TaskError;
  /** A new run begins: somebody decided so. */
  readonly run?: true;
}

/** Event STAGE. */
export interface StageChanged {
  readonly kind: "stage";
  readonly stage: number;
  /** RUNNING: only the chosen tasks of it become due. */
  readonly only?: true;
  /** WAITING: it is to run again. */
  readonly status: "WAITING" | "RUNNING" | "COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED" | "SKIPPED";
}

/** An attempt begins: it is about to be sent to a node, or was worked out (no node). Event TASK RUNNING. */
export interface Started {
  readonly kind: "started";
  readonly task: number;
  readonly attempt: number;
  readonly node?: string;
}

/** The running attempt is about to be sent once more, with the same number and key. No event. */
export interface Redelivered {
  readonly kind: "redelivered";
  readonly task: number;
  readonly node: string;
}

/** The only delivery of the running attempt never left, or was turned away unread: as if it had not been. Event TASK WAITING. */
export interface Withdrawn {
  readonly kind: "withdrawn";
  readonly task: number;
  /** Number of the attempt before it, at which the task stands again; 0 if there was none. */
  readonly attempt: number;
}

/** The same of a repeated delivery: the attempt is still out, and due again. No event. */
export interface Undelivered {
  readonly kind: "undelivered";
  readonly task: number;
}

/** An attempt failed and another one follows at `retryAt`. Event TASK WAITING. */
export interface Delayed {
  readonly kind: "delayed";
  readonly task: number;
  readonly retryAt: number;
  readonly error: TaskError;
  readonly response?: JsonText;
}

/** The task is done with. Event TASK. */
export interface Settled {
  readonly kind: "settled";
  readonly task: number;
  readonly status: "SUCCESS" | "FAILED" | "CANCELLED" | "SKIPPED";
  readonly response?: JsonText;
  readonly error?: TaskError;
  /** A failure that keeps the next stage from running. */
  readonly blocks?: true;
  /** A handler asked that the whole taskflow ends. */
  readonly abort?: true;
  /** A failure that a person is to decide about. */
  readonly awaits?: true;
  /** A person settled it: why. */
  readonly reason?: string;
}

/** A settled task is to run again. Event TASK WAITING. */
export interface Reset {
  readonly kind: "reset";
  readonly task: number;
  readonly inDoubt?: "verify" | "verify-or-fail";
  /** It never ran, and runs when its turn comes. */
  readonly follows?: true;
}

/** A task that never ran is to run though the stages before it block. No event. */
export interface Selected {
  readonly kind: "selected";
  readonly task: number;
  /** One by one: whatever its worker cannot tell, it runs. */
  readonly named?: true;
}

/** An answer of an attempt that was given up: kept, and nothing moves. No event. */
export interface LateResponse {
  readonly kind: "late-response";
  readonly task: number;
  readonly status: "SUCCESS" | "FAILED";
  readonly response?: JsonText;
  readonly error?: TaskError;
}

/** A person paused the taskflow (null: ended the pause). No event of its own. */
export interface Paused {
  readonly kind: "paused";
  readonly pause: Pause | null;
}

/** A task was given other params or options. No event. */
export interface Updated {
  readonly kind: "updated";
  readonly task: number;
  readonly params?: unknown;
  readonly options?: Options;
}

/** The handler of a running attempt produced a taskflow, or adopted one. No event. */
export interface Linked {
  readonly kind: "linked";
  readonly task: number;
  readonly child: string;
  readonly isChosen?: true;
}

/** A nested taskflow has ended, or runs again; null: it was never stored. No event. */
export interface ChildEnded {
  readonly kind: "child-ended";
  readonly child: string;
  readonly status: TaskflowStatus | null;
  /** The child's, when that was so. */
  readonly seq?: number;
}

/** A nested taskflow is to be cancelled, and its end does not count. No event. */
export interface ChildAbandoned {
  readonly kind: "child-abandoned";
  readonly child: string;
}

/** The running attempt was answered; its nested taskflows are waited for. No event. */
export interface Responded {
  readonly kind: "responded";
  readonly task: number;
  readonly response: JsonText;
}

/** What succeeded is undone, in this order: ordinals of the tasks that do it. No event of its own. */
export interface Compensating {
  readonly kind: "compensating";
  readonly tasks: readonly number[];
}

/** Nothing is left to undo. No event of its own. */
export interface Compensated {
  readonly kind: "compensated";
  readonly status: "COMPLETED" | "FAILED";
}

/** No event. */
export interface Annotated {
  readonly kind: "annotated";
  readonly type: string;
  readonly value: unknown;
}

/** A command with an id was carried out, with this answer. No event. */
export interface CommandHandled {
  readonly kind: "command-handled";
  readonly id: string;
  readonly answer: CommandResult;
}

export type Fact =
  | Created
  | Owned
  | FlowChanged
  | StageChanged
  | Started
  | Redelivered
  | Withdrawn
  | Undelivered
  | Delayed
  | Settled
  | CommandHandled
  | Reset
  | Selected
  | LateResponse
  | Paused
  | Updated
  | Annotated
  | Linked
  | ChildEnded
  | ChildAbandoned
  | Responded
  | Compensating
  | Compensated;

/** Facts of one commit and the time at which they were decided. */
export interface Entry {
  readonly at: number;
  readonly facts: readonly Fact[];
}

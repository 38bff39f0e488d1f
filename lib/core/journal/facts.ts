/**
 * Facts: everything that can happen to a taskflow, as its journal stores it. `decide` creates them,
 * `apply` applies them, and replaying all of them gives the taskflow again. A fact that changes a
 * status is also an event, and takes the next `seq`.
 */
import type { EffectiveOptions, Options } from "../../../schemas/options.ts";
import type { CommandResult } from "../model/command.ts";
import type { Pause, Parent } from "../model/flow.ts";
import type { ConditionValues } from "../model/resolution.ts";
import type { FlowState, StageState, TaskState } from "./snapshot-state.ts";
import type { JsonText, StageStatus, StoredDefinition, TaskError, TaskflowStatus } from "../model/values.ts";

/** The first fact of every journal, and event 1 (TASKFLOW WAITING). */
export interface Created {
  readonly kind: "created";
  readonly taskflowId: string;
  readonly idBase: string;
  /**
   * The service's options when it was produced: a later change of configuration does not alter a
   * live run.
   */
  readonly defaults: EffectiveOptions;
  /** The producer's meta. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly definition: StoredDefinition;
  /** Set if a task's handler produced it. */
  readonly nested?: Nested;
  /**
   * Set on a copy, whose history before this time is the original's: no worker knows the keys of
   * those attempts.
   */
  readonly copiedAt?: number;
}

export interface Nested {
  readonly parent: Parent;
  readonly rootId: string;
  readonly depth: number;
  /** The parent task's execution context. */
  readonly context: unknown;
}

/** A coordinator has taken the taskflow over; `fence` counts its owners. No event. */
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
  /** With COMPLETED and PARTIAL_COMPLETED. */
  readonly output?: unknown;
  /** A person's decision starts a new run. */
  readonly run?: true;
}

/** Event STAGE. */
export interface StageChanged {
  readonly kind: "stage";
  readonly stage: number;
  /** With RUNNING: only the selected tasks of the stage become due. */
  readonly only?: true;
  /** WAITING: the stage is about to run again. */
  readonly status: StageStatus;
  /** With SKIPPED: why its `when` is false. */
  readonly whenValues?: ConditionValues;
}

/**
 * An attempt starts: it is about to be sent to a node, or was computed here (no node). Event TASK
 * RUNNING.
 */
export interface Started {
  readonly kind: "started";
  readonly task: number;
  readonly attempt: number;
  readonly node?: string;
  /** The process of the node. */
  readonly process?: string;
}

/**
 * The templates of a task were filled in, once in a run: attempts and takeovers use the same
 * values. No event.
 */
export interface Resolved {
  readonly kind: "resolved";
  readonly task: number;
  readonly params?: unknown;
  readonly taskDetails?: unknown;
}

/** The running attempt is about to be sent again, with the same number and key. No event. */
export interface Redelivered {
  readonly kind: "redelivered";
  readonly task: number;
  readonly node: string;
  readonly process?: string;
}

/**
 * The only delivery of the running attempt was never sent, or was rejected before it ran; the
 * attempt is withdrawn. Event TASK WAITING.
 */
export interface Withdrawn {
  readonly kind: "withdrawn";
  readonly task: number;
  /** The task returns to this attempt, the one before it; 0 if there was none. */
  readonly attempt: number;
}

/**
 * A redelivery was never sent, or was rejected before it ran: the attempt still runs and awaits
 * redelivery. No event.
 */
export interface Undelivered {
  readonly kind: "undelivered";
  readonly task: number;
}

/**
 * A request that had been turned away was sent again at `sentAt` and accepted: the attempt's time
 * counts from there. No event.
 */
export interface Accepted {
  readonly kind: "accepted";
  readonly task: number;
  readonly sentAt: number;
}

/** An attempt failed; the next is due at `retryAt`. Event TASK WAITING. */
export interface Delayed {
  readonly kind: "delayed";
  readonly task: number;
  readonly retryAt: number;
  readonly error: TaskError;
  readonly response?: JsonText;
}

/** The task reached its final status in this run. Event TASK. */
export interface Settled {
  readonly kind: "settled";
  readonly task: number;
  readonly status: "SUCCESS" | "FAILED" | "CANCELLED" | "SKIPPED";
  readonly response?: JsonText;
  readonly error?: TaskError;
  /** The failure keeps the next stage from running. */
  readonly blocks?: true;
  /** The handler ended the whole taskflow. */
  readonly abort?: true;
  /** The failure awaits a person's decision. */
  readonly awaits?: true;
  /** Set if a person settled it. */
  readonly reason?: string;
  /** Set if its `when` is false. */
  readonly whenValues?: ConditionValues;
}

/** A settled task is about to run again. Event TASK WAITING. */
export interface Reset {
  readonly kind: "reset";
  readonly task: number;
  readonly inDoubt?: "verify" | "verify-or-fail";
  /** It never ran, and runs when its stage is reached. */
  readonly follows?: true;
}

/** A task that never ran is selected: it runs even if earlier stages block. No event. */
export interface Selected {
  readonly kind: "selected";
  readonly task: number;
  /** Selected individually: it runs even if its worker does not know the outcome. */
  readonly named?: true;
}

/** An abandoned attempt answered: the response is kept and changes no status. No event. */
export interface LateResponse {
  readonly kind: "late-response";
  readonly task: number;
  readonly status: "SUCCESS" | "FAILED";
  /** The delivery whose handler answered. */
  readonly delivery: number;
  readonly response?: JsonText;
  readonly error?: TaskError;
}

/** A pause began (null: ended). No event of its own. */
export interface Paused {
  readonly kind: "paused";
  readonly pause: Pause | null;
}

/** A task's params or options were replaced. No event. */
export interface Updated {
  readonly kind: "updated";
  readonly task: number;
  readonly params?: unknown;
  readonly options?: Options;
}

/** The handler of a running attempt produced or adopted a taskflow. No event. */
export interface Linked {
  readonly kind: "linked";
  readonly task: number;
  readonly child: string;
  /** The delivery of the handler. */
  readonly delivery: number;
  readonly isChosen?: true;
}

/** A nested taskflow has ended, runs again, or (null) was never stored. No event. */
export interface ChildEnded {
  readonly kind: "child-ended";
  readonly child: string;
  readonly status: TaskflowStatus | null;
  /** The child's `seq` at that moment. */
  readonly seq?: number;
}

/** A nested taskflow is being cancelled, and its end does not count. No event. */
export interface ChildAbandoned {
  readonly kind: "child-abandoned";
  readonly child: string;
}

/**
 * A success of the latest attempt came after its timeout, and the attempt goes on: taskflows that
 * it produced still run. Event TASK RUNNING.
 */
export interface Revived {
  readonly kind: "revived";
  readonly task: number;
}

/**
 * The running attempt has answered; the task waits for the nested taskflows of the delivery that
 * answered. No event.
 */
export interface Responded {
  readonly kind: "responded";
  readonly task: number;
  readonly delivery: number;
  readonly response: JsonText;
}

/** A compensation begins: ordinals of its tasks, in order. No event of its own. */
export interface Compensating {
  readonly kind: "compensating";
  readonly tasks: readonly number[];
}

/** The compensation has ended. No event of its own. */
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

/** A command with an id was carried out and answered. No event. */
export interface CommandHandled {
  readonly kind: "command-handled";
  readonly id: string;
  readonly answer: CommandResult;
}

/**
 * A portion of a snapshot, which stands for all facts between the first and it; the first portion
 * has `flow`. Event SNAPSHOT for those who ask for earlier ones; it takes no `seq`.
 */
export interface Compacted {
  readonly kind: "compacted";
  readonly flow?: FlowState;
  readonly stages?: readonly StageState[];
  readonly tasks?: readonly TaskState[];
}

export type Fact =
  | Created
  | Owned
  | FlowChanged
  | StageChanged
  | Resolved
  | Started
  | Redelivered
  | Withdrawn
  | Undelivered
  | Accepted
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
  | Revived
  | Responded
  | Compensating
  | Compensated
  | Compacted;

/** The facts of one commit and the time of their decision. */
export interface Entry {
  readonly at: number;
  readonly facts: readonly Fact[];
}

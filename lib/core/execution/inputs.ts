/**
 * Inputs: events of the world around a taskflow. Each may come late, twice or never; `decide`
 * tolerates all three.
 */
import type { CommandRequest } from "../model/command.ts";
import type { Part, Resolution } from "../model/resolution.ts";
import type { JsonText, TaskDefinition, TaskError } from "../model/values.ts";

/** How one delivery of an attempt ended. */
export type Outcome =
  /** `reportedFailure`: the answer is an object with `success === false`. */
  | {
      readonly kind: "answered";
      readonly response: JsonText;
      readonly reportedFailure: boolean;
      /**
       * The delivery whose handler answered, as its worker names it; absent: the one that is
       * answered.
       */
      readonly delivery?: number;
    }
  /** The work failed for certain. */
  | {
      readonly kind: "failed";
      readonly error: TaskError;
      readonly permanent: boolean;
      readonly retryAfterMs?: number;
      /** From an `ExpectedError`: ends the task, or the whole taskflow. */
      readonly abort?: "task" | "workflow";
    }
  /** The work may or may not have been done. */
  | { readonly kind: "unknown"; readonly error: TaskError }
  /** Never sent, or rejected before it ran. */
  | { readonly kind: "not-sent" };

/** The reply to an outcome query; `ports/bus.ts` defines when each kind may be given. */
export type OutcomeReply =
  | { readonly kind: "done"; readonly outcome: Outcome }
  /** `quietMs`: time since the handler began or sent its latest heartbeat, if its worker knows. */
  | { readonly kind: "running"; readonly quietMs?: number }
  | { readonly kind: "interrupted" }
  | { readonly kind: "never" }
  | { readonly kind: "silent" };

export type Input =
  /** The taskflow is stored and may start. */
  | { readonly kind: "begin" }
  /** `delivery`: the one that it answers; absent: unknown. */
  | {
      readonly kind: "answer";
      readonly task: number;
      readonly attempt: number;
      readonly delivery?: number;
      readonly outcome: Outcome;
    }
  /** An attempt's timeout is over. */
  | { readonly kind: "timeout"; readonly task: number; readonly attempt: number }
  /** The deadline of an attempt that an earlier owner sent may be over. */
  | { readonly kind: "deadline"; readonly task: number; readonly attempt: number }
  /** The handler of an attempt that an earlier owner sent has sent a heartbeat. */
  | { readonly kind: "heartbeat"; readonly task: number; readonly attempt: number }
  /** The coordinator's own link was down: deliveries and answers of these tasks may be lost. */
  | { readonly kind: "link-lost"; readonly tasks: readonly number[] }
  /** Time to query a worker again that replied `running`. */
  | { readonly kind: "requery"; readonly task: number; readonly attempt: number; readonly cause?: TaskError }
  /** The reply to the effect `query-outcome`. */
  | {
      readonly kind: "outcome-reply";
      readonly task: number;
      readonly attempt: number;
      readonly delivery: number;
      /** Node and start of that attempt: a withdrawn attempt's number is used again. */
      readonly node: string;
      readonly startedAt: number;
      readonly reply: OutcomeReply;
      readonly cause?: TaskError;
    }
  /** The values of the effect `evaluate`. */
  | {
      readonly kind: "evaluated";
      readonly part: Part;
      /** Of a task: the definition that was computed. A change of it needs new values. */
      readonly definition?: TaskDefinition;
      /** The run in which it was computed. */
      readonly retryAttempt: number;
      readonly resolution: Resolution;
    }
  /** Time to send a request again that was turned away. */
  | { readonly kind: "resend"; readonly task: number; readonly attempt: number; readonly at: number }
  /** A request that was sent again at `sentAt` has not been turned away since. */
  | {
      readonly kind: "accepted";
      readonly task: number;
      readonly attempt: number;
      readonly delivery: number;
      readonly tries: number;
      readonly sentAt: number;
    }
  /** The coordinator shuts down: what was turned away goes back. */
  | { readonly kind: "drain" }
  /** Time to look up the nested taskflows. */
  | { readonly kind: "follow" }
  /** A retry delay is over: the one that was to end at `retryAt`. */
  | { readonly kind: "retry-due"; readonly task: number; readonly attempt: number; readonly retryAt?: number }
  /** The `maxAge` of the taskflow (no task) or of a task may be over. */
  | { readonly kind: "age"; readonly task?: number }
  /** A command; its answer carries the same `correlationId`. */
  | ({ readonly kind: "command"; readonly correlationId: number } & CommandRequest)
  /**
   * A coordinator has read the taskflow from the store and continues it. `inFlight`: tasks whose
   * latest delivery this very coordinator still listens to.
   */
  | {
      readonly kind: "recover";
      readonly fence: number;
      readonly inFlight?: ReadonlySet<number>;
      /** It had ended, and was loaded to handle a command. */
      readonly isReopened?: true;
    };

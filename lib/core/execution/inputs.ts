/** Inputs: what the world tells a taskflow. Each may come late, twice or never; `decide` makes nothing worse of it. */
import type { CommandRequest } from "../model/command.ts";
import type { JsonText, TaskError } from "../model/values.ts";

/** How one delivery of an attempt ended. */
export type Outcome =
  /** `reportedFailure`: the answer is an object with `success === false`. */
  | { readonly kind: "answered"; readonly response: JsonText; readonly reportedFailure: boolean }
  /** The work failed for certain. */
  | {
      readonly kind: "failed";
      readonly error: TaskError;
      readonly permanent: boolean;
      readonly retryAfterMs?: number;
      /** From an `ExpectedError`: how far it reaches. */
      readonly abort?: "task" | "workflow";
    }
  /** Nobody can tell whether the work was done. */
  | { readonly kind: "unknown"; readonly error: TaskError }
  /** It never left, or was turned away unread. */
  | { readonly kind: "not-sent" };

/** What is known of an attempt of which nothing is heard, once somebody was asked (`ports/bus.ts` says when each may be said). */
export type OutcomeReply =
  | { readonly kind: "done"; readonly outcome: Outcome }
  | { readonly kind: "running" }
  | { readonly kind: "interrupted" }
  | { readonly kind: "never" }
  | { readonly kind: "silent" };

export type Input =
  /** It is stored: it may start. */
  | { readonly kind: "begin" }
  /** `delivery`: the one that it answers; absent: nobody knows which. */
  | {
      readonly kind: "answer";
      readonly task: number;
      readonly attempt: number;
      readonly delivery?: number;
      readonly outcome: Outcome;
    }
  /** An attempt's time is over. */
  | { readonly kind: "timeout"; readonly task: number; readonly attempt: number }
  /** What was sent before this moment may be lost: the coordinator's own link was down. */
  | { readonly kind: "link-lost"; readonly tasks: readonly number[] }
  /** A worker that said `running` is to be asked once more. */
  | { readonly kind: "requery"; readonly task: number; readonly attempt: number; readonly cause?: TaskError }
  /** The answer to the effect `ask`. */
  | {
      readonly kind: "outcome-reply";
      readonly task: number;
      readonly attempt: number;
      readonly delivery: number;
      /** That delivery's, and when its attempt began: numbers are used again after a delivery that never left. */
      readonly node: string;
      readonly startedAt: number;
      readonly reply: OutcomeReply;
      readonly cause?: TaskError;
    }
  /** It is time to look what has become of the nested taskflows. */
  | { readonly kind: "follow" }
  /** A retry delay is over. */
  | { readonly kind: "retry-due"; readonly task: number; readonly attempt: number }
  /** The age of the taskflow (no task) or of a task may be over. */
  | { readonly kind: "age"; readonly task?: number }
  /** Somebody decides something about it; the answer bears the ticket. */
  | ({ readonly kind: "command"; readonly correlationId: number } & CommandRequest)
  /** A coordinator has read it from the store and goes on with it. `inFlight`: tasks whose latest delivery this very coordinator still listens to. */
  | {
      readonly kind: "recover";
      readonly fence: number;
      readonly inFlight?: ReadonlySet<number>;
      /** It had ended, and was taken into care for a command. */
      readonly isReopened?: true;
    };

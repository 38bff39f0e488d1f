/**
 * Commands: what people and other services decide about a taskflow. Each is one input of its mailbox, decided in its order, and answered once
 * what it changed is stored. One that is refused changes nothing.
 */
import type { Options } from "../../../schemas/options.ts";
import type { JsonText } from "./values.ts";
import type { TaskflowStatus } from "./values.ts";

/** Stages and tasks are named by their id or their name. */
export interface Selection {
  /** Absent: the task is looked for in all stages. */
  readonly stage?: string;
  /** Absent: all tasks of the stage. */
  readonly tasks?: readonly string[];
}

export interface CancelCommand {
  readonly kind: "cancel";
  readonly reason?: string;
  /** Undo what succeeded. */
  readonly compensate?: boolean;
}

export interface RetryCommand {
  readonly kind: "retry";
  /** Absent: what `mode` says of the whole taskflow. */
  readonly selection?: readonly Selection[];
  readonly mode?: "all" | "failed";
  readonly force?: boolean;
  readonly cascade?: boolean;
  readonly dryRun?: boolean;
}

export interface PauseCommand {
  readonly kind: "pause";
  readonly reason?: string;
  /** The taskflow whose pause reaches this one. */
  readonly by?: string;
}

export interface ResumeCommand {
  readonly kind: "resume";
  readonly reason?: string;
  /** The taskflow that goes on: only its own pause is ended. */
  readonly by?: string;
}

export interface CancelTaskCommand {
  readonly kind: "cancelTask";
  readonly task: string;
}

export interface ResolveTaskCommand {
  readonly kind: "resolveTask";
  readonly task: string;
  readonly outcome: "SUCCESS" | "SKIPPED";
  readonly response?: JsonText;
  readonly reason: string;
}

export interface UpdateTaskCommand {
  readonly kind: "updateTask";
  readonly task: string;
  readonly params?: unknown;
  readonly options?: Options;
}

export interface AnnotateCommand {
  readonly kind: "annotate";
  readonly type: string;
  readonly value: unknown;
}

/** From a coordinator: a handler of the task produces a nested taskflow. */
export interface LinkCommand {
  readonly kind: "link";
  readonly taskId: string;
  readonly attempt: number;
  readonly child: string;
  /** Its producer chose its id. */
  readonly isChosen: boolean;
  /** A taskflow that is nested deeper is refused. */
  readonly maxDepth: number;
  /** The child had ended before and is adopted as it is. */
  readonly ended?: { readonly status: TaskflowStatus; readonly seq: number };
}

/** From a coordinator: a nested taskflow has ended, runs again (an unfinished status), or was never stored (`null`). */
export interface JoinCommand {
  readonly kind: "join";
  readonly child: string;
  readonly status: TaskflowStatus | null;
  /** The child's, when that was so: of two such commands the one that was told later counts, whichever comes first. */
  readonly seq?: number;
}

export type Command =
  | CancelCommand
  | RetryCommand
  | PauseCommand
  | ResumeCommand
  | CancelTaskCommand
  | ResolveTaskCommand
  | UpdateTaskCommand
  | AnnotateCommand
  | LinkCommand
  | JoinCommand;

/** The state that the decider saw: all that is given must still hold, else `TASKFLOW_CONFLICT`. */
export interface Expect {
  readonly taskId?: string;
  /** Of the task: `taskId`, else the command's. */
  readonly attempt?: number;
  readonly revision?: number;
}

/** A command as it is given: `id` names it, so that the same one again gets the first answer and does nothing. */
export interface CommandRequest {
  readonly id?: string;
  readonly expect?: Expect;
  readonly command: Command;
}

/** Why a command is refused: an error of the catalogue, as data. */
export interface Refusal {
  readonly ok: false;
  readonly type: string;
  readonly message: string;
  readonly data?: unknown;
}

/** `data`: plain JSON, the answer of the action. */
export type CommandResult = { readonly ok: true; readonly data: Readonly<Record<string, unknown>> } | Refusal;

export function refuse(type: string, message: string, data?: unknown): Refusal {
  return { ok: false, type, message, ...(data === undefined ? {} : { data }) };
}

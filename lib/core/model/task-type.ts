/**
 * Task types: the engine's interface to the different kinds of work. The engine names no type; it
 * receives a registry of types.
 *
 * A type is pure: its functions depend on their arguments alone, without clock, I/O or memory, so
 * that a journal has the same meaning everywhere. Its dispatch (`lib/ports/dispatch.ts`) sends work
 * to workers.
 */
import type { Problem } from "../../util/problem.ts";

/** A kind of work. `Details`: the `taskDetails` of its tasks. */
export interface TaskType<Details = unknown> {
  /** The `type` of its tasks: capital letters, digits and _, beginning with a letter. */
  readonly name: string;
  /** JSON Schema of `taskDetails`. */
  readonly schema: object;
  /** Its `taskDetails` may contain templates, which are filled in before `begin`. */
  readonly hasTemplates?: boolean;
  /** Adds problems of details that the schema accepts. */
  check?(details: Details, at: () => string, rules: CheckRules): void;
  /**
   * Begins an attempt. Called when the attempt may start: it is not paused, its stage has room, and
   * a slot is free. If it throws, the task ends FAILED without further retries: a pure function
   * would throw the same again.
   */
  begin(task: DueTask<Details>, now: number): Send | Done;
  /**
   * The name of the work, by which the dispatch finds workers and pause rules match; for an ACTION
   * the action's name. Absent: the type's name.
   */
  target?(details: Details): string;
  /**
   * Explains a due task for which the type's dispatch finds no worker. Absent: in general words.
   */
  explain?(task: DueTask<Details>, observed: Observed): ReasonText;
}

/**
 * The attempt is sent: once it is stored, the coordinator's effect runner passes it to the type's
 * dispatch. It is RUNNING, and takes one of the coordinator's slots, until the dispatch reports its
 * end or its `timeout` is over. After a crash, a lost link or a takeover, the coordinator queries
 * the dispatch for the outcome.
 */
export interface Send {
  readonly kind: "send";
}

/**
 * The type has computed the response. The engine stores the start of the attempt and its success
 * with the response in one commit, so that the attempt can never be in doubt. No worker is called.
 * The response is any JSON value; undefined becomes null.
 */
export interface Done {
  readonly kind: "done";
  readonly response: unknown;
}

/** For types that always send: a shared object. */
export const SEND: Send = Object.freeze({ kind: "send" });

/** A task as its type sees it. It must not be changed, and is valid during the call only. */
export interface DueTask<Details = unknown> {
  readonly definition: {
    readonly name: string;
    readonly type: string;
    readonly taskDetails: Details;
    readonly params?: unknown;
    readonly meta?: Readonly<Record<string, unknown>>;
  };
  readonly stage: { readonly name: string };
  /** Number of its latest attempt, 0 before the first. */
  readonly attempt: number;
  /** Number of attempts that have started in this run. */
  readonly runAttempts: number;
}

/** The rules that a check may use, and the list that receives its problems. */
export interface CheckRules {
  /** Whether tasks may call this action. */
  isActionAllowed(action: string): boolean;
  add(problem: Problem): void;
}

/** Observations of the world around an explained task. */
export interface Observed {
  /** Epoch milliseconds of the store's clock. */
  readonly now: number;
  /** Number of nodes on the bus, this one included. */
  readonly nodes: number;
  /** Number of nodes that serve the task, as its type's dispatch sees them. */
  readonly offers: (task: TypedTask) => number;
}

/** The texts of a reason of `explainTaskflow`. */
export interface ReasonText {
  readonly sentence: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** The event that would move it. */
  readonly movedBy: string;
}

/** The part of a task that determines its type. */
export interface TypedTask {
  readonly definition: { readonly type: string; readonly taskDetails: unknown };
}

/** The types that a coordinator knows. */
export interface TaskTypes {
  /** Never undefined: a task of an unknown type waits. */
  typeOf(task: TypedTask): TaskType;
}

export function targetOf(types: TaskTypes, task: TypedTask): string {
  const type = types.typeOf(task);
  return type.target?.(task.definition.taskDetails) ?? type.name;
}

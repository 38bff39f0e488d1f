/**
 * Task types: what the engine has to know of a kind of work to drive tasks of it. The engine names
 * no type; it is handed a registry of them, and asks.
 *
 * A type is pure: what it is asked, it answers from its arguments alone, without clock, I/O or
 * memory, so that the same journal means the same everywhere. Work that has to reach somebody is
 * done by the type's dispatch (`lib/ports/dispatch.ts`).
 */
import type { Problem } from "../../util/problem.ts";

/** A kind of work that tasks can be of. `Details`: `taskDetails` of its tasks. */
export interface TaskType<Details = unknown> {
  /** A task's `type`: capital letters, digits and _, beginning with a letter. */
  readonly name: string;
  /** JSON Schema of `taskDetails`. */
  readonly schema: object;
  /** Adds what is wrong with details that the schema accepts. */
  check?(details: Details, at: () => string, rules: CheckRules): void;
  /**
   * What an attempt of a task does. Called when the attempt may begin: nothing pauses it, its stage
   * has room, and a slot is free. What it throws ends the task as FAILED, whatever retries are
   * left: the same would be thrown again.
   */
  begin(task: DueTask<Details>, now: number): Send | Done;
  /**
   * Who does the work, as the dispatch finds it and as rules that pause actions match it; for an
   * ACTION the action's name. Absent: the type's name.
   */
  target?(details: Details): string;
  /**
   * Says why a due task waits for which the type's dispatch finds nobody. Absent: general words.
   */
  explain?(task: DueTask<Details>, observed: Observed): ReasonText;
}

/**
 * The attempt is sent: once it is stored, the coordinator's effect runner gives it to the type's
 * dispatch. It is RUNNING, and takes one of the coordinator's slots, until the dispatch says how it
 * ended or its `timeout` is over. After a crash, a lost link or a takeover the dispatch is asked
 * for the outcome.
 */
export interface Send {
  readonly kind: "send";
}

/**
 * The attempt is done by having been worked out: the engine stores that it began and that it
 * succeeded in one commit, with the response, so that nothing of it can be in doubt. Nobody is
 * called. The response is any JSON value; none is null.
 */
export interface Done {
  readonly kind: "done";
  readonly response: unknown;
}

/** For types that always send: one object for all attempts. */
export const SEND: Send = Object.freeze({ kind: "send" });

/** What a type sees of a task. It must not be changed, and is valid during the call only. */
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
  /** Attempts of this run that have begun. */
  readonly runAttempts: number;
}

/** What a check may ask, and where it tells what is wrong. */
export interface CheckRules {
  /** May tasks call an action of this name? */
  isActionAllowed(action: string): boolean;
  add(problem: Problem): void;
}

/** What is known of the world around a task that is explained. */
export interface Observed {
  /** Epoch milliseconds of the store's clock. */
  readonly now: number;
  /** Nodes on the bus, this one included. */
  readonly nodes: number;
  /** How many nodes do work for the task, as its type's dispatch sees it. */
  readonly offers: (task: TypedTask) => number;
}

/** What a reason of `explainTaskflow` says. */
export interface ReasonText {
  readonly sentence: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** What would move it. */
  readonly movedBy: string;
}

/** The part of a task by which its type is found. */
export interface TypedTask {
  readonly definition: { readonly type: string; readonly taskDetails: unknown };
}

/** The types that a coordinator knows. */
export interface TaskTypes {
  /** Never undefined: a task of a type that is not known here waits. */
  typeOf(task: TypedTask): TaskType;
}

export function targetOf(types: TaskTypes, task: TypedTask): string {
  const type = types.typeOf(task);
  return type.target?.(task.definition.taskDetails) ?? type.name;
}

/**
 * The state of a taskflow as the engine sees it. Read this first.
 *
 * A taskflow is a list of stages that run one after another; a stage is a set of tasks that run in parallel. All of it changes
 * through facts only (`facts.ts`, `apply.ts`): what is stored is the list of facts, and replaying it gives this state again.
 *
 * Taskflow
 * - WAITING: stored, not begun. Left by `flow RUNNING` in the same or the next commit.
 * - RUNNING: one stage is entered, or is about to be. Left when the last stage ended or a stage blocked.
 * - PAUSED: nothing new is dispatched; answers are still taken. By a person (`hold`), or because a decision is needed (`awaiting`).
 * - COMPLETED, PARTIAL_COMPLETED, FAILED, CANCELLED: finished. Only a person's decision leaves them (a retry, a task resolved by hand).
 *
 * Stage
 * - WAITING: not reached, or to run again. - RUNNING: entered; its open tasks are to be settled. - the others: none of its tasks is open.
 *
 * Task
 * - WAITING: not begun in this run, or between two attempts (`retryAt`). An open one without `retryAt` is due.
 * - RUNNING: an attempt is out. It was stored, with its node, before it was sent.
 * - SUCCESS, FAILED, CANCELLED, SKIPPED: settled.
 */
import type { EffectiveOptions } from "../../../schemas/options.ts";
import type { CommandResult } from "./command.ts";
import type { StoredDefinition } from "./values.ts";
import type { JsonText, StageStatus, StoredTaskStatus, TaskDefinition, TaskError, TaskflowStatus } from "./values.ts";

export interface Attempt {
  attempt: number;
  /** 1 at first, one more with each repeated delivery of the same attempt. */
  deliveries: number;
  startedAt: number;
  finishedAt: number | null;
  nodeID: string | null;
  status: StoredTaskStatus;
  error?: TaskError;
}

/** True for the statuses that only a person's decision leaves. */
export function isFinished(status: TaskflowStatus): boolean {
  return status === "COMPLETED" || status === "PARTIAL_COMPLETED" || status === "FAILED" || status === "CANCELLED";
}

/** Finished, and nothing is left to do: no compensation, no nested taskflow that is still to be cancelled. It needs no owner any more. */
export function isOver(flow: Flow): boolean {
  return isFinished(flow.status) && flow.undo.status !== "RUNNING" && flow.childCount.abandoned === 0;
}

/** The task that is to be undone next, or is being undone. */
export function nextUndo({ undoing: { order, next }, undo, tasks }: Flow): Task | undefined {
  const ordinal = order[next];
  return ordinal === undefined ? undefined : undo.tasks[ordinal - tasks.length];
}

/** By ordinal: those of the stages first, then those that undo them. */
export function taskAt(flow: Flow, ordinal: number): Task | undefined {
  return flow.tasks[ordinal] ?? flow.undo.tasks[ordinal - flow.tasks.length];
}

export function isSettled(status: StoredTaskStatus): boolean {
  return status !== "WAITING" && status !== "RUNNING";
}

/** A nested taskflow, as the task that its producer served sees it. */
export interface Child {
  readonly id: string;
  readonly task: Task;
  /** Its producer chose its id: it may be produced again, and is adopted then. */
  readonly isChosen: boolean;
  /** Of the task: the one that waits for it. */
  attempt: number;
  /** active: waited for. - ended. - abandoned: to be cancelled, and its end does not count. - gone: abandoned, and ended. */
  state: "active" | "ended" | "abandoned" | "gone";
  status: TaskflowStatus | null;
  /** Of its latest news: what it told before that comes too late. */
  seq: number;
}

/** The task whose handler produced a taskflow. */
export interface Parent {
  readonly taskflowId: string;
  readonly stageId: string;
  readonly taskId: string;
  readonly attempt: number;
}

export interface Task {
  /** Its place among all tasks of the taskflow, from 0. With the taskflow's `idBase` it gives its id. */
  readonly ordinal: number;
  readonly stage: Stage;
  readonly index: number;
  definition: TaskDefinition;
  /** Effective options; one object for all tasks with the same ones. */
  options: EffectiveOptions;
  status: StoredTaskStatus;
  /** Number of the latest attempt; 0 before the first. Never reset. */
  attempt: number;
  /** Attempts dispatched in this run. */
  runAttempts: number;
  /** The first 10 and the last 90. */
  attempts: Attempt[];
  attemptsOmitted: number;
  /** When it could first have run in this run; its `maxAge` counts from here. */
  dueSince: number | null;
  /** Between two attempts: when the next one is due. */
  retryAt: number | null;
  response: JsonText | null;
  error: TaskError | null;
  /** It failed, and that keeps the next stage from running. */
  blocks: boolean;
  /** Its stage was entered, and it is to be settled before the stage ends. */
  open: boolean;
  /** Chosen to run (again) when its stage is entered. */
  selected: boolean;
  /** Its latest attempt may have succeeded unseen: before it runs again its worker is asked. `only`: it runs again only if it certainly did not. */
  inDoubt: "verify" | "verify-or-fail" | null;
  /** The task that it undoes; null for those of the stages. */
  readonly undoes: Task | null;
  /** Undoes it. */
  undo: Task | null;
  /** Nested taskflows that its attempts produced. */
  readonly children: Child[];
  /** How many of them run. */
  activeChildren: number;
  /** The answer of its attempt, while nested taskflows are waited for. */
  pendingResponse: JsonText | null;
  /** A person settled it, or ended the taskflow that waited for a decision about it. */
  isResolved: boolean;
  /** `seq` of the taskflow when it was settled last. */
  settledAt: number;
}

export interface Stage {
  readonly index: number;
  readonly name: string;
  readonly options: EffectiveOptions;
  readonly tasks: Task[];
  status: StageStatus;
  startedAt: number | null;
  finishedAt: number | null;
  /** `seq` of the taskflow when a task of it was settled or reset last, and when one came to block it last. */
  changedAt: number;
  blockedAt: number;
  /** Tasks by what they are now; kept by `apply`. */
  readonly count: {
    settled: number;
    success: number;
    failed: number;
    running: number;
    blocking: number;
    open: number;
    selected: number;
  };
}

export interface Pause {
  readonly reason: string | null;
  /** The taskflow whose pause it is, if it is not its own. */
  readonly by: string | null;
}

export interface Annotation {
  readonly type: string;
  readonly value: unknown;
  readonly at: number;
}

export interface Flow {
  readonly taskflowId: string;
  /** First 24 characters of the ids of its stages and tasks. */
  readonly idBase: string;
  readonly name: string | null;
  readonly definition: StoredDefinition;
  /** The producer's meta; it travels with every task. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly options: EffectiveOptions;
  readonly rootId: string;
  readonly parent: Parent | null;
  /** The execution context of that task, for this one's tasks to see. */
  readonly parentContext: unknown;
  /** 0 for one that is not nested. */
  readonly depth: number;
  readonly createdAt: number;
  /** Attempts that began before this time are another taskflow's, of which it is a copy. */
  readonly copiedAt: number;
  readonly stages: Stage[];
  /** Every task of the stages, by ordinal. */
  readonly tasks: Task[];
  /** The stage in which tasks are undone, one after another; none of `stages`. Its tasks follow those of the stages in their ordinals. */
  readonly undo: Stage;
  /** Ordinals of the tasks that undo, in the order of the latest compensation, and which of them is next. */
  undoing: { readonly order: readonly number[]; next: number };
  /** Nested taskflows, by id. */
  readonly children: Map<string, Child>;
  readonly childCount: { active: number; abandoned: number };
  status: TaskflowStatus;
  statusReason: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  retryAttempt: number;
  /** When the latest run began: `createdAt`, or the latest manual retry. Its `maxAge` counts from here. */
  runStartedAt: number;
  /** `seq` of that; 0 in the first run. */
  runSeq: number;
  error: TaskError | null;
  /** Entries of its journal. */
  revision: number;
  /** Changes of status so far: the number of its latest event. */
  seq: number;
  /** Counts its owners. */
  fence: number;
  /** So many stages, from the first on, have ended with nothing that blocks and nothing left to run. */
  passed: number;
  /** Settled tasks, for `progress`. */
  settled: number;
  /** A person paused it: why. It stands beside a decision that is needed, and outlives it. */
  pause: (Pause & { readonly at: number }) | null;
  /** Ordinals of the tasks that failed and wait for a person to decide. */
  readonly awaiting: Set<number>;
  /** Answers of the latest commands, by their ids, oldest first. */
  readonly commands: Map<string, CommandResult>;
  readonly annotations: Annotation[];
  /** Ends early because a handler said so (`ExpectedError` with "workflow"), after what is running has answered. */
  aborting: boolean;
  /** Ordinals of the tasks whose next attempt waits to be sent, in the order in which they became due. Not stored: it follows from the rest and from timers. */
  readonly due: Set<number>;
  /** Ordinals of the tasks whose running attempt waits to be delivered again. Not stored either. */
  readonly repeats: Set<number>;
  /** A timer is going to have its children looked at. Not stored. */
  isFollowing: boolean;
}

/** The record of the latest attempt. */
export function latestAttempt(task: Task): Attempt {
  const latest = task.attempts.at(-1);
  if (!latest) throw new Error(`Task ${task.definition.name} has had no attempt.`);
  return latest;
}

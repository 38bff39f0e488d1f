/**
 * The state of a taskflow as the engine sees it. Read this first.
 *
 * A taskflow is a list of stages that run one after another; a stage is a set of tasks that run in
 * parallel. Only facts change this state (`facts.ts`, `apply.ts`): the store keeps the list of
 * facts, and replaying it gives the state again.
 *
 * Taskflow
 * - WAITING: stored, not started. `flow RUNNING` leaves it in the same or the next commit.
 * - RUNNING: a stage runs or is about to. Left when the last stage ends or a stage blocks.
 * - PAUSED: nothing new is dispatched; answers still count. A person paused it (`pause`), or a
 *   failed task needs a decision (`awaiting`).
 * - COMPLETED, PARTIAL_COMPLETED, FAILED, CANCELLED: finished. Only a person's decision leaves them
 *   (a retry, a task resolved by hand).
 *
 * Stage
 * - WAITING: not reached, or about to run again.
 * - RUNNING: entered; it ends once its open tasks are settled.
 * - All others: none of its tasks is open.
 *
 * Task
 * - WAITING: not started in this run, or between two attempts (`retryAt`). Open and without
 *   `retryAt`, it is due.
 * - RUNNING: an attempt is in flight. It was stored, with its node, before it was sent.
 * - SUCCESS, FAILED, CANCELLED, SKIPPED: settled.
 */
import type { EffectiveOptions } from "../../../schemas/options.ts";
import type { CommandResult } from "./command.ts";
import type { ConditionValues } from "./resolution.ts";
import type {
  JsonText,
  StageStatus,
  StoredDefinition,
  StoredTaskStatus,
  TaskDefinition,
  TaskError,
  TaskflowStatus,
} from "./values.ts";

export interface Attempt {
  attempt: number;
  /** Counts from 1; each redelivery of the same attempt adds one. */
  deliveries: number;
  startedAt: number;
  finishedAt: number | null;
  nodeID: string | null;
  /** The process of the node that its latest delivery went to, if the dispatch knows it. */
  process?: string;
  status: StoredTaskStatus;
  error?: TaskError;
}

/** Only a person's decision leaves these statuses. */
export function isFinished(status: TaskflowStatus): boolean {
  return status === "COMPLETED" || status === "PARTIAL_COMPLETED" || status === "FAILED" || status === "CANCELLED";
}

/**
 * Finished, with no compensation running and no nested taskflow left to cancel: it needs no owner
 * any more.
 */
export function isOver(flow: Flow): boolean {
  return isFinished(flow.status) && flow.undo.status !== "RUNNING" && flow.childCount.abandoned === 0;
}

/** The compensation that runs now, or runs next. */
export function nextUndo({ undoing: { order, next }, undo, tasks }: Flow): Task | undefined {
  const ordinal = order[next];
  return ordinal === undefined ? undefined : undo.tasks[ordinal - tasks.length];
}

/** By ordinal: the tasks of the stages first, then their compensations. */
export function taskAt(flow: Flow, ordinal: number): Task | undefined {
  return flow.tasks[ordinal] ?? flow.undo.tasks[ordinal - flow.tasks.length];
}

export function isSettled(status: StoredTaskStatus): boolean {
  return status !== "WAITING" && status !== "RUNNING";
}

/** A nested taskflow, as seen by the task whose handler produced it. */
export interface Child {
  readonly id: string;
  readonly task: Task;
  /** The producer chose its id: a repeated attempt may produce it again, and adopts it. */
  readonly isChosen: boolean;
  /** The latest attempt that produced or adopted it, and the deliveries whose handlers did. */
  attempt: number;
  deliveries: readonly number[];
  /**
   * - active: it runs, and the task waits for it if the answer of its delivery counts
   * - ended
   * - spared: it runs, and counts for nothing unless a handler adopts it
   * - abandoned: being cancelled; its end does not count
   * - gone: abandoned, and ended
   */
  state: "active" | "ended" | "spared" | "abandoned" | "gone";
  status: TaskflowStatus | null;
  /** `seq` of its latest report: earlier reports are ignored. */
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
  /**
   * Position among all tasks of the taskflow, from 0. Together with `idBase` it gives the task's
   * id.
   */
  readonly ordinal: number;
  readonly stage: Stage;
  readonly index: number;
  definition: TaskDefinition;
  /** Its definition with the templates filled in, once an attempt of this run could begin. */
  resolved: TaskDefinition | null;
  /** Why its `when` skipped it in this run. */
  whenValues: ConditionValues | null;
  /** Effective options; tasks with equal options share one object. */
  options: EffectiveOptions;
  status: StoredTaskStatus;
  /** Number of the latest attempt; 0 before the first. Never reset. */
  attempt: number;
  /** Attempts dispatched in this run. */
  runAttempts: number;
  /** The first 10 and the latest 90. */
  attempts: Attempt[];
  attemptsOmitted: number;
  /** When it became due in this run; its `maxAge` counts from here. */
  dueSince: number | null;
  /** Between two attempts: when the next is due. */
  retryAt: number | null;
  response: JsonText | null;
  error: TaskError | null;
  /** It failed, and its failure keeps the next stage from running. */
  blocks: boolean;
  /** Its stage runs, and cannot end before this task is settled. */
  open: boolean;
  /** Chosen to run (again) when its stage is entered. */
  selected: boolean;
  /**
   * In doubt: its latest attempt may have succeeded unseen, so the worker is asked before the task
   * runs again. `verify-or-fail`: it runs again only if that attempt certainly did not succeed.
   */
  inDoubt: "verify" | "verify-or-fail" | null;
  /** The task that this one compensates; null for a task of a stage. */
  readonly undoes: Task | null;
  /** The task that compensates this one. */
  undo: Task | null;
  /** Nested taskflows produced by its attempts. */
  readonly children: Child[];
  /** Number of children in the state `active`. */
  activeChildren: number;
  /** The attempt's answer, kept while the task waits for its nested taskflows. */
  pendingResponse: JsonText | null;
  /** The delivery whose handler gave the pending answer, or one that was recorded late. */
  respondedBy: number | null;
  /** A person settled it, or ended the taskflow that waited for a decision about it. */
  isResolved: boolean;
  /** The taskflow's `seq` when the task was last settled. */
  settledAt: number;
}

export interface Stage {
  readonly index: number;
  readonly name: string;
  readonly options: EffectiveOptions;
  /** Its condition; computed when the stage is about to run. */
  readonly when: string | undefined;
  /** Why its `when` skipped it in this run. */
  whenValues: ConditionValues | null;
  readonly tasks: Task[];
  status: StageStatus;
  startedAt: number | null;
  finishedAt: number | null;
  /** The taskflow's `seq` when a task of the stage was last settled or reset. */
  changedAt: number;
  /** The taskflow's `seq` when a task of the stage last blocked it. */
  blockedAt: number;
  /** Numbers of tasks by state; kept by `apply`. */
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
  /** The ancestor that passed its pause on; null: its own pause. */
  readonly by: string | null;
}

export interface Annotation {
  readonly type: string;
  readonly value: unknown;
  readonly at: number;
}

/** A request of a running attempt that was turned away (`execution/turned-away.ts`). */
export interface TurnedAway {
  readonly tries: number;
  /** When it is sent again; null: it has been. */
  readonly resendAt: number | null;
  /** The worker will refuse this delivery: the next try is another one. */
  readonly isRefused: boolean;
}

/** When an attempt times out that this coordinator did not send. */
export interface Deadline {
  readonly attempt: number;
  readonly delivery: number;
  readonly at: number;
}

export interface Flow {
  readonly taskflowId: string;
  /** The first 24 characters of the ids of its stages and tasks. */
  readonly idBase: string;
  readonly name: string | null;
  readonly definition: StoredDefinition;
  /** The producer's meta; it travels with every task. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly options: EffectiveOptions;
  readonly rootId: string;
  readonly parent: Parent | null;
  /** The parent task's execution context, visible to this taskflow's tasks. */
  readonly parentContext: unknown;
  /** 0 if it is not nested. */
  readonly depth: number;
  readonly createdAt: number;
  /** For a copy: attempts that started before this time belong to the original. 0 otherwise. */
  readonly copiedAt: number;
  readonly stages: Stage[];
  /** Every task of the stages, by ordinal. */
  readonly tasks: Task[];
  /**
   * The stage of the compensations, which run one after another; not in `stages`. The ordinals of
   * its tasks follow those of the stages' tasks.
   */
  readonly undo: Stage;
  /** Ordinals of the latest compensation's tasks, in their order, and the index of the next. */
  undoing: { readonly order: readonly number[]; next: number };
  /** Nested taskflows, by id. */
  readonly children: Map<string, Child>;
  readonly childCount: { active: number; abandoned: number };
  status: TaskflowStatus;
  statusReason: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  retryAttempt: number;
  /**
   * When the latest run began: `createdAt`, or the latest manual retry. Its `maxAge` counts from
   * here.
   */
  runStartedAt: number;
  /** `seq` at that moment; 0 in the first run. */
  runSeq: number;
  error: TaskError | null;
  /** Its output, once it has ended with success. */
  output: unknown;
  /** Number of entries in its journal. */
  revision: number;
  /** Number of status changes so far, which is the number of its latest event. */
  seq: number;
  /** Counts its owners. */
  fence: number;
  /** Number of leading stages that have ended with no task blocking and none left to run. */
  passed: number;
  /** Number of settled tasks, for `progress`. */
  settled: number;
  /** A person's pause. It is independent of a needed decision, and outlives it. */
  pause: (Pause & { readonly at: number }) | null;
  /** Ordinals of the failed tasks that wait for a person's decision. */
  readonly awaiting: Set<number>;
  /** Answers to the latest commands, by command id, oldest first. */
  readonly commands: Map<string, CommandResult>;
  readonly annotations: Annotation[];
  /**
   * A handler ended the whole taskflow (`ExpectedError` with "workflow"): it ends as soon as the
   * running attempts have.
   */
  aborting: boolean;
  /**
   * Ordinals of the tasks whose next attempt is due, in the order in which they became due. Not
   * stored: it follows from the rest of the state and from timers.
   */
  readonly due: Set<number>;
  /** Ordinals of the tasks whose running attempt awaits redelivery. Not stored either. */
  readonly repeats: Set<number>;
  /** Requests that were turned away before they ran, by ordinal of their task. Not stored. */
  readonly turnedAway: Map<number, TurnedAway>;
  /**
   * By ordinal: deadlines of running attempts that an earlier owner sent, and that their worker
   * says it runs. Not stored: the next reply or heartbeat of the worker gives them again.
   */
  readonly deadlines: Map<number, Deadline>;
  /** A timer for the next look at its children is set. Not stored. */
  isFollowing: boolean;
}

/** The definition that the task's attempts are made of. */
export function currentDefinition({ resolved, definition }: Task): TaskDefinition {
  return resolved ?? definition;
}

/** @throws Error if the task has had no attempt */
export function latestAttempt(task: Task): Attempt {
  const latest = task.attempts.at(-1);
  if (!latest) throw new Error(`Task ${task.definition.name} has had no attempt.`);
  return latest;
}

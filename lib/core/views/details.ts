/** The tree of a taskflow as callers see it. */
import type {
  CompensationDetails,
  StageDetails,
  TaskDetails,
  TaskflowDetails,
} from "../../../schemas/taskflow-details.schema.ts";
import { isRevocable } from "../execution/turned-away.ts";
import { type Flow, isSettled, type Stage, type Task } from "../model/flow.ts";
import type { JsonText } from "../model/values.ts";
import { stageId, taskId } from "../model/ids.ts";

/** Why a due task has not been sent; only the taskflow's owner knows. */
export type WaitReason = (task: Task) => "PAUSED" | "NO_WORKER" | "CONCURRENCY_LIMIT" | undefined;

/** Limits for a tree that must stay small. */
export interface TreeShape {
  /** Tasks beyond this number are only counted, in `tasksOmitted` of their stages. */
  readonly mostTasks: number;
  /** Renders a response. */
  readonly valueOf: (text: JsonText) => unknown;
}

const parse = (text: JsonText): unknown => JSON.parse(text) as unknown;

export function progressOf(flow: Flow): number {
  return flow.tasks.length === 0 ? 100 : Math.floor((100 * flow.settled) / flow.tasks.length);
}

/** Status and reason as callers read them: QUEUED and most reasons are derived from the state. */
export function effectiveStatus(flow: Flow, task: Task, waitReason?: WaitReason): Pick<TaskDetails, "status" | "statusReason"> {
  if (isRevocable(flow, task)) return { status: "QUEUED", statusReason: "CONCURRENCY_LIMIT" };
  if (task.pendingResponse !== null) return { status: task.status, statusReason: "AWAITING_NESTED" };
  if (task.status !== "WAITING" || task.stage.status !== "RUNNING") return { status: task.status, statusReason: null };
  if (flow.status === "PAUSED") return { status: "WAITING", statusReason: "PAUSED" };
  if (flow.due.has(task.ordinal)) {
    const reason = waitReason?.(task) ?? "CONCURRENCY_LIMIT";
    return { status: reason === "CONCURRENCY_LIMIT" ? "QUEUED" : "WAITING", statusReason: reason };
  }
  return { status: "WAITING", statusReason: task.retryAt === null ? null : "RETRY_DELAY" };
}

export function taskDetails(flow: Flow, task: Task, waitReason?: WaitReason, valueOf = parse): TaskDetails {
  const { definition } = task;
  return {
    id: taskId(flow.idBase, task.ordinal),
    stageId: stageId(flow.idBase, task.stage.index),
    name: definition.name,
    index: task.index,
    type: definition.type,
    taskDetails: definition.taskDetails as TaskDetails["taskDetails"],
    params: definition.params ?? {},
    ...(task.resolved?.params === undefined ? {} : { resolvedParams: task.resolved.params }),
    ...(definition.when === undefined ? {} : { when: definition.when }),
    ...(task.whenValues ? { whenValues: task.whenValues } : {}),
    options: task.options,
    meta: definition.meta ?? {},
    ...effectiveStatus(flow, task, waitReason),
    attempt: task.attempt,
    attempts: task.attempts.map(({ process: _process, ...attempt }) => attempt),
    ...(task.attemptsOmitted > 0 ? { attemptsOmitted: task.attemptsOmitted } : {}),
    response: task.response === null ? null : valueOf(task.response),
    ...(task.error ? { error: task.error } : {}),
    ...(task.retryAt === null ? {} : { nextAttemptAt: task.retryAt }),
    ...(task.undo && isTouched(task.undo) ? { compensation: compensationOf(task.undo) } : {}),
    nestedTaskflows: task.children.map(({ id }) => id),
    nestedActiveRunningTaskFlowIds: activeChildrenOf(task),
    needs: [],
  };
}

export function activeChildrenOf({ children, activeChildren }: Task): string[] {
  if (activeChildren === 0) return [];
  return children.filter(({ state }) => state === "active").map(({ id }) => id);
}

/** The compensating task ran, or will run, in this run. */
export const isTouched = ({ open, status }: Task): boolean => open || isSettled(status);

/** The state of a task's compensation. */
export function compensationOf({ status, attempts, attemptsOmitted, error }: Task): CompensationDetails {
  return {
    status: isSettled(status) ? (status as CompensationDetails["status"]) : "RUNNING",
    attempts: attempts.length + attemptsOmitted,
    ...(error ? { error } : {}),
  };
}

/** The state of a taskflow's compensation; undefined if none has begun in this run. */
export function flowCompensationOf({ undo }: Flow): CompensationDetails | undefined {
  if (undo.status === "WAITING") return undefined;
  const touched = undo.tasks.filter(isTouched);
  const failed = touched.find(({ status }) => status === "FAILED" || status === "CANCELLED");
  const attempts = touched.reduce((sum, task) => sum + task.attempts.length + task.attemptsOmitted, 0);
  const status = undo.status === "RUNNING" ? "RUNNING" : undo.status === "FAILED" ? "FAILED" : "SUCCESS";
  return { status, attempts, ...(failed?.error ? { error: failed.error } : {}) };
}

function stageDetails(
  flow: Flow,
  stage: Stage,
  waitReason: WaitReason | undefined,
  mostTasks: number,
  valueOf: TreeShape["valueOf"] | undefined,
): StageDetails {
  const tasks: StageDetails["tasks"] = {};
  const shown = mostTasks < stage.tasks.length ? stage.tasks.slice(0, mostTasks) : stage.tasks;
  for (const task of shown) tasks[taskId(flow.idBase, task.ordinal)] = taskDetails(flow, task, waitReason, valueOf);
  const { name, index, status, startedAt, finishedAt } = stage;
  const omitted = stage.tasks.length - shown.length;
  const tasksOmitted = omitted > 0 ? { tasksOmitted: omitted } : {};
  const { when, whenValues } = stage;
  const condition = { ...(when === undefined ? {} : { when }), ...(whenValues ? { whenValues } : {}) };
  return { id: stageId(flow.idBase, index), name, index, status, startedAt, finishedAt, ...condition, tasks, ...tasksOmitted };
}

/**
 * The whole tree.
 * @param only the stages to include; absent: all
 */
export function taskflowDetails(
  flow: Flow,
  waitReason?: WaitReason,
  only?: ReadonlySet<Stage>,
  shape?: TreeShape,
): TaskflowDetails {
  const stages: TaskflowDetails["stages"] = {};
  let mostTasks = shape?.mostTasks ?? Number.POSITIVE_INFINITY;
  for (const stage of flow.stages) {
    if (only && !only.has(stage)) continue;
    stages[stageId(flow.idBase, stage.index)] = stageDetails(flow, stage, waitReason, mostTasks, shape?.valueOf);
    mostTasks = Math.max(0, mostTasks - stage.tasks.length);
  }
  const { definition } = flow;
  const compensation = flowCompensationOf(flow);
  return {
    taskflowId: flow.taskflowId,
    name: flow.name,
    status: flow.status,
    statusReason: flow.statusReason,
    createdAt: flow.createdAt,
    startedAt: flow.startedAt,
    finishedAt: flow.finishedAt,
    retryAttempt: flow.retryAttempt,
    revision: flow.revision,
    options: flow.options,
    context: definition.context ?? {},
    tags: [...(definition.tags ?? [])],
    attributes: definition.attributes ?? {},
    annotations: flow.annotations.map((annotation) => ({ ...annotation })),
    tenant: definition.tenant ?? null,
    rootId: flow.rootId,
    ...(compensation ? { compensation } : {}),
    parentTaskflowDetails: flow.parent,
    progress: progressOf(flow),
    ...(flow.error ? { error: flow.error } : {}),
    ...(flow.output === undefined ? {} : { output: flow.output }),
    stages,
  };
}

/** The tree of a taskflow as callers see it. */
import type {
  CompensationDetails,
  StageDetails,
  TaskDetails,
  TaskflowDetails,
} from "../../../schemas/taskflow-details.schema.ts";
import { type Flow, isSettled, type Stage, type Task } from "../model/flow.ts";
import type { JsonText } from "../model/values.ts";
import { stageId, taskId } from "../model/ids.ts";

/** What only the coordinator that drives a taskflow knows: why a due task has not been sent. */
export type WaitReason = (task: Task) => "PAUSED" | "NO_WORKER" | "CONCURRENCY_LIMIT" | undefined;

/** What is told of a tree that has to be small. */
export interface TreeShape {
  /** Tasks beyond the first so many are only counted, in `tasksOmitted` of their stages. */
  readonly mostTasks: number;
  /** What stands for a response. */
  readonly valueOf: (text: JsonText) => unknown;
}

const parse = (text: JsonText): unknown => JSON.parse(text) as unknown;

export function progressOf(flow: Flow): number {
  return flow.tasks.length === 0 ? 100 : Math.floor((100 * flow.settled) / flow.tasks.length);
}

/** Status and reason as they are read: QUEUED and most reasons follow from the state. */
export function effectiveStatus(flow: Flow, task: Task, waitReason?: WaitReason): Pick<TaskDetails, "status" | "statusReason"> {
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
    options: task.options,
    meta: definition.meta ?? {},
    ...effectiveStatus(flow, task, waitReason),
    attempt: task.attempt,
    attempts: task.attempts.map((attempt) => ({ ...attempt })),
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

/** It was, or is to be, carried out in this run. */
export const isTouched = ({ open, status }: Task): boolean => open || isSettled(status);

/** How far the undoing of a task is. */
export function compensationOf({ status, attempts, attemptsOmitted, error }: Task): CompensationDetails {
  const told = status === "SUCCESS" || status === "FAILED" ? status : "RUNNING";
  return { status: told, attempts: attempts.length + attemptsOmitted, ...(error ? { error } : {}) };
}

/** The same of a taskflow; undefined if nothing of it is, or was, undone. */
export function flowCompensationOf({ undo }: Flow): CompensationDetails | undefined {
  if (undo.status === "WAITING") return undefined;
  const told = undo.tasks.filter(isTouched);
  const failed = told.find(({ status }) => status === "FAILED");
  const attempts = told.reduce((sum, task) => sum + task.attempts.length + task.attemptsOmitted, 0);
  const status = undo.status === "RUNNING" ? "RUNNING" : undo.status === "FAILED" ? "FAILED" : "SUCCESS";
  return { status, attempts, ...(failed?.error ? { error: failed.error } : {}) };
}

/** @param most tasks that are told */
function stageDetails(
  flow: Flow,
  stage: Stage,
  waitReason: WaitReason | undefined,
  most: number,
  valueOf: TreeShape["valueOf"] | undefined,
): StageDetails {
  const tasks: StageDetails["tasks"] = {};
  const told = most < stage.tasks.length ? stage.tasks.slice(0, most) : stage.tasks;
  for (const task of told) tasks[taskId(flow.idBase, task.ordinal)] = taskDetails(flow, task, waitReason, valueOf);
  const { name, index, status, startedAt, finishedAt } = stage;
  const left = stage.tasks.length - told.length;
  const tasksOmitted = left > 0 ? { tasksOmitted: left } : {};
  return { id: stageId(flow.idBase, index), name, index, status, startedAt, finishedAt, tasks, ...tasksOmitted };
}

/**
 * The whole tree (section 4.1 of the contract).
 * @param only the stages to include; all if absent
 */
export function taskflowDetails(
  flow: Flow,
  waitReason?: WaitReason,
  only?: ReadonlySet<Stage>,
  shape?: TreeShape,
): TaskflowDetails {
  const stages: TaskflowDetails["stages"] = {};
  let most = shape?.mostTasks ?? Number.POSITIVE_INFINITY;
  for (const stage of flow.stages) {
    if (only && !only.has(stage)) continue;
    stages[stageId(flow.idBase, stage.index)] = stageDetails(flow, stage, waitReason, most, shape?.valueOf);
    most = Math.max(0, most - stage.tasks.length);
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
    stages,
  };
}

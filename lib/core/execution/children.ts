/**
 * How a taskflow and its nested taskflows keep in step. They send each other commands, each
 * repeated until the receiver has stored it. A parent also looks up its children whenever it is
 * recovered, and at intervals, so no progress depends on a single message.
 */
import { isOf } from "../journal/children.ts";
import type { Child, Task } from "../model/flow.ts";
import { failure, type TaskError } from "../model/values.ts";
import { record, type Step } from "./step.ts";

/** How often a parent looks up its children; they also report their ends themselves. */
const FOLLOW_MS = 30_000;

/**
 * Cancels the running children of a task except those of one delivery of its attempt, and except
 * those with a chosen id: a handler may produce these again and adopt them.
 * @param delivery absent: a new attempt begins
 */
export function abandonChildren(step: Step, task: Task, delivery?: number): void {
  for (const child of task.children) {
    if (child.state !== "active" || child.isChosen) continue;
    if (delivery === undefined || !isOf(child, task.attempt, delivery)) drop(step, child);
  }
}

/** Cancels all running children: no task waits for them any more. */
export function dropAll(step: Step, children: Iterable<Child>): void {
  for (const child of children) if (child.state === "active" || child.state === "spared") drop(step, child);
}

/** It ended without success, or is being cancelled together with its task. */
const hasFailed = ({ state, status }: Child): boolean =>
  state === "abandoned" || ((state === "ended" || state === "gone") && (status === "FAILED" || status === "CANCELLED"));

/** The taskflows that a task joins if the handler of that delivery has succeeded. */
function joinedBy({ children, options, attempt }: Task, delivery: number): Child[] {
  return options.waitForNested ? children.filter((child) => isOf(child, attempt, delivery)) : [];
}

/** Whether a taskflow that the handler of that delivery produced still runs. */
export function hasRunning(task: Task, delivery: number): boolean {
  return joinedBy(task, delivery).some(({ state }) => state === "active");
}

/** The error of a task whose handler succeeded in that delivery, if its taskflows did not. */
export function nestedFailure(task: Task, delivery: number): TaskError | undefined {
  const taskflows = joinedBy(task, delivery)
    .filter(hasFailed)
    .map(({ id, status }) => ({ taskflowId: id, status: status ?? "CANCELLED" }));
  if (taskflows.length === 0) return undefined;
  const ends = taskflows.map(({ taskflowId, status }) => `"${taskflowId}" is ${status}`).join(", ");
  return failure("NESTED_TASKFLOW_FAILED", `Nested taskflows did not succeed: ${ends}.`, { taskflows });
}

function drop(step: Step, { id }: Child): void {
  record(step, { kind: "child-abandoned", child: id });
  cancelChild(step, id);
  lookLater(step);
}

function cancelChild({ effects }: Step, id: string): void {
  effects.push({ kind: "send-command", to: id, command: { kind: "cancel", reason: "Its parent gave it up." } });
}

/** Passes a pause or a resume on to the running children. */
export function passOn(step: Step, kind: "pause" | "resume"): void {
  const { flow, effects } = step;
  if (flow.childCount.active === 0) return;
  for (const { id, state } of flow.children.values())
    if (state === "active") effects.push({ kind: "send-command", to: id, command: { kind, by: flow.taskflowId } });
}

/**
 * Looks up the children, and schedules the next look. Repeats the commands they may have missed:
 * the coordinator that owed them may be gone.
 */
export function follow(step: Step): void {
  const { children, childCount } = step.flow;
  step.flow.isFollowing = false;
  if (childCount.active + childCount.abandoned === 0) return;
  const open = Array.from(children.values()).filter(({ state }) => state === "active" || state === "abandoned");
  for (const { id, state } of open) if (state === "abandoned") cancelChild(step, id);
  passOn(step, step.flow.pause === null ? "resume" : "pause");
  step.effects.push({ kind: "follow", children: open.map(({ id }) => id) });
  lookLater(step);
}

/** Schedules the next look at the children, once. */
export function lookLater({ flow, effects, now }: Step): void {
  if (flow.isFollowing) return;
  flow.isFollowing = true;
  effects.push({ kind: "timer", at: now + FOLLOW_MS, input: { kind: "follow" } });
}

/** Reports the status of this taskflow to its parent. */
export function notifyParent({ flow, effects }: Step): void {
  if (!flow.parent) return;
  const { status, taskflowId, seq } = flow;
  effects.push({ kind: "send-command", to: flow.parent.taskflowId, command: { kind: "join", child: taskflowId, status, seq } });
}

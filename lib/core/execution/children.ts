/**
 * How a taskflow and its nested taskflows keep in step. They send each other commands, each
 * repeated until the receiver has stored it. A parent also looks up its children whenever it is
 * recovered, and at intervals, so no progress depends on a single message.
 */
import type { Child, Task } from "../model/flow.ts";
import { record, type Step } from "./step.ts";

/** How often a parent looks up its children; they also report their ends themselves. */
const FOLLOW_MS = 30_000;

/**
 * Called when an attempt is repeated: cancels the taskflows it produced that still run, except
 * those with a chosen id, which the repetition may produce again and adopt.
 */
export function abandonChildren(step: Step, task: Task): void {
  for (const child of task.children) if (child.state === "active" && !child.isChosen) drop(step, child);
}

/** Cancels all running children: no task waits for them any more. */
export function dropAll(step: Step, children: Iterable<Child>): void {
  for (const child of children) if (child.state === "active") drop(step, child);
}

function drop(step: Step, { id }: Child): void {
  record(step, { kind: "child-abandoned", child: id });
  cancelChild(step, id);
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

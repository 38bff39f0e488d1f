/**
 * What a taskflow tells those below it and the one above it, and asks of them. What two taskflows tell one another are commands, and each is sent until
 * it is stored. A parent asks for its children whenever it is recovered, and every so often, so nothing hangs on a message that was lost.
 */
import type { Child, Task } from "../model/flow.ts";
import { record, type Step } from "./step.ts";

/** How often a parent looks what has become of its children, beside being told. */
const FOLLOW_MS = 30_000;

/** The attempt is repeated: what it produced and still runs is cancelled, but for those that it may produce again under the same id. */
export function abandonChildren(step: Step, task: Task): void {
  for (const child of task.children) if (child.state === "active" && !child.isChosen) drop(step, child);
}

/** All of them: nobody waits for them any more. */
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

/** Holding and going on reach the children that run. */
export function passOn(step: Step, kind: "pause" | "resume"): void {
  const { flow, effects } = step;
  if (flow.childCount.active === 0) return;
  for (const { id, state } of flow.children.values())
    if (state === "active") effects.push({ kind: "send-command", to: id, command: { kind, by: flow.taskflowId } });
}

/** Looks what has become of the children, and goes on looking. What they are to do they are told again: another coordinator may have had it to tell. */
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

/** While children run. */
export function lookLater({ flow, effects, now }: Step): void {
  if (flow.isFollowing) return;
  flow.isFollowing = true;
  effects.push({ kind: "timer", at: now + FOLLOW_MS, input: { kind: "follow" } });
}

/** Tells the parent what has become of this one. */
export function tellParent({ flow, effects }: Step): void {
  if (!flow.parent) return;
  const { status, taskflowId, seq } = flow;
  effects.push({ kind: "send-command", to: flow.parent.taskflowId, command: { kind: "join", child: taskflowId, status, seq } });
}

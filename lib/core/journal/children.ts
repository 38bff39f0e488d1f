/** The facts about nested taskflows. */
import { type Child, type Flow, isFinished } from "../model/flow.ts";
import type { ChildEnded, Linked } from "./facts.ts";
import { taskOf } from "./tasks.ts";

/** Whether the handler of that delivery produced or adopted the child. */
export const isOf = (child: Child, attempt: number, delivery: number): boolean =>
  child.attempt === attempt && child.deliveries.includes(delivery);

export function linkChild(flow: Flow, { task: ordinal, child: id, delivery, isChosen }: Linked): void {
  const task = taskOf(flow, ordinal);
  let child = flow.children.get(id);
  if (child?.task !== task) {
    child = {
      id,
      task,
      isChosen: isChosen === true,
      attempt: task.attempt,
      deliveries: [],
      state: "ended",
      status: null,
      seq: 0,
    };
    flow.children.set(id, child);
    task.children.push(child);
  }
  const before = child.attempt === task.attempt ? child.deliveries : [];
  child.attempt = task.attempt;
  child.deliveries = before.includes(delivery) ? before : [...before, delivery];
  child.status = null;
  changeChild(flow, child, "active");
}

export function childOf(flow: Flow, id: string): Child {
  const child = flow.children.get(id);
  if (!child) throw new Error(`Taskflow ${flow.taskflowId} has no nested taskflow ${id}: its journal is inconsistent.`);
  return child;
}

export function endChild(flow: Flow, { child: id, status, seq }: ChildEnded): void {
  const child = childOf(flow, id);
  if (status === null) {
    changeChild(flow, child, "gone");
    flow.children.delete(id);
    child.task.children.splice(child.task.children.indexOf(child), 1);
    return;
  }
  child.status = status;
  child.seq = seq ?? child.seq;
  if (!isFinished(status)) changeChild(flow, child, child.state === "spared" ? "spared" : "active");
  else changeChild(flow, child, child.state === "abandoned" || child.state === "gone" ? "gone" : "ended");
}

export function changeChild({ childCount }: Flow, child: Child, state: Child["state"]): void {
  for (const [counted, change] of [
    [child.state, -1],
    [state, 1],
  ] as const) {
    if (counted === "active") {
      childCount.active += change;
      child.task.activeChildren += change;
    } else if (counted === "abandoned") childCount.abandoned += change;
  }
  child.state = state;
}

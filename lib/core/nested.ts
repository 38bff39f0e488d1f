/**
 * Nested taskflows: those that the handler of a task produced. The parent's link is stored before the child; its task is finished when its own
 * answer is in and none of them runs any more.
 *
 * What two taskflows tell one another are commands, and each is sent until it is stored. A parent asks for its children whenever it is recovered, and every
 * so often, so nothing hangs on a message that was lost.
 */
import { type Answer, failure, type JoinCommand, type LinkCommand, refuse } from "./command.ts";
import { type Child, isFinished, type JsonText, type Task, taskAt } from "./flow.ts";
import { taskOrdinalOf } from "./ids.ts";
import { record, type Step } from "./step.ts";
import { failAttempt, succeed } from "./task.ts";

/** How often a parent looks what has become of its children, beside being told. */
const FOLLOW_MS = 30_000;

/** A handler of the task produces a taskflow. */
export function link(step: Step, { taskId: id, attempt, child, isChosen, status, maxDepth }: LinkCommand): Answer {
  const { flow } = step;
  const { taskflowId, depth, rootId } = flow;
  const ordinal = taskOrdinalOf(flow.idBase, id);
  const task = ordinal === undefined ? undefined : taskAt(flow, ordinal);
  if (task?.status !== "RUNNING" || task.attempt !== attempt) {
    const now = task ? `is ${task.status} at attempt ${task.attempt}` : "is not known";
    const message = `Task ${id} of taskflow "${taskflowId}" ${now}: its attempt ${attempt} cannot produce a nested taskflow any more.`;
    return refuse("PARENT_TASK_NOT_RUNNING", message, { taskflowId, taskId: id, attempt });
  }
  if (depth >= maxDepth) {
    const message = `Taskflow "${taskflowId}" is nested ${depth} deep: one below it would be deeper than ${maxDepth}. Produce it with detached: true, or flatten it.`;
    return refuse("NESTING_TOO_DEEP", message, { taskflowId, depth: depth + 1, limit: maxDepth });
  }
  const known = flow.children.get(child);
  if (known?.state !== "active" || known.attempt !== attempt) {
    record(step, { kind: "linked", task: task.ordinal, child, ...(isChosen ? { isChosen } : {}) });
    if (status !== undefined && isFinished(status)) record(step, { kind: "joined", child, status });
    else if (flow.childCount.active === 1) lookLater(step);
  }
  return { ok: true, data: { rootId, depth: depth + 1, isHeld: flow.hold !== null } };
}

/** What a nested taskflow has come to. */
export function join(step: Step, { child, status }: JoinCommand): Answer {
  const { flow } = step;
  const known = flow.children.get(child);
  const answer: Answer = { ok: true, data: { taskflowId: flow.taskflowId } };
  if (!known) return answer;
  const isOngoing = status !== null && !isFinished(status);
  const isNews = isOngoing
    ? known.state === "ended" && known.task.status === "RUNNING" && known.task.attempt === known.attempt
    : known.state === "active" || known.state === "dropped" || known.status !== status;
  if (!isNews) return answer;
  record(step, { kind: "joined", child, status });
  settleNested(step, known.task);
  return answer;
}

/** The handler has answered: the task is finished, unless taskflows that it produced run. */
export function answered(step: Step, task: Task, response: JsonText): void {
  if (task.children.length === 0 || !task.options.waitForNested) return succeed(step, task, response);
  record(step, { kind: "answered", task: task.ordinal, response });
  settleNested(step, task);
}

function settleNested(step: Step, task: Task): void {
  const { held } = task;
  if (held === null || task.activeChildren > 0) return;
  const failed = task.children.filter(({ state, status, attempt }) => {
    return state === "ended" && attempt === task.attempt && (status === "FAILED" || status === "CANCELLED");
  });
  if (failed.length === 0) return succeed(step, task, held);
  const names = failed.map(({ id, status }) => `"${id}" is ${status ?? "lost"}`).join(", ");
  const taskflows = failed.map(({ id, status }) => ({ taskflowId: id, status }));
  const error = failure("NESTED_TASKFLOW_FAILED", `Of the taskflows that the task produced, ${names}.`, { taskflows });
  failAttempt(step, task, { error, permanent: false, response: held });
}

/** The attempt is repeated: what it produced and still runs is cancelled, but for those that it may produce again under the same id. */
export function dropChildren(step: Step, task: Task): void {
  for (const child of task.children) if (child.state === "active" && !child.isChosen) drop(step, child);
}

/** All of them: nobody waits for them any more. */
export function dropAll(step: Step, children: Iterable<Child>): void {
  for (const child of children) if (child.state === "active") drop(step, child);
}

function drop(step: Step, { id }: Child): void {
  record(step, { kind: "dropped", child: id });
  cancelChild(step, id);
}

function cancelChild({ effects }: Step, id: string): void {
  effects.push({ kind: "order", to: id, command: { kind: "cancel", reason: "Its parent gave it up." } });
}

/** Holding and going on reach the children that run. */
export function passOn(step: Step, kind: "pause" | "resume"): void {
  const { flow, effects } = step;
  if (flow.childCount.active === 0) return;
  for (const { id, state } of flow.children.values())
    if (state === "active") effects.push({ kind: "order", to: id, command: { kind, by: flow.taskflowId } });
}

/** Looks what has become of the children, and goes on looking. */
export function follow(step: Step): void {
  const { children, childCount } = step.flow;
  if (childCount.active + childCount.dropped === 0) return;
  const open = Array.from(children.values()).filter(({ state }) => state === "active" || state === "dropped");
  step.effects.push({ kind: "follow", children: open.map(({ id }) => id) });
  lookLater(step);
}

function lookLater({ effects, now }: Step): void {
  effects.push({ kind: "timer", at: now + FOLLOW_MS, input: { kind: "follow" } });
}

/** Another coordinator goes on with the parent: whatever it was to tell its children it tells again. */
export function recoverChildren(step: Step): void {
  const { flow } = step;
  if (flow.childCount.active + flow.childCount.dropped === 0) return;
  for (const { id, state } of flow.children.values()) if (state === "dropped") cancelChild(step, id);
  if (!isFinished(flow.status)) passOn(step, flow.hold === null ? "resume" : "pause");
  follow(step);
}

/** Tells the parent what has become of this one. */
export function tellParent({ flow, effects }: Step): void {
  if (!flow.parent) return;
  const { status, taskflowId } = flow;
  effects.push({ kind: "order", to: flow.parent.taskflowId, command: { kind: "join", child: taskflowId, status } });
}

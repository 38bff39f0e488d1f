/**
 * Nested taskflows, produced by a task's handler. The parent's link is stored before the child; the
 * task ends once its own answer is in and none of its children runs (`answered` in task.ts).
 */
import { lookLater } from "../execution/children.ts";
import { type CommandResult, type JoinCommand, type LinkCommand, refuse } from "../model/command.ts";
import { isOf } from "../journal/children.ts";
import { type Child, isFinished, taskAt } from "../model/flow.ts";
import { taskOrdinalOf } from "../model/ids.ts";
import { record, type Step } from "../execution/step.ts";
import { settleNested } from "../execution/task.ts";

/**
 * The task's handler produces a taskflow. A child already linked to another task of this taskflow
 * stays there.
 */
export function link(
  step: Step,
  { taskId: id, attempt, delivery, child, isChosen, ended, maxDepth }: LinkCommand,
): CommandResult {
  const { flow } = step;
  const { taskflowId, depth, rootId } = flow;
  const ordinal = taskOrdinalOf(flow.idBase, id);
  const task = ordinal === undefined ? undefined : taskAt(flow, ordinal);
  if (task?.status !== "RUNNING" || task.attempt !== attempt) {
    const now = task ? `it is ${task.status} at attempt ${task.attempt}` : "it does not exist";
    const message = `Task ${id} of taskflow "${taskflowId}" must be RUNNING at attempt ${attempt} to produce a nested taskflow, and ${now}.`;
    return refuse("PARENT_TASK_NOT_RUNNING", message, { taskflowId, taskId: id, attempt });
  }
  if (task.respondedBy !== null && task.respondedBy !== delivery) {
    const message = `Delivery ${delivery} of task ${id} of taskflow "${taskflowId}" must not produce a nested taskflow any more: delivery ${task.respondedBy} has answered.`;
    return refuse("PARENT_TASK_NOT_RUNNING", message, { taskflowId, taskId: id, attempt });
  }
  if (depth >= maxDepth) {
    const message = `A nested taskflow must be at most ${maxDepth} deep, got ${depth + 1} (below taskflow "${taskflowId}"). Produce it with detached: true, or flatten it.`;
    return refuse("NESTING_TOO_DEEP", message, { taskflowId, depth: depth + 1, limit: maxDepth });
  }
  const known = flow.children.get(child);
  const data = { rootId, depth: depth + 1, isHeld: flow.pause !== null };
  if (known && known.task !== task) return { ok: true, data: { ...data, isLinked: false } };
  if (known?.state !== "active" || !isOf(known, attempt, delivery))
    record(step, { kind: "linked", task: task.ordinal, child, delivery, ...(isChosen ? { isChosen } : {}) });
  if (ended) {
    record(step, { kind: "child-ended", child, ...ended });
    settleNested(step, task);
  } else lookLater(step);
  return { ok: true, data: { ...data, isLinked: true } };
}

/** No delivery of its attempt has answered, or one that produced it. */
function isJoinable({ task, attempt, deliveries }: Child): boolean {
  const { status, respondedBy } = task;
  return status === "RUNNING" && task.attempt === attempt && (respondedBy === null || deliveries.includes(respondedBy));
}

/** A nested taskflow reports its status. */
export function join(step: Step, { child, status, seq }: JoinCommand): CommandResult {
  const { flow } = step;
  const known = flow.children.get(child);
  const answer: CommandResult = { ok: true, data: { taskflowId: flow.taskflowId } };
  if (!known || (seq !== undefined && seq < known.seq)) return answer;
  const isOngoing = status !== null && !isFinished(status);
  const isNews = isOngoing
    ? known.state === "ended" && isJoinable(known)
    : known.state === "active" || known.state === "spared" || known.state === "abandoned" || known.status !== status;
  if (!isNews) return answer;
  record(step, { kind: "child-ended", child, status, ...(seq === undefined ? {} : { seq }) });
  settleNested(step, known.task);
  return answer;
}

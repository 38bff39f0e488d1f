/** Sends the attempts that are due, within the limits of the stage and of the coordinator. */
import { latestAttempt } from "../model/flow.ts";
import { type Flow, type Stage, type Task, taskAt } from "../model/flow.ts";
import { abandonChildren } from "./children.ts";
import { isTooOld } from "./max-age.ts";
import { record, type Step } from "./step.ts";
import { expireTask } from "./task.ts";

/** The coordinator's free slots and the nodes that it sees, handed to `decide` for one turn. */
export interface Router {
  /** Attempts that may be sent now, over all stages. */
  readonly free: number;
  /** The node that the next attempt of a task goes to; undefined: none serves it now. */
  route(task: Task): string | undefined;
}

/** May an attempt of the taskflow be sent? */
function isDispatching({ status, undo }: Flow): boolean {
  return status === "RUNNING" || undo.status === "RUNNING";
}

/**
 * Attempts to be delivered again go first, then new ones in the order in which they became due, as
 * far as the stage's `maxConcurrency` allows.
 *
 * A task that is too old ends instead. With the last one its stage ends, and the tasks of the next
 * stage join `due` while it is gone through, so that they are sent in the same turn.
 */
export function dispatchDue(step: Step, router: Router): void {
  const { flow } = step;
  let { free } = router;
  for (const ordinal of flow.repeats) {
    if (free <= 0 || !isDispatching(flow)) return;
    if (dispatchTask(step, router, taskAt(flow, ordinal) as Task)) free--;
  }
  for (const ordinal of flow.due) {
    if (free <= 0 || !isDispatching(flow) || flow.aborting) return;
    const task = taskAt(flow, ordinal) as Task;
    // All tasks that are due are of one stage: a full stage leaves nothing to send.
    if (isFull(task.stage)) return;
    if (dispatchTask(step, router, task)) free--;
  }
}

const isFull = ({ count, options: { maxConcurrency } }: Stage): boolean =>
  maxConcurrency !== undefined && count.running >= maxConcurrency;

/** True: an attempt is sent, and takes a slot. */
function dispatchTask(step: Step, router: Router, task: Task): boolean {
  const node = router.route(task);
  if (node === undefined) return false;
  const { ordinal } = task;
  if (task.status === "RUNNING") {
    abandonChildren(step, task);
    record(step, { kind: "redelivered", task: ordinal, node });
  } else if (isTooOld(step.flow, task, step.now)) {
    expireTask(step, task);
    return false;
  } else {
    const attempt = task.attempts.length === 0 ? 0 : task.attempt + 1;
    abandonChildren(step, task);
    record(step, { kind: "started", task: ordinal, attempt, node });
  }
  const { attempt, deliveries } = latestAttempt(task);
  step.effects.push({ kind: "call", task: ordinal, attempt, delivery: deliveries, node });
  return true;
}

/** How a finished taskflow ended, and which commands could continue it. */
import { explainOwner } from "./owner.ts";
import { explainTask } from "./task.ts";
import { count, cut, nameOf, type ReasonList } from "./reason.ts";
import { type Flow, isSettled, nextUndo, type Task } from "../model/flow.ts";
import { taskId } from "../model/ids.ts";
import type { ReasonText } from "../model/task-type.ts";
import type { Observations } from "./observed.ts";

/** Maximum number of nested taskflows that a reason names. */
const NAMED = 10;

export function explainEnd(list: ReasonList, flow: Flow, observed: Observations): void {
  const { status } = flow;
  explainUndoing(list, flow, observed);
  if (status === "COMPLETED" || status === "PARTIAL_COMPLETED" || status === "FAILED" || status === "CANCELLED") {
    list.add(status, undefined, () => ENDS[status](flow));
  }
  let blocker: Task | undefined;
  for (const stage of flow.stages) {
    const earlier = blocker;
    blocker ??= stage.tasks.find(({ blocks }) => blocks);
    if (stage.status === "WAITING") {
      list.add("NOT_REACHED", stage, () => ({
        sentence: `Stage "${stage.name}" was never reached${earlier ? `: ${nameOf(earlier)} is ${earlier.status} and blocks it` : ""}.`,
        data: earlier ? { blockedBy: taskId(flow.idBase, earlier.ordinal) } : {},
        movedBy: "retryTaskflow: the stage follows once no earlier task blocks it.",
      }));
    }
    for (const task of stage.tasks) explainSettled(list, task);
  }
}

/** Work left after the end: a compensation, and nested taskflows to cancel. */
function explainUndoing(list: ReasonList, flow: Flow, observed: Observations): void {
  const { undo, undoing, childCount } = flow;
  if (undo.status === "RUNNING" || childCount.abandoned > 0) explainOwner(list, observed);
  if (undo.status === "RUNNING") {
    const next = nextUndo(flow);
    const total = undoing.order.length;
    list.add("COMPENSATING", undefined, () => ({
      sentence: `Its compensation is running, latest task first: ${undoing.next} of ${count(total, "task")} done${next ? `, ${nameOf(next)} is next` : ""}.`,
      data: { done: undoing.next, tasks: total },
      movedBy: "The end of each compensating task; a failed one does not stop the others.",
    }));
    if (next && !isSettled(next.status)) explainTask(list, flow, next, observed);
  }
  for (const task of undo.status === "WAITING" ? [] : undo.tasks) {
    if (task.status !== "FAILED") continue;
    const error = { type: task.error?.type ?? null, message: cut(task.error?.message ?? "") };
    list.add("COMPENSATION_FAILED", task.undoes ?? undefined, () => ({
      sentence: `${nameOf(task.undoes ?? task).replace("task", "Task")} could not be undone: ${error.type}: ${error.message}`,
      data: { error, attempt: task.attempt },
      movedBy: "A person who undoes it by hand.",
    }));
  }
  if (childCount.abandoned === 0) return;
  const dropped = Array.from(flow.children.values()).filter(({ state }) => state === "abandoned");
  list.add("CANCELLING_NESTED", undefined, () => ({
    sentence: `It is still cancelling ${count(dropped.length, "nested taskflow")}.`,
    data: { nested: dropped.slice(0, NAMED).map(({ id }) => id), active: dropped.length },
    movedBy: "Their ends; the cancellation is sent until each has ended.",
  }));
}

function explainSettled(list: ReasonList, task: Task): void {
  if (task.status !== "FAILED" && (task.status !== "CANCELLED" || task.attempts.length === 0)) return;
  const { error, attempt, attempts, options } = task;
  const nodeID = error?.nodeID ?? attempts.at(-1)?.nodeID ?? null;
  const isFailed = task.status === "FAILED";
  list.add(isFailed ? "TASK_FAILED" : "TASK_CANCELLED", task, () => ({
    sentence: `${nameOf(task).replace("task", "Task")} ${
      isFailed ? `failed with ${error?.type ?? "no error"}` : "was cancelled"
    }${attempts.length === 0 ? " before any attempt" : ` at attempt ${attempt}${nodeID === null ? "" : ` on ${nodeID}`}`}${
      error ? `: ${cut(error.message)}` : "."
    }`,
    data: { attempt, nodeID, error: error ? { type: error.type, message: cut(error.message) } : null, blocks: task.blocks },
    movedBy: `retryTaskflow { tasksInfo: [{ taskId }] }${options.exactlyOnceTaskExecution ? ", after an outcome query" : ""}${
      isFailed ? ", or resolveTask" : ""
    }.`,
  }));
}

const sum = (flow: Flow, key: "success" | "failed"): number => flow.stages.reduce((all, stage) => all + stage.count[key], 0);

const ENDS: Readonly<Record<"COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED", (flow: Flow) => ReasonText>> = {
  COMPLETED: ({ options, tasks }) => ({
    sentence: `It is finished: ${tasks.length === 1 ? "its task is" : `all ${tasks.length} tasks are`} done.`,
    movedBy: options.exactlyOnceTaskExecution
      ? "Nothing: its tasks run exactly once."
      : "retryTaskflow runs it again from the beginning.",
  }),
  PARTIAL_COMPLETED: (flow) => ({
    sentence: `It ran to its end: ${count(sum(flow, "success"), "task")} succeeded, ${sum(flow, "failed")} failed or ${sum(flow, "failed") === 1 ? "was" : "were"} cancelled, as their options allow.`,
    data: { succeeded: sum(flow, "success"), failed: sum(flow, "failed") },
    movedBy: 'retryTaskflow { mode: "failed" } runs the failed tasks again.',
  }),
  FAILED: ({ error }) => ({
    sentence: `It failed${error ? ` with ${error.type}: ${cut(error.message)}` : "."}`,
    data: { error: error ? { type: error.type, message: cut(error.message) } : null },
    movedBy: 'retryTaskflow { mode: "failed" } runs the failed tasks again and continues from there.',
  }),
  CANCELLED: ({ statusReason }) => ({
    sentence: `It was cancelled${statusReason === null ? "." : `: ${cut(statusReason)}`}`,
    data: { reason: statusReason },
    movedBy: 'retryTaskflow { mode: "failed" } runs the tasks that were not done.',
  }),
};

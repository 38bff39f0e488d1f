/** How a taskflow that is finished ended, and what could still be done about it. */
import { nameOf } from "./explain-task.ts";
import type { Flow, Task } from "./flow.ts";
import { taskId } from "./ids.ts";
import { count, cut, type ReasonList, type Telling } from "./reason.ts";

export function explainEnd(list: ReasonList, flow: Flow): void {
  const { status } = flow;
  if (status === "COMPLETED" || status === "PARTIAL_COMPLETED" || status === "FAILED" || status === "CANCELLED") {
    list.add(status, undefined, () => ENDS[status](flow));
  }
  let blocker: Task | undefined;
  for (const stage of flow.stages) {
    const before = blocker;
    blocker ??= stage.tasks.find(({ blocks }) => blocks);
    if (stage.status === "WAITING") {
      list.add("NOT_REACHED", stage, () => ({
        sentence: `Stage "${stage.name}" was never reached${before ? `: ${nameOf(before)} is ${before.status}, and that blocks` : ""}.`,
        data: before ? { blockedBy: taskId(flow.idBase, before.ordinal) } : {},
        movedBy: "retryTaskflow: it follows when nothing before it blocks any more.",
      }));
    }
    for (const task of stage.tasks) explainSettled(list, task);
  }
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
    movedBy: `retryTaskflow { tasksInfo: [{ taskId }] }${options.exactlyOnceTaskExecution ? ", after its worker was asked" : ""}${
      isFailed ? ", or resolveTask" : ""
    }.`,
  }));
}

const sum = (flow: Flow, of: "success" | "failed"): number => flow.stages.reduce((all, stage) => all + stage.count[of], 0);

const ENDS: Readonly<Record<"COMPLETED" | "PARTIAL_COMPLETED" | "FAILED" | "CANCELLED", (flow: Flow) => Telling>> = {
  COMPLETED: ({ options, tasks }) => ({
    sentence: `It is finished: ${tasks.length === 1 ? "its task is" : `all ${tasks.length} tasks are`} done.`,
    movedBy: options.exactlyOnceTaskExecution
      ? "Nothing: its tasks are executed exactly once."
      : "retryTaskflow runs it again from the beginning.",
  }),
  PARTIAL_COMPLETED: (flow) => ({
    sentence: `It ran to its end: ${count(sum(flow, "success"), "task")} succeeded, ${sum(flow, "failed")} failed or were cancelled, which their options allow.`,
    data: { succeeded: sum(flow, "success"), failed: sum(flow, "failed") },
    movedBy: 'retryTaskflow { mode: "failed" } runs again what failed.',
  }),
  FAILED: ({ error }) => ({
    sentence: `It failed${error ? ` with ${error.type}: ${cut(error.message)}` : "."}`,
    data: { error: error ? { type: error.type, message: cut(error.message) } : null },
    movedBy: 'retryTaskflow { mode: "failed" } runs again what failed, and goes on from there.',
  }),
  CANCELLED: ({ statusReason }) => ({
    sentence: `It was cancelled${statusReason === null ? "." : `: ${cut(statusReason)}`}`,
    data: { reason: statusReason },
    movedBy: 'retryTaskflow { mode: "failed" } runs what was not done.',
  }),
};

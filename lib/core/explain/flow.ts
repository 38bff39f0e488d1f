/** Reasons that hold up a taskflow as a whole, and stages that have not started. */
import { ageLimit } from "../execution/max-age.ts";
import { explainOwner } from "./owner.ts";
import { count, cut, nameOf, type ReasonList, span } from "./reason.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import { taskId } from "../model/ids.ts";
import type { Observations } from "./observed.ts";

export function explainUnfinished(list: ReasonList, flow: Flow, observed: Observations): void {
  explainPaused(list, flow, observed.now);
  explainOwner(list, observed);
  explainStages(list, flow);
  if (flow.status === "WAITING") {
    list.add("NOT_STARTED", undefined, () => ({
      sentence: `It has been stored for ${span(observed.now - flow.createdAt)} and has not started.`,
      data: { createdAt: flow.createdAt },
      movedBy: "The next turn of its coordinator, or of another one after a takeover.",
    }));
  }
  if (flow.aborting) {
    const running = runningOf(flow);
    const answered = running === 1 ? "has answered" : "have answered";
    list.add("ABORTING", undefined, () => ({
      sentence: `A handler ended the whole taskflow with an ExpectedError: it ends FAILED once ${count(running, "running task")} ${answered}.`,
      data: { running },
      movedBy: "The answers or timeouts of the running tasks.",
    }));
  }
  const limit = ageLimit(flow);
  if (limit !== null) {
    const isOver = limit <= observed.now;
    list.add("MAX_AGE", undefined, () => ({
      sentence: isOver
        ? `Its maxAge has been over for ${span(observed.now - limit)}: it ends FAILED once its running tasks have answered.`
        : `Its maxAge ends it in ${span(limit - observed.now)}.`,
      data: { at: limit, maxAge: flow.options.maxAge },
      movedBy: isOver ? "The answers or timeouts of the running tasks." : "Time; a manual retry restarts its maxAge.",
    }));
  }
}

function explainPaused(list: ReasonList, flow: Flow, now: number): void {
  const { pause: current, taskflowId } = flow;
  if (current) {
    const why = current.reason === null ? "" : `: ${cut(current.reason)}`;
    const data = { reason: current.reason, since: current.at, by: current.by };
    const duration = span(now - current.at);
    if (current.by === null) {
      list.add("PAUSED", undefined, () => ({
        sentence: `It has been paused for ${duration}${why}.`,
        data,
        movedBy: `resumeTaskflow { taskflowId: "${taskflowId}" }`,
      }));
    } else {
      list.add("PAUSED_BY_PARENT", undefined, () => ({
        sentence: `It has been paused for ${duration} together with its parent, taskflow ${current.by}${why}.`,
        data,
        movedBy: `resumeTaskflow { taskflowId: "${current.by}" }`,
      }));
    }
  }
  for (const ordinal of flow.awaiting) {
    const task = flow.tasks[ordinal] as Task;
    const error = { type: task.error?.type ?? null, message: cut(task.error?.message ?? "") };
    const id = taskId(flow.idBase, ordinal);
    list.add("AWAITING_DECISION", task, () => ({
      sentence: `A person must decide: ${nameOf(task)} failed with ${error.type} at attempt ${task.attempt}: ${error.message}`,
      data: {
        error,
        attempt: task.attempt,
        decisions: ["retryTaskflow", "resolveTask", "cancelTaskflow"],
        expect: { taskId: id, attempt: task.attempt },
      },
      movedBy: "retryTaskflow (continue from it), resolveTask (supply a result, or skip it) or cancelTaskflow.",
    }));
  }
}

const runningOf = (flow: Flow): number => flow.stages.reduce((sum, { count: of }) => sum + of.running, 0);

const blockerOf = (stage: Stage): Task | undefined => stage.tasks.find(({ blocks }) => blocks);

/** Stages that have not started wait for the running one, unless a failed task blocks them. */
function explainStages(list: ReasonList, flow: Flow): void {
  const current = flow.stages.find(({ status }) => status === "RUNNING");
  let blocker: Task | undefined;
  for (const stage of flow.stages) {
    blocker ??= flow.awaiting.size > 0 ? undefined : blockerOf(stage);
    if (stage.status !== "WAITING" || !current) continue;
    const blocked = blocker;
    if (blocked && stage.count.selected === 0) {
      list.add("BLOCKED", stage, () => ({
        sentence: `Stage "${stage.name}" will not run: ${nameOf(blocked)} is ${blocked.status} and blocks later stages.`,
        data: { blockedBy: taskId(flow.idBase, blocked.ordinal), error: blocked.error?.type ?? null },
        movedBy: "retryTaskflow or resolveTask, for the blocking task.",
      }));
    } else {
      const { count: counts, tasks } = current;
      const done = `${counts.settled} of ${count(tasks.length, "task")} ${tasks.length === 1 ? "is" : "are"} done`;
      list.add("EARLIER_STAGE", stage, () => ({
        sentence: `Stage "${stage.name}" waits for stage "${current.name}": ${done}.`,
        data: { stage: current.name, done: counts.settled, tasks: tasks.length },
        movedBy: `The end of stage "${current.name}".`,
      }));
    }
  }
}

/** What holds a taskflow as a whole, and its stages that have not begun. */
import { ageLimit } from "../execution/max-age.ts";
import { explainOwner } from "./owner.ts";
import { count, cut, nameOf, type ReasonList, span } from "./reason.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import { taskId } from "../model/ids.ts";
import type { Observations } from "./observed.ts";

export function explainUnfinished(list: ReasonList, flow: Flow, around: Observations): void {
  explainHold(list, flow, around.now);
  explainOwner(list, around);
  explainStages(list, flow);
  if (flow.status === "WAITING") {
    list.add("NOT_BEGUN", undefined, () => ({
      sentence: `It is stored since ${span(around.now - flow.createdAt)} and has not begun.`,
      data: { createdAt: flow.createdAt },
      movedBy: "Its coordinator begins it in its next turn, a new one after a takeover.",
    }));
  }
  if (flow.aborting) {
    list.add("ABORTING", undefined, () => ({
      sentence: `A handler ended the whole taskflow by an ExpectedError: it ends FAILED when ${count(runningOf(flow), "running task")} has answered.`,
      data: { running: runningOf(flow) },
      movedBy: "The answers, or timeouts, of what runs.",
    }));
  }
  const limit = ageLimit(flow);
  if (limit !== null) {
    const isOver = limit <= around.now;
    list.add("MAX_AGE", undefined, () => ({
      sentence: isOver
        ? `Its maxAge is over since ${span(around.now - limit)}: it ends FAILED when what runs has answered.`
        : `Its maxAge ends it in ${span(limit - around.now)}.`,
      data: { at: limit, maxAge: flow.options.maxAge },
      movedBy: isOver ? "The answers, or timeouts, of what runs." : "Time; a manual retry begins a new age.",
    }));
  }
}

function explainHold(list: ReasonList, flow: Flow, now: number): void {
  const { pause: current, taskflowId } = flow;
  if (current) {
    const why = current.reason === null ? "" : `: ${cut(current.reason)}`;
    const data = { reason: current.reason, since: current.at, by: current.by };
    const since = span(now - current.at);
    if (current.by === null) {
      list.add("PAUSED", undefined, () => ({
        sentence: `It is paused since ${since}${why}.`,
        data,
        movedBy: `resumeTaskflow { taskflowId: "${taskflowId}" }`,
      }));
    } else {
      list.add("PAUSED_BY_PARENT", undefined, () => ({
        sentence: `It is paused together with taskflow ${current.by}, above it, since ${since}${why}.`,
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
      sentence: `A person is to decide: ${nameOf(task)} failed with ${error.type} at attempt ${task.attempt}: ${error.message}`,
      data: {
        error,
        attempt: task.attempt,
        decisions: ["retryTaskflow", "resolveTask", "cancelTaskflow"],
        expect: { taskId: id, attempt: task.attempt },
      },
      movedBy: "retryTaskflow (go on from it), resolveTask (give a result, or skip it) or cancelTaskflow.",
    }));
  }
}

const runningOf = (flow: Flow): number => flow.stages.reduce((sum, { count: of }) => sum + of.running, 0);

const blockerOf = (stage: Stage): Task | undefined => stage.tasks.find(({ blocks }) => blocks);

/** Stages that have not begun wait for the one that runs, if that lets them. */
function explainStages(list: ReasonList, flow: Flow): void {
  const current = flow.stages.find(({ status }) => status === "RUNNING");
  let blocker: Task | undefined;
  for (const stage of flow.stages) {
    blocker ??= flow.awaiting.size > 0 ? undefined : blockerOf(stage);
    if (stage.status !== "WAITING" || !current) continue;
    const blocked = blocker;
    if (blocked && stage.count.selected === 0) {
      list.add("BLOCKED", stage, () => ({
        sentence: `Stage "${stage.name}" will not run: ${nameOf(blocked)} is ${blocked.status}, and that blocks what comes after.`,
        data: { blockedBy: taskId(flow.idBase, blocked.ordinal), error: blocked.error?.type ?? null },
        movedBy: "retryTaskflow or resolveTask, for the task that blocks.",
      }));
    } else {
      list.add("EARLIER_STAGE", stage, () => ({
        sentence: `Stage "${stage.name}" waits for stage "${current.name}", of which ${current.count.settled} of ${count(current.tasks.length, "task")} are done.`,
        data: { stage: current.name, done: current.count.settled, tasks: current.tasks.length },
        movedBy: `The end of stage "${current.name}".`,
      }));
    }
  }
}

import { watchAge, watchTaskAge } from "./max-age.ts";
import { queryOutcome } from "./in-doubt.ts";
import { isFinished, isOver, nextUndo, type Task } from "../model/flow.ts";
import { follow } from "./children.ts";
import type { Input } from "./inputs.ts";
import { begin, goOn } from "./stage.ts";
import { record, type Step } from "./step.ts";
import { delayEnd, retryDue } from "./task.ts";
import { isHeld, tryLater } from "./turned-away.ts";

/**
 * Continues a taskflow that a coordinator has read from the store. Attempts sent before may be
 * running, done or never sent: their outcome is queried. Waiting tasks get their timers back.
 */
export function recover(step: Step, { fence, inFlight, isReopened }: Extract<Input, { kind: "recover" }>): void {
  const { flow } = step;
  if (isOver(flow) && !isReopened) return;
  if (flow.fence !== fence) record(step, { kind: "owned", fence });
  follow(step);
  if (flow.undo.status === "RUNNING") {
    const next = nextUndo(flow);
    if (next) recoverTask(step, next, inFlight);
  }
  if (isFinished(flow.status)) return;
  if (flow.status === "WAITING") return begin(step);
  watchAge(step);
  const stage = flow.stages.find((candidate) => candidate.status === "RUNNING");
  // It was computing the next stage's condition, or its output.
  if (!stage) return goOn(step);
  for (const task of stage.tasks) {
    if (isFinished(flow.status)) return;
    recoverTask(step, task, inFlight);
  }
}

function recoverTask(step: Step, task: Task, inFlight: ReadonlySet<number> | undefined): void {
  const { flow } = step;
  // A running task may wait again, and its maxAge then applies.
  if (task.open) watchTaskAge(step, task);
  if (task.status === "WAITING") recoverWaiting(step, task);
  else if (task.status !== "RUNNING" || task.pendingResponse !== null) return;
  else if (isHeld(flow, task)) tryLater(step, task);
  else if (!inFlight?.has(task.ordinal) && !flow.repeats.has(task.ordinal)) queryOutcome(step, task);
}

function recoverWaiting(step: Step, task: Task): void {
  if (!task.open) return;
  if (task.inDoubt !== null) return queryOutcome(step, task);
  if (task.retryAt === null) {
    step.flow.due.add(task.ordinal);
    return;
  }
  step.effects.push({ kind: "timer", at: delayEnd(task, step.now), input: retryDue(task) });
}

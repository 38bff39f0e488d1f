/**
 * Explains, in words and as data, why each unfinished part of a taskflow is not moving, and what
 * would move it.
 */
import type { Explanation, Reason } from "../../../schemas/explanation.schema.ts";
import type { ReasonCode } from "../../../schemas/reasons.ts";
import { explainEnd } from "./end.ts";
import { explainUnfinished } from "./flow.ts";
import { explainTask } from "./task.ts";
import { type Flow, isFinished, isSettled } from "../model/flow.ts";
import { count, cut, ReasonList } from "./reason.ts";
import type { Observations } from "./observed.ts";

export function explain(flow: Flow, observed: Observations): Explanation {
  const list = new ReasonList(flow);
  if (isFinished(flow.status)) explainEnd(list, flow, observed);
  else {
    explainUnfinished(list, flow, observed);
    const current = flow.stages.find(({ status }) => status === "RUNNING");
    for (const task of current?.tasks ?? []) if (!isSettled(task.status)) explainTask(list, flow, task, observed);
  }
  if (list.isEmpty) {
    list.add("PROGRESSING", undefined, () => ({
      sentence: "Nothing holds it up: its next step is under way.",
      movedBy: "No action is needed.",
    }));
  }
  const { reasons, omitted } = list.toArray();
  const { taskflowId, status } = flow;
  const others = Object.keys(omitted).length > 0 ? { omitted } : {};
  return { taskflowId, status, summary: summaryOf(flow, reasons, omitted), reasons, ...others };
}

function summaryOf(flow: Flow, reasons: readonly Reason[], omitted: Partial<Record<ReasonCode, number>>): string {
  const { name, taskflowId, status, settled, tasks } = flow;
  const more = reasons.length - 1 + Object.values(omitted).reduce((sum, each) => sum + each, 0);
  const done = isFinished(status)
    ? ""
    : `, ${settled} of ${count(tasks.length, "task")} ${tasks.length === 1 ? "is" : "are"} done`;
  const others = more > 0 ? ` (${count(more, "more reason")})` : "";
  return `Taskflow "${cut(name ?? taskflowId)}" is ${status}${done}. ${reasons[0]?.sentence ?? ""}${others}`;
}

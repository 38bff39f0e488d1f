/** What subscribers are to be told of a fact, written down apart from the engine's own writer. */
import type { Fact } from "../../lib/core/journal/facts.ts";
import type { Flow } from "../../lib/core/model/flow.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";

/** An event without its `taskflowObject`, as JSON text; the state is the one that the fact left. */
export function expectedEvent(flow: Flow, fact: Fact, seq: number, timestamp: number): string {
  const { eventType, data } = subjectOf(flow, fact);
  return JSON.stringify({ eventType, seq, timestamp, data: { taskflowId: flow.taskflowId, createdAt: flow.createdAt, ...data } });
}

function subjectOf(flow: Flow, fact: Fact): { eventType: string; data: Record<string, unknown> } {
  switch (fact.kind) {
    case "created":
      return { eventType: "TASKFLOW", data: { taskflowStatus: "WAITING" } };
    case "flow":
      // What JSON leaves out is absent.
      return { eventType: "TASKFLOW", data: { taskflowStatus: fact.status, output: fact.output } };
    case "stage":
      return {
        eventType: "STAGE",
        data: { stageId: stageId(flow.idBase, fact.stage), stageName: flow.stages[fact.stage]?.name, stageStatus: fact.status },
      };
    case "started":
    case "withdrawn":
    case "delayed":
    case "reset":
    case "settled": {
      const task = flow.tasks[fact.task];
      const status = fact.kind === "settled" ? fact.status : fact.kind === "started" ? "RUNNING" : "WAITING";
      const response = "response" in fact && fact.response !== undefined ? (JSON.parse(fact.response) as unknown) : null;
      const error = "error" in fact ? { error: fact.error } : {};
      const attempt = fact.kind === "started" ? fact.attempt : task?.attempt;
      const stage = { stageId: stageId(flow.idBase, task?.stage.index ?? 0), stageName: task?.stage.name };
      const ids = { attempt, ...stage, taskId: taskId(flow.idBase, fact.task), taskName: task?.definition.name };
      return { eventType: "TASK", data: { ...ids, taskStatus: status, taskResponse: response, ...error } };
    }
    default:
      throw new Error(`A fact of kind ${fact.kind} is no event.`);
  }
}

/** An event's text without its tree; the text as it is if it has none. */
export function withoutTree(text: string): string {
  const at = text.indexOf(',"taskflowObject":');
  return at === -1 ? text : `${text.slice(0, at)}}}`;
}

/** The answer is left out of what the history tells of an attempt that a later one replaced. */
export function withoutResponse(text: string): string {
  return text.replace(/"taskResponse":(?:"[^"]*"|\{[^}]*\}|[^,}]*)/, '"taskResponse":null');
}

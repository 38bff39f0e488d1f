/** The execution context: what a task's handler is told of the run that it is part of, as JSON text made of shared pieces. */
import { optionsText } from "../options.ts";
import type { Flow, JsonText, Stage, Task } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";

/** Rows of `previousStageRes` by stage; a stage that has ended does not change unless it runs again. */
const rowsOf = new WeakMap<Stage, { finishedAt: number | null; text: string }>();

/** The stage whose responses a stage is given: the nearest one before it that was not skipped. */
function previousStage(flow: Flow, stage: Stage): Stage | undefined {
  for (let index = stage.index - 1; index >= 0; index--) {
    const candidate = flow.stages[index];
    if (candidate && candidate.status !== "SKIPPED") return candidate;
  }
  return undefined;
}

/** `previousStageRes` of the tasks of a stage as JSON text, in definition order; undefined for the first stage. */
export function previousStageRes(flow: Flow, stage: Stage): string | undefined {
  const previous = previousStage(flow, stage);
  if (!previous) return undefined;
  const known = rowsOf.get(previous);
  if (known && known.finishedAt === previous.finishedAt) return known.text;
  const rows = previous.tasks.map((task) => {
    const response = task.status === "SUCCESS" ? (task.response ?? "null") : "null";
    const name = JSON.stringify(task.definition.name);
    return `{"taskName":${name},"response":${response},"taskId":"${taskId(flow.idBase, task.ordinal)}","status":"${task.status}"}`;
  });
  const text = `[${rows.join(",")}]`;
  rowsOf.set(previous, { finishedAt: previous.finishedAt, text });
  return text;
}

/** The meta that travels with a task: the producer's, then the task's own. */
export function metaOf(flow: Flow, task: Task): Record<string, unknown> {
  return { ...flow.meta, ...task.definition.meta };
}

/** The execution context of the running attempt of a task. */
export function executionContext(flow: Flow, task: Task): JsonText {
  const { definition, options, attempt, stage } = task;
  const id = taskId(flow.idBase, task.ordinal);
  const previous = previousStageRes(flow, stage);
  const forwarded = options.forwardContext ? `"context":${JSON.stringify(flow.definition.context ?? null)},` : "";
  const info =
    `{"id":"${id}","attempt":${attempt},"meta":${JSON.stringify(metaOf(flow, task))},"params":${JSON.stringify(definition.params ?? {})},` +
    `"options":${optionsText(options)},"status":"${task.status}","nestedActiveRunningTaskFlowIds":[],"nestedTaskflows":[],` +
    `"name":${JSON.stringify(definition.name)},"type":"${definition.type}","taskDetails":${JSON.stringify(definition.taskDetails)}}`;
  return (`{${previous === undefined ? "" : `"previousStageRes":${previous},`}${forwarded}` +
    `"taskflow":{"id":"${flow.taskflowId}","stageId":"${stageId(flow.idBase, stage.index)}","createdAt":${flow.createdAt},"taskId":"${id}","delivery":${task.attempts.at(-1)?.deliveries ?? 1},"fence":${flow.fence},"taskInfo":${info}}}`) as JsonText;
}

/** Names the attempt to workers that remember outcomes. */
export function idempotencyKey(flow: Flow, task: Task): string {
  return `${flow.taskflowId}:${taskId(flow.idBase, task.ordinal)}:${task.attempt}`;
}

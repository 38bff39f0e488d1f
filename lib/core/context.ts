/** The execution context: what a task's handler is told of the run that it is part of, as JSON text made of shared pieces. */
import { optionsText } from "../options.ts";
import { activeChildrenOf } from "./details.ts";
import type { Flow, JsonText, Stage, Task } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";

/** Rows of `previousStageRes` as JSON texts, in definition order. */
interface Rows {
  readonly finishedAt: number | null;
  readonly rows: readonly string[];
  readonly text: string;
}

/** By stage; a stage that has ended does not change unless it runs again. */
const rowsOf = new WeakMap<Stage, Rows>();

/** Characters of a context that always travels by value. */
export const CONTEXT_BUDGET = 65_536;

/** The stage whose responses a stage is given: the nearest one before it that was not skipped. */
function previousStage(flow: Flow, stage: Stage): Stage | undefined {
  for (let index = stage.index - 1; index >= 0; index--) {
    const candidate = flow.stages[index];
    if (candidate && candidate.status !== "SKIPPED") return candidate;
  }
  return undefined;
}

/** `previousStageRes` of the tasks of a stage; undefined for the first stage. */
export function previousStageRes(flow: Flow, stage: Stage): Rows | undefined {
  const previous = previousStage(flow, stage);
  if (!previous) return undefined;
  const known = rowsOf.get(previous);
  if (known && known.finishedAt === previous.finishedAt) return known;
  const rows = previous.tasks.map((task) => {
    const response = task.status === "SUCCESS" ? (task.response ?? "null") : "null";
    const name = JSON.stringify(task.definition.name);
    return `{"taskName":${name},"response":${response},"taskId":"${taskId(flow.idBase, task.ordinal)}","status":"${task.status}"}`;
  });
  const made = { finishedAt: previous.finishedAt, rows, text: `[${rows.join(",")}]` };
  rowsOf.set(previous, made);
  return made;
}

/** What the handler is told of its meta: with the context of the parent's task, which tells of its own parent, and so on. */
function toldMeta(flow: Flow, task: Task): Record<string, unknown> {
  const meta = metaOf(flow, task);
  return flow.parent ? { ...meta, taskflowExecutionContext: flow.parentContext } : meta;
}

/** The meta that travels with a task: the producer's, then the task's own. */
export function metaOf(flow: Flow, task: Task): Record<string, unknown> {
  return { ...flow.meta, ...task.definition.meta };
}

/**
 * The execution context of the running attempt of a task.
 * @param fits asked where it is longer than `CONTEXT_BUDGET`: may so many characters travel by value? If not, the answers of the stage before go by
 * reference, and params that would still be too long are left out here (the handler has them as its own)
 */
export function executionContext(flow: Flow, task: Task, fits: (length: number) => boolean): JsonText {
  const previous = task.undoes ? undefined : previousStageRes(flow, task.stage);
  const params = JSON.stringify(task.definition.params ?? {});
  const whole = contextText(flow, task, previous?.text, params);
  if (whole.length <= CONTEXT_BUDGET || fits(whole.length)) return whole;
  const id = taskId(flow.idBase, task.ordinal);
  const reference =
    previous &&
    `{"$ref":"${flow.taskflowId}/${id}/previousStageRes","count":${previous.rows.length},"bytes":${previous.text.length}}`;
  const referring = contextText(flow, task, reference, params);
  if (referring.length <= CONTEXT_BUDGET || fits(referring.length)) return referring;
  return contextText(flow, task, reference, `{"$omitted":${params.length}}`);
}

function contextText(flow: Flow, task: Task, previous: string | undefined, params: string): JsonText {
  const { definition, options, attempt, stage } = task;
  const id = taskId(flow.idBase, task.ordinal);
  const forwarded = options.forwardContext ? `"context":${JSON.stringify(flow.definition.context ?? null)},` : "";
  const info =
    `{"id":"${id}","attempt":${attempt},"meta":${JSON.stringify(toldMeta(flow, task))},"params":${params},` +
    `"options":${optionsText(options)},"status":"${task.status}","nestedActiveRunningTaskFlowIds":${JSON.stringify(activeChildrenOf(task))},` +
    `"nestedTaskflows":${task.children.length === 0 ? "[]" : JSON.stringify(task.children.map((child) => child.id))},` +
    `"name":${JSON.stringify(definition.name)},"type":"${definition.type}","taskDetails":${JSON.stringify(definition.taskDetails)}}`;
  const delivery = task.attempts.at(-1)?.deliveries ?? 1;
  return (`{${previous === undefined ? "" : `"previousStageRes":${previous},`}${forwarded}` +
    `"taskflow":{"id":"${flow.taskflowId}","stageId":"${stageId(flow.idBase, stage.index)}","createdAt":${flow.createdAt},` +
    `"taskId":"${id}","delivery":${delivery},"fence":${flow.fence},"taskInfo":${info}}}`) as JsonText;
}

/** Names the attempt to workers that remember outcomes. */
export function idempotencyKey(flow: Flow, task: Task): string {
  return keyOf(flow, task, task.attempt);
}

/** The same of an earlier attempt. */
export function keyOf(flow: Flow, task: Task, attempt: number): string {
  return `${flow.taskflowId}:${taskId(flow.idBase, task.ordinal)}:${attempt}`;
}

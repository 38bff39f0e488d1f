/** The execution context: what a task's handler is told of the run that it is part of, as JSON text made of shared pieces. */
import { optionsText } from "../model/options.ts";
import { activeChildrenOf } from "./details.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import type { JsonText } from "../model/values.ts";
import { stageId, taskId } from "../model/ids.ts";
import { isRecord } from "../../util/record.ts";

/** A stage's answers as the tasks of the next one get them. */
interface Answers {
  readonly changedAt: number;
  readonly count: number;
  readonly text: string;
}

/** By stage: one that has ended changes only where it runs again or a person decides about a task of it. */
const answersOf = new WeakMap<Stage, Answers>();

/** Characters of a context that always travels by value. */
export const CONTEXT_BUDGET = 65_536;

/** The stage whose responses a stage is given: the nearest one before it that was not skipped. */
export function previousStage(flow: Flow, stage: Stage): Stage | undefined {
  for (let index = stage.index - 1; index >= 0; index--) {
    const candidate = flow.stages[index];
    if (candidate && candidate.status !== "SKIPPED") return candidate;
  }
  return undefined;
}

/** The rows of `previousStageRes` of the tasks of a stage as JSON texts, in definition order; none for the first stage. */
export function previousRows(flow: Flow, stage: Stage): string[] {
  const previous = previousStage(flow, stage);
  return previous ? rowsOf(flow, previous) : [];
}

function rowsOf(flow: Flow, { tasks }: Stage): string[] {
  return tasks.map((task) => {
    const response = task.status === "SUCCESS" ? (task.response ?? "null") : "null";
    const name = JSON.stringify(task.definition.name);
    return `{"taskName":${name},"response":${response},"taskId":"${taskId(flow.idBase, task.ordinal)}","status":"${task.status}"}`;
  });
}

/** `previousStageRes` of the tasks of a stage; undefined for the first stage. */
function previousAnswers(flow: Flow, stage: Stage): Answers | undefined {
  const previous = previousStage(flow, stage);
  if (!previous) return undefined;
  const known = answersOf.get(previous);
  if (known && known.changedAt === previous.changedAt) return known;
  const { changedAt, tasks } = previous;
  const made = { changedAt, count: tasks.length, text: `[${rowsOf(flow, previous).join(",")}]` };
  answersOf.set(previous, made);
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
  const previous = task.undoes ? undefined : previousAnswers(flow, task.stage);
  const params = JSON.stringify(task.definition.params ?? {});
  const whole = contextText(flow, task, previous?.text, params);
  if (whole.length <= CONTEXT_BUDGET || fits(whole.length)) return whole;
  const id = taskId(flow.idBase, task.ordinal);
  const reference =
    previous &&
    `{"$ref":"${flow.taskflowId}/${id}/previousStageRes/${previous.changedAt}","count":${previous.count},"bytes":${previous.text.length}}`;
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

/** Bytes of the context that a nested taskflow keeps of its parent. */
const NESTED_BUDGET = 16_384;

/**
 * The execution context of the running attempt of a task as the taskflows that it produces keep it, all levels above in it. Past a size only what tells
 * where they stand is left, at every level.
 */
export function nestedContext(flow: Flow, task: Task): unknown {
  const text = executionContext(flow, task, () => true);
  const whole = JSON.parse(text) as Json;
  if (text.length <= NESTED_BUDGET) return whole;
  const withMeta = shorten(whole, true);
  return JSON.stringify(withMeta).length <= NESTED_BUDGET ? withMeta : shorten(whole, false);
}

type Json = Readonly<Record<string, unknown>>;

/** In place of a value that is left out; what is shorter than that stays. */
function omit(value: unknown): unknown {
  const bytes = value === undefined ? 0 : JSON.stringify(value).length;
  return bytes <= 64 ? value : { $omitted: bytes };
}

function shorten(context: unknown, keepMeta: boolean): unknown {
  if (!isRecord(context) || !isRecord(context["taskflow"])) return context;
  const { previousStageRes: _, context: _context, taskflow, ...rest } = context;
  const { taskInfo, ...place } = taskflow;
  if (!isRecord(taskInfo)) return { ...rest, taskflow: place };
  const { params, options, meta, nestedTaskflows, nestedActiveRunningTaskFlowIds, ...info } = taskInfo;
  const { taskflowExecutionContext: parent, ...own } = isRecord(meta) ? meta : {};
  const kept = keepMeta ? own : { $omitted: JSON.stringify(own).length };
  const left = {
    params: omit(params),
    options: omit(options),
    nestedTaskflows: omit(nestedTaskflows),
    nestedActiveRunningTaskFlowIds: omit(nestedActiveRunningTaskFlowIds),
    meta: parent === undefined ? kept : { ...kept, taskflowExecutionContext: shorten(parent, keepMeta) },
  };
  return { ...rest, taskflow: { ...place, taskInfo: { ...info, ...left } } };
}

/** Names the attempt to workers that remember outcomes. */
export function idempotencyKey(flow: Flow, task: Task): string {
  return keyOf(flow, task, task.attempt);
}

/** The same of an earlier attempt. */
export function keyOf(flow: Flow, task: Task, attempt: number): string {
  return `${flow.taskflowId}:${taskId(flow.idBase, task.ordinal)}:${attempt}`;
}

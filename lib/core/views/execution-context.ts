/**
 * The execution context: the part of a run that a task's handler sees, as JSON text made of shared
 * pieces.
 */
import { optionsText } from "../model/options.ts";
import { activeChildrenOf } from "./details.ts";
import { currentDefinition, type Flow, type Stage, type Task } from "../model/flow.ts";
import type { JsonText } from "../model/values.ts";
import { stageId, taskId } from "../model/ids.ts";
import { isRecord } from "../../util/record.ts";

/** The responses of a stage, as the tasks of the next stage receive them. */
interface StageResponses {
  readonly changedAt: number;
  readonly count: number;
  readonly text: string;
}

/**
 * By stage. An ended stage changes only if it runs again or a person decides about one of its
 * tasks.
 */
const responsesOf = new WeakMap<Stage, StageResponses>();

/** A context of up to this many characters always travels by value. */
export const CONTEXT_BUDGET = 65_536;

/** The stage whose responses a stage receives: the nearest one before it that was not skipped. */
export function previousStage(flow: Flow, stage: Stage): Stage | undefined {
  for (let index = stage.index - 1; index >= 0; index--) {
    const candidate = flow.stages[index];
    if (candidate && candidate.status !== "SKIPPED") return candidate;
  }
  return undefined;
}

/**
 * The rows of a stage's `previousStageRes` as JSON texts, in definition order; none for the first
 * stage.
 */
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

/** A stage's `previousStageRes`; undefined for the first stage. */
function previousResponses(flow: Flow, stage: Stage): StageResponses | undefined {
  const previous = previousStage(flow, stage);
  if (!previous) return undefined;
  const cached = responsesOf.get(previous);
  if (cached && cached.changedAt === previous.changedAt) return cached;
  const { changedAt, tasks } = previous;
  const responses = { changedAt, count: tasks.length, text: `[${rowsOf(flow, previous).join(",")}]` };
  responsesOf.set(previous, responses);
  return responses;
}

/**
 * The meta as the handler sees it: with the parent task's context, which contains its own parent's,
 * and so on.
 */
function contextMeta(flow: Flow, task: Task): Record<string, unknown> {
  const meta = metaOf(flow, task);
  return flow.parent ? { ...meta, taskflowExecutionContext: flow.parentContext } : meta;
}

/** The meta that travels with a task: the producer's, overridden by the task's own. */
export function metaOf(flow: Flow, task: Task): Record<string, unknown> {
  return { ...flow.meta, ...task.definition.meta };
}

/**
 * The execution context of the running attempt of a task.
 * @param fits asked beyond `CONTEXT_BUDGET`: may this many characters travel by value? If not, the
 *   responses of the previous stage travel by reference, and params that are still too long are
 *   omitted (the handler receives them as its own)
 */
export function executionContext(flow: Flow, task: Task, fits: (length: number) => boolean): JsonText {
  const previous = task.undoes ? undefined : previousResponses(flow, task.stage);
  const params = JSON.stringify(currentDefinition(task).params ?? {});
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
    `{"id":"${id}","attempt":${attempt},"meta":${JSON.stringify(contextMeta(flow, task))},"params":${params},` +
    `"options":${optionsText(options)},"status":"${task.status}","nestedActiveRunningTaskFlowIds":${JSON.stringify(activeChildrenOf(task))},` +
    `"nestedTaskflows":${task.children.length === 0 ? "[]" : JSON.stringify(task.children.map((child) => child.id))},` +
    `"name":${JSON.stringify(definition.name)},"type":"${definition.type}","taskDetails":${JSON.stringify(definition.taskDetails)}}`;
  const delivery = task.attempts.at(-1)?.deliveries ?? 1;
  return (`{${previous === undefined ? "" : `"previousStageRes":${previous},`}${forwarded}` +
    `"taskflow":{"id":"${flow.taskflowId}","stageId":"${stageId(flow.idBase, stage.index)}","createdAt":${flow.createdAt},` +
    `"taskId":"${id}","delivery":${delivery},"fence":${flow.fence},"taskInfo":${info}}}`) as JsonText;
}

/** Length of the parent's context that a nested taskflow keeps in full. */
const NESTED_BUDGET = 16_384;

/**
 * The execution context of a running attempt, as the taskflows it produces keep it: all levels
 * above included. Beyond the budget only the ids that place them are left, at every level.
 */
export function nestedContext(flow: Flow, task: Task): unknown {
  const text = executionContext(flow, task, () => true);
  const whole = JSON.parse(text) as Json;
  if (text.length <= NESTED_BUDGET) return whole;
  const withMeta = shorten(whole, true);
  return JSON.stringify(withMeta).length <= NESTED_BUDGET ? withMeta : shorten(whole, false);
}

type Json = Readonly<Record<string, unknown>>;

/** Replaces a value by its length; shorter values stay. */
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
  const shortened = {
    params: omit(params),
    options: omit(options),
    nestedTaskflows: omit(nestedTaskflows),
    nestedActiveRunningTaskFlowIds: omit(nestedActiveRunningTaskFlowIds),
    meta: parent === undefined ? kept : { ...kept, taskflowExecutionContext: shorten(parent, keepMeta) },
  };
  return { ...rest, taskflow: { ...place, taskInfo: { ...info, ...shortened } } };
}

/** Identifies the running attempt to workers that keep outcomes. */
export function idempotencyKey(flow: Flow, task: Task): string {
  return keyOf(flow, task, task.attempt);
}

/** The idempotency key of an earlier attempt. */
export function keyOf(flow: Flow, task: Task, attempt: number): string {
  return `${flow.taskflowId}:${taskId(flow.idBase, task.ordinal)}:${attempt}`;
}

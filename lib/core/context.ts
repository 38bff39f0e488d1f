/** The execution context: what a task's handler is told of the run that it is part of, as JSON text made of shared pieces. */
import { optionsText } from "../options.ts";
import type { Flow, JsonText, Stage, Task } from "./flow.ts";
import { stageId, taskId } from "./ids.ts";

/** A stage's answers as the tasks of the next one get them. */
interface Answers {
  readonly finishedAt: number | null;
  readonly count: number;
  readonly text: string;
}

/** By stage; a stage that has ended does not change unless it runs again. */
const answersOf = new WeakMap<Stage, Answers>();

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
  if (known && known.finishedAt === previous.finishedAt) return known;
  const { finishedAt, tasks } = previous;
  const made = { finishedAt, count: tasks.length, text: `[${rowsOf(flow, previous).join(",")}]` };
  answersOf.set(previous, made);
  return made;
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
  const previous = previousAnswers(flow, task.stage);
  const params = JSON.stringify(task.definition.params ?? {});
  const whole = contextText(flow, task, previous?.text, params);
  if (whole.length <= CONTEXT_BUDGET || fits(whole.length)) return whole;
  const id = taskId(flow.idBase, task.ordinal);
  const reference =
    previous && `{"$ref":"${flow.taskflowId}/${id}/previousStageRes","count":${previous.count},"bytes":${previous.text.length}}`;
  const referring = contextText(flow, task, reference, params);
  if (referring.length <= CONTEXT_BUDGET || fits(referring.length)) return referring;
  return contextText(flow, task, reference, `{"$omitted":${params.length}}`);
}

function contextText(flow: Flow, task: Task, previous: string | undefined, params: string): JsonText {
  const { definition, options, attempt, stage } = task;
  const id = taskId(flow.idBase, task.ordinal);
  const forwarded = options.forwardContext ? `"context":${JSON.stringify(flow.definition.context ?? null)},` : "";
  const info =
    `{"id":"${id}","attempt":${attempt},"meta":${JSON.stringify(metaOf(flow, task))},"params":${params},` +
    `"options":${optionsText(options)},"status":"${task.status}","nestedActiveRunningTaskFlowIds":[],"nestedTaskflows":[],` +
    `"name":${JSON.stringify(definition.name)},"type":"${definition.type}","taskDetails":${JSON.stringify(definition.taskDetails)}}`;
  const delivery = task.attempts.at(-1)?.deliveries ?? 1;
  return (`{${previous === undefined ? "" : `"previousStageRes":${previous},`}${forwarded}` +
    `"taskflow":{"id":"${flow.taskflowId}","stageId":"${stageId(flow.idBase, stage.index)}","createdAt":${flow.createdAt},` +
    `"taskId":"${id}","delivery":${delivery},"fence":${flow.fence},"taskInfo":${info}}}`) as JsonText;
}

/** Names the attempt to workers that remember outcomes. */
export function idempotencyKey(flow: Flow, task: Task): string {
  return `${flow.taskflowId}:${taskId(flow.idBase, task.ordinal)}:${task.attempt}`;
}

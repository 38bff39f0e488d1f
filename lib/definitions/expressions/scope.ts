/** The scope: the values that expressions see. */
import type { Flow, Stage, Task } from "../../core/model/flow.ts";
import { previousRows } from "../../core/views/execution-context.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import type { Expression, Step } from "./expression.ts";
import { NOT_PLAIN, walk } from "./path.ts";
import { needsOf } from "./references.ts";

interface ParsedResponse {
  readonly text: string;
  readonly value: unknown;
}

/** Many tasks of a stage read the same responses. */
const responses = new BoundedMap<Task, ParsedResponse>(200);

/** Failed and skipped tasks have no response, as in `previousStageRes`. */
const responseText = ({ status, response }: Task): string => (status === "SUCCESS" ? (response ?? "null") : "null");

function responseOf(task: Task): unknown {
  const text = responseText(task);
  const known = responses.get(task);
  if (known?.text === text) return known.value;
  const value: unknown = JSON.parse(text);
  responses.set(task, { text, value });
  return value;
}

function taskflowOf({ taskflowId, name, createdAt, retryAttempt, definition }: Flow): Record<string, unknown> {
  const { tags = [], attributes = {}, tenant = null } = definition;
  return { id: taskflowId, name, createdAt, retryAttempt, tags, attributes, tenant };
}

/**
 * The value of a plain path; NOT_PLAIN: JSONata has to compute it.
 * @param stage where the expression stands; undefined: at the end of the taskflow
 */
export function plainValue(flow: Flow, stage: Stage | undefined, [root, ...steps]: readonly Step[]): unknown {
  switch (root) {
    case "context":
      return walk(flow.definition.context, steps);
    case "taskflow":
      return walk(taskflowOf(flow), steps);
    case "previousStageRes":
      return stage && walk(JSON.parse(`[${previousRows(flow, stage).join(",")}]`), steps);
    case "stages":
      return plainResponse(flow, steps);
    default:
      return undefined;
  }
}

/** Tasks by their stages' and their own names; a taskflow's tasks never change. */
const tasksByName = new WeakMap<Flow, ReadonlyMap<unknown, ReadonlyMap<unknown, Task>>>();

function taskNamed(flow: Flow, stage: Step | undefined, task: Step | undefined): Task | undefined {
  let stages = tasksByName.get(flow);
  if (!stages) {
    const byName = ({ tasks }: Stage): Map<string, Task> => new Map(tasks.map((each) => [each.definition.name, each]));
    stages = new Map(flow.stages.map((each) => [each.name, byName(each)]));
    tasksByName.set(flow, stages);
  }
  return stages.get(stage)?.get(task);
}

function plainResponse(flow: Flow, steps: readonly Step[]): unknown {
  const [stageName, tasksKey, taskName, key, ...rest] = steps;
  if (key === undefined) return NOT_PLAIN;
  if (tasksKey !== "tasks") return undefined;
  const task = taskNamed(flow, stageName, taskName);
  if (!task) return undefined;
  if (key === "response") return walk(responseOf(task), rest);
  return key === "status" && rest.length === 0 ? task.status : undefined;
}

/** The scope as JSON text: the parts of it that the expressions need. */
export function scopeText(flow: Flow, stage: Stage | undefined, expressions: readonly Expression[]): string {
  const needs = needsOf(expressions);
  const isNeeded = (root: string): boolean => needs?.roots.has(root) ?? true;
  const parts: string[] = [];
  if (isNeeded("context")) parts.push(`"context":${JSON.stringify(flow.definition.context ?? null)}`);
  if (isNeeded("taskflow")) parts.push(`"taskflow":${JSON.stringify(taskflowOf(flow))}`);
  if (stage && isNeeded("previousStageRes")) parts.push(`"previousStageRes":[${previousRows(flow, stage).join(",")}]`);
  if (isNeeded("stages")) parts.push(`"stages":{${stagesText(flow, needs?.stages).join(",")}}`);
  return `{${parts.join(",")}}`;
}

function stagesText(flow: Flow, needed: readonly { stage: string; task: string | undefined }[] | undefined): string[] {
  return flow.stages.flatMap((stage) => {
    const wanted = needed?.filter((need) => need.stage === stage.name);
    if (wanted?.length === 0) return [];
    const names = wanted?.every(({ task }) => task !== undefined) ? new Set(wanted.map(({ task }) => task)) : undefined;
    return [`${JSON.stringify(stage.name)}:{"status":"${stage.status}","tasks":{${tasksText(stage, names).join(",")}}}`];
  });
}

function tasksText({ tasks }: Stage, names: ReadonlySet<string | undefined> | undefined): string[] {
  const wanted = names ? tasks.filter(({ definition }) => names.has(definition.name)) : tasks;
  return wanted.map(
    (task) => `${JSON.stringify(task.definition.name)}:{"status":"${task.status}","response":${responseText(task)}}`,
  );
}

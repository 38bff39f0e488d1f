/** Stages and tasks by what people call them. */
import { refuse, type Refusal } from "./command.ts";
import type { Flow, Stage, Task } from "./flow.ts";
import { stageId, stageIndexOf, taskOrdinalOf } from "./ids.ts";

/** How many names an error lists. */
const LISTED = 10;

/** By id or name; refused with STAGE_NOT_FOUND. */
export function findStage(flow: Flow, ref: string): Stage | Refusal {
  const index = stageIndexOf(flow.idBase, ref);
  const found = (index === undefined ? undefined : flow.stages[index]) ?? flow.stages.find((stage) => stage.name === ref);
  if (found) return found;
  const known = flow.stages.slice(0, LISTED).map((stage) => `"${stage.name}" (${stageId(flow.idBase, stage.index)})`);
  const message = `Taskflow "${flow.taskflowId}" has no stage "${ref}". It has ${known.join(", ")}${flow.stages.length > LISTED ? ", …" : ""}.`;
  return refuse("STAGE_NOT_FOUND", message, { taskflowId: flow.taskflowId, stage: ref });
}

/** Tasks by name, of those that were asked for by name: a retry may name thousands. Names never change. */
const named = new WeakMap<readonly Task[], ReadonlyMap<string, Task[]>>();

function tasksNamed(tasks: readonly Task[], name: string): readonly Task[] {
  let byName = named.get(tasks);
  if (!byName) {
    byName = Map.groupBy(tasks, ({ definition }) => definition.name);
    named.set(tasks, byName);
  }
  return byName.get(name) ?? [];
}

/**
 * By id, or by a name that only one task has; refused with TASK_NOT_FOUND.
 * @param stage where it has to be; anywhere if absent
 */
export function findTask(flow: Flow, ref: string, stage?: Stage): Task | Refusal {
  const ordinal = taskOrdinalOf(flow.idBase, ref);
  const byId = ordinal === undefined ? undefined : flow.tasks[ordinal];
  const candidates = byId ? [byId] : tasksNamed(stage?.tasks ?? flow.tasks, ref);
  const [found] = candidates;
  if (found && candidates.length === 1 && (!stage || found.stage === stage)) return found;
  const data = { taskflowId: flow.taskflowId, task: ref, ...(stage ? { stage: stage.name } : {}) };
  const why =
    candidates.length > 1
      ? `${candidates.length} tasks have this name: give the id`
      : found
        ? `it stands in stage "${found.stage.name}", not in "${stage?.name ?? ""}"`
        : `there is no such task${stage ? ` in stage "${stage.name}"` : ""}`;
  return refuse("TASK_NOT_FOUND", `Taskflow "${flow.taskflowId}", task "${ref}": ${why}.`, data);
}

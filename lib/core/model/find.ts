/** Finds stages and tasks by id or name. */
import { refuse, type Refusal } from "./command.ts";
import type { Flow, Stage, Task } from "./flow.ts";
import { stageId, stageIndexOf, taskOrdinalOf } from "./ids.ts";

/** How many names an error lists. */
const LISTED = 10;

/** An index by name. */
type Named<Thing> = (name: string) => readonly Thing[];

/** Finds by id or name; refuses with STAGE_NOT_FOUND. */
export function findStage(flow: Flow, ref: string, named?: Named<Stage>): Stage | Refusal {
  const index = stageIndexOf(flow.idBase, ref);
  const byId = index === undefined ? undefined : flow.stages[index];
  const found = byId ?? (named ? named(ref)[0] : flow.stages.find((stage) => stage.name === ref));
  if (found) return found;
  const known = flow.stages.slice(0, LISTED).map((stage) => `"${stage.name}" (${stageId(flow.idBase, stage.index)})`);
  const message = `Taskflow "${flow.taskflowId}" has no stage "${ref}". It has ${known.join(", ")}${flow.stages.length > LISTED ? ", …" : ""}.`;
  return refuse("STAGE_NOT_FOUND", message, { taskflowId: flow.taskflowId, stage: ref });
}

/**
 * Finds by id, or by a name that is unique; refuses with TASK_NOT_FOUND.
 * @param stage the stage it must belong to; any if absent
 */
export function findTask(flow: Flow, ref: string, stage?: Stage, named?: Named<Task>): Task | Refusal {
  const ordinal = taskOrdinalOf(flow.idBase, ref);
  const byId = ordinal === undefined ? undefined : flow.tasks[ordinal];
  const byName = () => named?.(ref) ?? (stage?.tasks ?? flow.tasks).filter((task) => task.definition.name === ref);
  const candidates = byId ? [byId] : byName();
  const [found] = candidates;
  if (found && candidates.length === 1 && (!stage || found.stage === stage)) return found;
  const data = { taskflowId: flow.taskflowId, task: ref, ...(stage ? { stage: stage.name } : {}) };
  const why =
    candidates.length > 1
      ? `has ${candidates.length} tasks "${ref}": use the task's id`
      : found
        ? `has task "${ref}" in stage "${found.stage.name}", not in "${stage?.name ?? ""}"`
        : `has no task "${ref}"${stage ? ` in stage "${stage.name}"` : ""}`;
  return refuse("TASK_NOT_FOUND", `Taskflow "${flow.taskflowId}" ${why}.`, data);
}

/** Finds many stages and tasks of one taskflow: indexes their names once, on first use. */
export class Finder {
  readonly #flow: Flow;
  #stages: Named<Stage> | undefined;
  readonly #tasks = new Map<Stage | undefined, Named<Task>>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  stage(ref: string): Stage | Refusal {
    this.#stages ??= indexByName(this.#flow.stages, (stage) => stage.name);
    return findStage(this.#flow, ref, this.#stages);
  }

  task(ref: string, stage: Stage | undefined): Task | Refusal {
    let named = this.#tasks.get(stage);
    if (!named) this.#tasks.set(stage, (named = indexByName((stage ?? this.#flow).tasks, (task) => task.definition.name)));
    return findTask(this.#flow, ref, stage, named);
  }
}

function indexByName<Thing>(things: readonly Thing[], nameOf: (thing: Thing) => string): Named<Thing> {
  const names = new Map<string, Thing[]>();
  for (const thing of things) {
    const same = names.get(nameOf(thing));
    if (same) same.push(thing);
    else names.set(nameOf(thing), [thing]);
  }
  return (name) => names.get(name) ?? [];
}

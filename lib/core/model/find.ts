/** Stages and tasks by what people call them. */
import { refuse, type Refusal } from "./command.ts";
import type { Flow, Stage, Task } from "./flow.ts";
import { stageId, stageIndexOf, taskOrdinalOf } from "./ids.ts";

/** How many names an error lists. */
const LISTED = 10;

/** Whoever has this name, where somebody has looked that up. */
type Named<Thing> = (name: string) => readonly Thing[];

/** By id or name; refused with STAGE_NOT_FOUND. */
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
 * By id, or by a name that only one task has; refused with TASK_NOT_FOUND.
 * @param stage where it has to be; anywhere if absent
 */
export function findTask(flow: Flow, ref: string, stage?: Stage, named?: Named<Task>): Task | Refusal {
  const ordinal = taskOrdinalOf(flow.idBase, ref);
  const byId = ordinal === undefined ? undefined : flow.tasks[ordinal];
  const same = () => named?.(ref) ?? (stage?.tasks ?? flow.tasks).filter((task) => task.definition.name === ref);
  const candidates = byId ? [byId] : same();
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

/** Finds many of one taskflow: its names are listed once, those of a stage when one of them is asked for. */
export class Finder {
  readonly #flow: Flow;
  #stages: Named<Stage> | undefined;
  readonly #tasks = new Map<Stage | undefined, Named<Task>>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  stage(ref: string): Stage | Refusal {
    this.#stages ??= listed(this.#flow.stages, (stage) => stage.name);
    return findStage(this.#flow, ref, this.#stages);
  }

  task(ref: string, stage: Stage | undefined): Task | Refusal {
    let named = this.#tasks.get(stage);
    if (!named) this.#tasks.set(stage, (named = listed((stage ?? this.#flow).tasks, (task) => task.definition.name)));
    return findTask(this.#flow, ref, stage, named);
  }
}

function listed<Thing>(things: readonly Thing[], nameOf: (thing: Thing) => string): Named<Thing> {
  const names = new Map<string, Thing[]>();
  for (const thing of things) {
    const same = names.get(nameOf(thing));
    if (same) same.push(thing);
    else names.set(nameOf(thing), [thing]);
  }
  return (name) => names.get(name) ?? [];
}

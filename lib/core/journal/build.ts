import type { EffectiveOptions } from "../../../schemas/options.ts";
import { BoundedMap } from "../../util/bounded-map.ts";
import { resolveOptions } from "../model/options.ts";
import type { Created } from "./facts.ts";
import type { Flow, Stage, Task } from "../model/flow.ts";
import type { TaskDefinition } from "../model/values.ts";

/** Number of commands whose answers a taskflow remembers. */
export const COMMANDS_KEPT = 100;

/** Builds the taskflow from its first fact: WAITING, nothing started. */
export function build(created: Created, at: number): Flow {
  const { taskflowId, idBase, defaults, meta, definition, nested, copiedAt } = created;
  const options = resolveOptions(defaults, definition.options);
  const tasks: Task[] = [];
  const stages = definition.stages.map((stageDefinition, index): Stage => {
    const stage = buildStage(index, stageDefinition.name, resolveOptions(options, stageDefinition.options), stageDefinition.when);
    for (const taskDefinition of stageDefinition.tasks) {
      const task = buildTask(stage, tasks.length, taskDefinition, resolveOptions(stage.options, taskDefinition.options), null);
      tasks.push(task);
      stage.tasks.push(task);
    }
    return stage;
  });
  return {
    taskflowId,
    idBase,
    name: definition.name ?? null,
    definition,
    meta,
    options,
    rootId: nested?.rootId ?? taskflowId,
    parent: nested?.parent ?? null,
    parentContext: nested?.context ?? null,
    depth: nested?.depth ?? 0,
    createdAt: at,
    copiedAt: copiedAt ?? 0,
    stages,
    tasks,
    undo: buildUndo(stages.length, tasks, resolveOptions(options, { maxConcurrency: 1 })),
    undoing: { order: [], next: 0 },
    children: new Map(),
    childCount: { active: 0, abandoned: 0 },
    status: "WAITING",
    statusReason: null,
    startedAt: null,
    finishedAt: null,
    retryAttempt: 0,
    runStartedAt: at,
    runSeq: 0,
    passed: 0,
    error: null,
    output: undefined,
    revision: 0,
    seq: 1,
    fence: 1,
    settled: 0,
    pause: null,
    awaiting: new Set(),
    commands: new BoundedMap(COMMANDS_KEPT),
    annotations: [],
    aborting: false,
    due: new Set(),
    repeats: new Set(),
    turnedAway: new Map(),
    deadlines: new Map(),
    isFollowing: false,
  };
}

function buildStage(index: number, name: string, options: EffectiveOptions, when?: string): Stage {
  return {
    index,
    name,
    options,
    when,
    whenValues: null,
    tasks: [],
    status: "WAITING",
    startedAt: null,
    finishedAt: null,
    changedAt: 0,
    blockedAt: 0,
    count: { settled: 0, success: 0, failed: 0, running: 0, blocking: 0, open: 0, selected: 0 },
  };
}

/** The stage of compensations: one task for each task that can be undone. */
function buildUndo(index: number, tasks: readonly Task[], options: EffectiveOptions): Stage {
  const stage = buildStage(index, "compensation", options);
  for (const task of tasks) {
    const { name, type, compensate, meta } = task.definition;
    if (!compensate) continue;
    const { taskDetails } = compensate;
    const definition: TaskDefinition = { name: `${name} (compensation)`, type, taskDetails, ...(meta ? { meta } : {}) };
    task.undo = buildTask(stage, tasks.length + stage.tasks.length, definition, task.options, task);
    stage.tasks.push(task.undo);
  }
  return stage;
}

function buildTask(
  stage: Stage,
  ordinal: number,
  definition: TaskDefinition,
  options: EffectiveOptions,
  undoes: Task | null,
): Task {
  return {
    ordinal,
    stage,
    index: stage.tasks.length,
    definition,
    resolved: null,
    whenValues: null,
    options,
    status: "WAITING",
    attempt: 0,
    runAttempts: 0,
    attempts: [],
    attemptsOmitted: 0,
    dueSince: null,
    retryAt: null,
    response: null,
    error: null,
    blocks: false,
    open: false,
    selected: false,
    inDoubt: null,
    undoes,
    undo: null,
    children: [],
    activeChildren: 0,
    pendingResponse: null,
    respondedBy: null,
    isResolved: false,
    settledAt: 0,
  };
}

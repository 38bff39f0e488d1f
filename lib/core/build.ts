import { resolveOptions } from "../options.ts";
import type { Created } from "./facts.ts";
import type { Flow, Stage, Task } from "./flow.ts";

/** The taskflow that its first fact describes: WAITING, nothing begun. */
export function build(created: Created, at: number): Flow {
  const { taskflowId, idBase, defaults, meta, definition } = created;
  const options = resolveOptions(defaults, definition.options);
  const tasks: Task[] = [];
  const stages = definition.stages.map((given, index): Stage => {
    const stage: Stage = {
      index,
      name: given.name,
      options: resolveOptions(options, given.options),
      tasks: [],
      status: "WAITING",
      startedAt: null,
      finishedAt: null,
      count: { settled: 0, success: 0, failed: 0, running: 0, blocking: 0, open: 0, chosen: 0 },
    };
    for (const taskDefinition of given.tasks) {
      const task: Task = {
        ordinal: tasks.length,
        stage,
        index: stage.tasks.length,
        definition: taskDefinition,
        options: resolveOptions(stage.options, taskDefinition.options),
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
        chosen: false,
        doubt: null,
        isResolved: false,
        settledAt: 0,
      };
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
    rootId: taskflowId,
    createdAt: at,
    stages,
    tasks,
    status: "WAITING",
    statusReason: null,
    startedAt: null,
    finishedAt: null,
    retryAttempt: 0,
    runStartedAt: at,
    error: null,
    revision: 0,
    seq: 1,
    fence: 1,
    settled: 0,
    hold: null,
    awaiting: new Set(),
    commands: new Map(),
    annotations: [],
    aborting: false,
    due: new Set(),
    repeats: new Set(),
  };
}

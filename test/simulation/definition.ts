/**
 * Random taskflows, and what their options come to: worked out here a second time, apart from the
 * engine.
 */
import type { StoredDefinition } from "../../lib/core/model/values.ts";
import type { Options } from "../../schemas/options.ts";
import type { Random } from "./random.ts";

/** Actions that tasks call. */
export const ACTIONS = ["work.a", "work.b", "v2.work.c"] as const;

export interface EffectiveOptions {
  readonly timeout: number;
  readonly maxAge: number | undefined;
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoff: { type: "fixed" | "linear" | "exponential"; factor?: number; maxDelay?: number; jitter?: number };
  readonly continueOnTaskFailure: boolean;
  readonly exactlyOnceTaskExecution: boolean;
  readonly checkSuccess: boolean;
  readonly maxConcurrency: number | undefined;
}

const DEFAULTS: EffectiveOptions = {
  timeout: 60_000,
  maxAge: undefined,
  maxRetries: 0,
  retryDelay: 1_000,
  backoff: { type: "fixed" },
  continueOnTaskFailure: false,
  exactlyOnceTaskExecution: false,
  checkSuccess: true,
  maxConcurrency: undefined,
};

export interface PlannedTask {
  readonly ordinal: number;
  readonly stage: number;
  readonly options: EffectiveOptions;
}

export interface Plan {
  readonly definition: StoredDefinition;
  readonly text: string;
  /** Of the taskflow as a whole. */
  readonly options: EffectiveOptions;
  readonly tasks: readonly PlannedTask[];
  /** Ordinals of each stage. */
  readonly stages: readonly (readonly number[])[];
  readonly stageOptions: readonly EffectiveOptions[];
}

type Draft = { -readonly [Name in keyof Options]: Options[Name] };

function drawOptions(random: Random, share: number, hasPeople: boolean): Draft {
  const options: Draft = {};
  if (random.chance(share)) options.maxRetries = random.pick([0, 1, 1, 2, 3, 7, -1]);
  if (random.chance(share)) options.retryDelay = random.pick([0, 10, 100, 1_000, 5_000, 5_000, 20_000]);
  if (random.chance(share)) options.timeout = random.pick([50, 200, 500, 1_000, 3_000]);
  if (random.chance(share * 0.5)) {
    options.backoff = { type: random.pick(["fixed", "linear", "exponential"] as const) };
    if (random.chance(0.5)) options.backoff.factor = random.pick([1, 1.5, 2, 3]);
    if (options.backoff.type === "exponential" || random.chance(0.6)) options.backoff.maxDelay = random.pick([5, 500, 5_000]);
    if (random.chance(0.5)) options.backoff.jitter = random.pick([0, 0.3, 1]);
  }
  if (random.chance(share * 0.25)) options.maxAge = random.pick([40, 400, 2_000, 10_000]);
  if (random.chance(share)) options.continueOnTaskFailure = random.chance(0.6);
  if (random.chance(share * 0.5)) options.exactlyOnceTaskExecution = random.chance(0.7);
  if (random.chance(share * 0.3)) options.checkSuccess = random.chance(0.5);
  if (random.chance(share * 0.4)) options.maxConcurrency = random.int(1, 3);
  if (hasPeople && random.chance(share)) options.onFailure = random.pick(["pause", "fail"]);
  return options;
}

export function within(outer: EffectiveOptions, inner: Options | undefined): EffectiveOptions {
  const defined = Object.entries(inner ?? {}).filter(([, value]) => value !== undefined);
  return { ...outer, ...(Object.fromEntries(defined) as Partial<EffectiveOptions>) };
}

const detailsOf = (action: string): { serviceId: string; actionName: string; version?: number } =>
  action.startsWith("v2.")
    ? { serviceId: "work", actionName: action.slice(-1), version: 2 }
    : { serviceId: "work", actionName: action.slice(-1) };

/** Some have templates: one that is computed at once, and one that takes the sandbox. */
const paramsOf = (stage: number, task: number): object =>
  stage > 0 && task % 2 === 1 ? { task, before: "${previousStageRes}", run: "${$string(taskflow.retryAttempt)}" } : { task };

/** @param hasPeople somebody is there to decide about what failed */
export function drawPlan(random: Random, name: string, hasPeople: boolean): Plan {
  const size = random.pick([2, 3, 6]);
  const stages = Array.from({ length: random.int(1, 4) }, (_, stage) => ({
    name: `stage${stage}`,
    ...(random.chance(0.2) ? { options: drawOptions(random, 0.3, hasPeople) } : {}),
    // It holds: what is simulated is that it has to be computed.
    ...(stage % 3 === 2 ? { when: "taskflow.retryAttempt >= 0" } : {}),
    tasks: Array.from({ length: random.int(1, size) }, (__, task) => ({
      name: `task${task}`,
      type: "ACTION" as const,
      taskDetails: detailsOf(random.pick(ACTIONS)),
      ...(random.chance(0.2) ? { params: paramsOf(stage, task) } : {}),
      ...(random.chance(0.25) ? { options: drawOptions(random, 0.3, hasPeople) } : {}),
    })),
  }));
  const output = stages.length === 3 ? { output: { run: "${$string(taskflow.retryAttempt)}" } } : {};
  const definition: StoredDefinition = { name, options: drawOptions(random, 0.5, hasPeople), stages, ...output };
  return planOf(definition);
}

function planOf(definition: StoredDefinition): Plan {
  const options = within(DEFAULTS, definition.options);
  const tasks: PlannedTask[] = [];
  const stageOptions = definition.stages.map((stage) => within(options, stage.options));
  const stages = definition.stages.map((stage, index) =>
    stage.tasks.map((task) => {
      const ordinal = tasks.length;
      tasks.push({ ordinal, stage: index, options: within(stageOptions[index] as EffectiveOptions, task.options) });
      return ordinal;
    }),
  );
  return { definition, text: JSON.stringify(definition), options, tasks, stages, stageOptions };
}

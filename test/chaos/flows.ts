/** The taskflows of a chaos run: seeded, in three kinds. */
import type { StageDefinition, Taskflow } from "../../lib/index.ts";
import type { Random } from "../simulation/random.ts";
import type { WorkParams } from "./worker.ts";

/**
 * - once: `exactlyOnceTaskExecution`, workers with the mixin and a ledger that survives them;
 * - ledgered: at least once, the same workers;
 * - plain: at least once, workers without the mixin.
 */
export type FlowKind = "once" | "ledgered" | "plain";

export const KINDS: readonly FlowKind[] = ["once", "ledgered", "plain"];

const TIMEOUT_MS = 4_000;

/**
 * Long enough for many attempts to be running when something dies, short enough for thousands of
 * taskflows.
 */
const WORK_MS = { min: 2, max: 80 };
const LONG_WORK_MS = { min: 200, max: 900 };
/** Longer than the attempt's timeout: heartbeats keep it alive. */
const BEATING_WORK_MS = { min: TIMEOUT_MS + 500, max: TIMEOUT_MS + 2_000 };
const SHAPES = [[1, 4, 1], [2, 2], [1, 1, 1], [1, 2], [3], [1]];

export function chaosFlow(random: Random, kind: FlowKind, taskflowId: string): Taskflow & { taskflowId: string } {
  const serviceId = kind === "plain" ? "plain" : "ledgered";
  const stages = random.pick(SHAPES).map((size, index): StageDefinition => {
    const tasks = Array.from({ length: size }, (_, task) => ({
      name: `t${index}-${task}`,
      type: "ACTION" as const,
      taskDetails: { serviceId, actionName: "work" },
      params: { ...workOf(random, kind) },
    }));
    return { name: `s${index}`, tasks };
  });
  return {
    taskflowId,
    name: `chaos ${kind}`,
    stages,
    options: {
      exactlyOnceTaskExecution: kind === "once",
      timeout: TIMEOUT_MS,
      maxRetries: 8,
      retryDelay: 200,
      backoff: { type: "linear", factor: 1, maxDelay: 2_000, jitter: 0.2 },
    },
  };
}

function workOf(random: Random, kind: FlowKind): WorkParams {
  if (kind !== "plain" && random.chance(0.01)) {
    return { work: random.int(BEATING_WORK_MS.min, BEATING_WORK_MS.max), beats: true };
  }
  const { min, max } = random.chance(0.08) ? LONG_WORK_MS : WORK_MS;
  const work = random.int(min, max);
  if (!random.chance(0.06)) return { work };
  return { work, failures: random.int(1, 2) };
}

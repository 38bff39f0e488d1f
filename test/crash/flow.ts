/**
 * The taskflows that are cut off, and the workers that carry them out: every way in which an
 * attempt can go is in them.
 */
import { type Context, Errors, type ServiceSchema } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { PermanentError, type Taskflow, type TaskflowContext, TaskflowWorker } from "../../lib/index.ts";
import type { TaskflowExecutionContext } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";

/** Long enough for a coordinator to be killed, or told to stop, in the middle. */
const WORK_MS = 120;
const PRODUCE_MS = 1_500;
/** Longer than a worker may take to turn a request away. */
const ACCEPTED_MS = 1_300;
/** Of the attempt that takes too long. */
const TIMEOUT_MS = 600;

interface Run {
  /** `taskflowId:task:attempt`. */
  readonly key: string;
  readonly delivery: number;
  readonly isLedgered: boolean;
}

export const task = (name: string, action: string, options: object = {}) => {
  const [serviceId = "", actionName = ""] = action.split(".");
  return { name, type: "ACTION" as const, taskDetails: { serviceId, actionName }, options };
};

export const mainFlow = (taskflowId: string): Taskflow => ({
  taskflowId,
  options: { timeout: 10_000, maxRetries: 2, retryDelay: 50 },
  stages: [
    { name: "first", tasks: [task("begin", "ledgered.work")] },
    {
      name: "middle",
      tasks: [
        task("steady", "ledgered.work", { exactlyOnceTaskExecution: true }),
        task("failing", "ledgered.failsOnce"),
        task("slow", "ledgered.tooSlowOnce", { timeout: TIMEOUT_MS }),
        task("refused", "plain.refusesFirstDelivery"),
        task("refused-later", "plain.refusesSecondDelivery"),
      ],
    },
    {
      name: "last",
      tasks: [
        {
          ...task("end", "ledgered.work", { exactlyOnceTaskExecution: true }),
          params: { before: "${previousStageRes}", first: "${$count(previousStageRes)}" },
        },
      ],
    },
  ],
});

/**
 * One that waits for its second attempt for a while, and runs nothing meanwhile: a coordinator
 * that stops gives it up.
 */
export const waitingFlow = (taskflowId: string): Taskflow => ({
  taskflowId,
  stages: [{ name: "only", tasks: [task("patient", "ledgered.failsOnce", { maxRetries: 1, retryDelay: 2_500 })] }],
});

export const briefFlow = (taskflowId: string): Taskflow => ({
  taskflowId,
  stages: [{ name: "only", tasks: [task("brief", "ledgered.work")] }],
});

/** The workers outlive every coordinator, and remember each run. */
export class Workers {
  readonly runs: Run[] = [];

  get services(): ServiceSchema[] {
    const ledgered = {
      work: () => undefined,
      failsOnce: ({ attempt }: Attempt) => {
        if (attempt === 0) throw new Error("The first attempt fails.");
      },
      tooSlowOnce: async ({ attempt, signal }: Attempt) => {
        if (attempt === 0) await delay(20_000, undefined, { signal });
      },
      failsIfTold: ({ params }: Attempt) => {
        if (params.fails) throw new PermanentError("It was told to fail.");
      },
      // What it has done by then it answers all the same.
      untilAborted: async ({ signal }: Attempt) => delay(60_000, undefined, { signal }).catch(() => undefined),
      nests: async ({ produce }: Attempt) =>
        produce({ taskflowId: "child", stages: [{ name: "only", tasks: [task("brief", "ledgered.work")] }] }),
      // Its first attempt answers after its timeout, and before its taskflow ends.
      nestsAndIsLate: async ({ attempt, produce }: Attempt) => {
        const stages = Array.from({ length: 8 }, (_, index) => ({
          name: `stage-${index}`,
          tasks: [task(`step-${index}`, "ledgered.work")],
        }));
        await produce({ taskflowId: "slow-child", options: { timeout: 5_000 }, stages });
        if (attempt === 0) await delay(500);
      },
      nestsAndFailsOnce: async ({ attempt, produce }: Attempt) => {
        if (attempt > 0) return;
        await produce({ stages: [{ name: "only", tasks: [task("open", "nobody.work")] }] });
        throw new Error("The first attempt fails, and what it has produced goes on.");
      },
    };
    const plain = {
      refusesFirstDelivery: (attempt: Attempt) => refuse(attempt, attempt.delivery === 1 && this.#isFirstRefusal(attempt.action)),
      refusesSecondDelivery: async (attempt: Attempt) => {
        if (attempt.delivery === 1) await delay(2 * WORK_MS);
        refuse(attempt, attempt.delivery === 2 && this.#isFirstRefusal(attempt.action));
      },
      refusesTwice: (attempt: Attempt) => refuse(attempt, this.#isFirstRefusal("one") || this.#isFirstRefusal("two")),
      refusesOnceThenSlow: async (attempt: Attempt) => {
        refuse(attempt, this.#isFirstRefusal(attempt.action));
        await delay(ACCEPTED_MS);
      },
    };
    return [
      { name: "ledgered", mixins: [TaskflowWorker()], actions: this.#actions(ledgered, true) },
      { name: "plain", actions: this.#actions(plain, false) },
    ];
  }

  readonly #refusals = new Set<string>();

  /** A node whose queue is full turns away what it has not read. */
  #isFirstRefusal(action: string): boolean {
    const isFirst = !this.#refusals.has(action);
    this.#refusals.add(action);
    return isFirst;
  }

  #actions(handlers: Record<string, (attempt: Attempt) => unknown>, isLedgered: boolean): ServiceSchema["actions"] & object {
    return Object.fromEntries(
      Object.entries(handlers).map(([name, handler]) => [
        name,
        async (ctx: Context | TaskflowContext): Promise<unknown> => {
          const { taskflow } = (ctx.meta as { taskflowExecutionContext: TaskflowExecutionContext }).taskflowExecutionContext;
          const { id, delivery, taskInfo } = taskflow;
          const signal = "taskflow" in ctx ? ctx.taskflow?.signal : undefined;
          const { attempt } = taskInfo;
          const key = `${id}:${taskInfo.name}:${attempt}`;
          this.runs.push({ key, delivery, isLedgered });
          await delay(WORK_MS);
          const params = ctx.params as Attempt["params"];
          const given = {
            attempt,
            delivery,
            params,
            action: ctx.action?.name ?? "",
            caller: ctx.nodeID ?? "",
            ...(signal ? { signal } : {}),
          };
          await handler({ ...given, produce: (flow) => produceBelow(ctx, flow) });
          return { done: taskInfo.name };
        },
      ]),
    );
  }
}

interface Attempt {
  readonly attempt: number;
  readonly params: { readonly fails?: boolean };
  readonly produce: (flow: Taskflow) => Promise<unknown>;
  readonly delivery: number;
  readonly action: string;
  /** The node that sent the request. */
  readonly caller: string;
  readonly signal?: AbortSignal;
}

/** Again until a coordinator is there that answers. */
function produceBelow(ctx: Context, flow: Taskflow): Promise<unknown> {
  return eventually(() => ctx.call("taskflow.produce", flow, { timeout: PRODUCE_MS }), { timeoutMs: 30_000, intervalMs: 100 });
}

/** As Moleculer's bulkhead does: the error names the node that sent the request. */
function refuse({ action, caller }: Attempt, isRefused: boolean): void {
  if (isRefused) throw new Errors.QueueIsFullError({ action, nodeID: caller, service: "plain", size: 1, limit: 1 });
}

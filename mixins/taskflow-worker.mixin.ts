/**
 * The worker mixin: `ctx.taskflow` for handlers that a task calls. A plain Moleculer service is a worker without it; this is for handlers
 * that want to know the run that they are part of.
 */
import type { ActionHandler, Context, Service, ServiceSchema } from "moleculer";
import type { PreviousStageResponse, TaskflowExecutionContext } from "../schemas/execution-context.ts";

/** `ctx.taskflow` of a handler that a task called; undefined where somebody else called it. */
export interface TaskflowHandle {
  readonly taskflowId: string;
  readonly stageId: string;
  readonly taskId: string;
  /** From 0; grows with each automatic or manual retry. */
  readonly attempt: number;
  /** `taskflowId:taskId:attempt`: the same for every delivery of one attempt. */
  readonly idempotencyKey: string;
  /** The answers of the stage before, in definition order; empty in the first stage. */
  previousStageRes(): Promise<readonly PreviousStageResponse[]>;
  /** Aborted when nobody waits for the answer any more: the attempt's time is over, or its node stops. */
  readonly signal: AbortSignal;
}

/** A context with the handle, for the type of a handler's parameter. */
export type TaskflowContext<Params = Record<string, unknown>> = Context<Params> & { readonly taskflow?: TaskflowHandle };

/** Nothing to set yet. */
export type TaskflowWorkerOptions = Record<string, never>;

interface ActionDefinition {
  handler?: ActionHandler;
}

/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Attempts that run in a service, to be told when the service stops. */
const running = new WeakMap<Service, Set<AbortController>>();

function contextOf(ctx: Context): TaskflowExecutionContext | undefined {
  const { taskflowExecutionContext: context } = ctx.meta as { taskflowExecutionContext?: TaskflowExecutionContext };
  return typeof context?.taskflow?.id === "string" ? context : undefined;
}

function handleOf({ taskflow, previousStageRes }: TaskflowExecutionContext, signal: AbortSignal): TaskflowHandle {
  const { id, stageId, taskId, taskInfo } = taskflow;
  return {
    taskflowId: id,
    stageId,
    taskId,
    attempt: taskInfo.attempt,
    idempotencyKey: `${id}:${taskId}:${taskInfo.attempt}`,
    previousStageRes: () => Promise.resolve((previousStageRes ?? []) as readonly PreviousStageResponse[]),
    signal,
  };
}

/** Gives the handler its handle. Calls below a handler carry the context too, and are not the task's own call. */
function wrap(service: Service, handler: ActionHandler): ActionHandler {
  return async function run(this: Service, ctx: Context): Promise<unknown> {
    const context = contextOf(ctx);
    if (!context || ctx.level > 1) return handler.call(this, ctx) as unknown;
    const controller = new AbortController();
    const { timeout } = context.taskflow.taskInfo.options as { timeout?: number };
    const timer =
      typeof timeout === "number" && timeout <= LONGEST_TIMER_MS
        ? setTimeout(() => controller.abort(new Error("The attempt's time is over.")), timeout)
        : undefined;
    timer?.unref();
    running.get(service)?.add(controller);
    Object.defineProperty(ctx, "taskflow", { value: handleOf(context, controller.signal), configurable: true });
    try {
      return await (handler.call(this, ctx) as unknown);
    } finally {
      clearTimeout(timer);
      running.get(service)?.delete(controller);
    }
  };
}

/** Called by Moleculer with the service's own schema, all mixins merged (its types leave this out). */
function wrapActions(schema: ServiceSchema): void {
  for (const [name, definition] of Object.entries(schema.actions ?? {})) {
    if (!schema.actions || definition === false || definition === null) continue;
    const isFunction = typeof definition === "function";
    const handler = isFunction ? (definition as ActionHandler) : (definition as ActionDefinition).handler;
    if (!handler) continue;
    const wrapped: ActionHandler = function late(this: Service, ctx: Context) {
      return wrap(this, handler).call(this, ctx) as unknown;
    };
    schema.actions[name] = isFunction ? wrapped : { ...(definition as object), handler: wrapped };
  }
}

/** Factory of the worker mixin: `mixins: [TaskflowWorker()]`. Every action of the service has `ctx.taskflow` when a task calls it. */
export function TaskflowWorker(_options: TaskflowWorkerOptions = {}): Partial<ServiceSchema> {
  const lifecycle = { merged: wrapActions };
  return {
    ...lifecycle,
    metadata: { taskflowWorker: 1 },
    created(this: Service) {
      running.set(this, new Set());
    },
    stopped(this: Service) {
      for (const controller of running.get(this) ?? []) controller.abort(new Error("The node stops."));
    },
  };
}

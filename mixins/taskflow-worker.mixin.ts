/**
 * The worker mixin. A plain Moleculer service is a worker without it. With it, a handler runs once
 * for all deliveries of an attempt as far as its ledger reaches, has its run as `ctx.taskflow`, and
 * cannot end its process by an answer or an error.
 */
import type { ActionHandler, ActionSchema, Context, Service, ServiceBroker, ServiceSchema } from "moleculer";
import { taskflowError } from "../lib/errors/errors.ts";
import { ABORT_EVENT, LEDGER_KEY, OUTCOME_ACTION, WORKER_KEY, WORKER_VERSION } from "../lib/protocol/names.ts";
import { checkSettings } from "../lib/config/settings.ts";
import { valuesOf } from "../lib/util/setting.ts";
import type { TaskflowHandle } from "../lib/worker/handle.ts";
import type { Ledger } from "../lib/worker/ledger/ledger.ts";
import { ledgerOf } from "../lib/worker/ledger/open.ts";
import { deliveryOf } from "../lib/worker/delivery.ts";
import { type TaskflowWorkerOptions, WORKER_SETTINGS } from "../lib/worker/settings.ts";
import { type OutcomeAnswer, TaskWorker } from "../lib/worker/task-worker.ts";
import { recordOf } from "../lib/util/record.ts";
import { steadyLogger } from "../lib/util/steady-logger.ts";

export type { TaskflowHandle } from "../lib/worker/handle.ts";
export type { TaskflowWorkerOptions } from "../lib/worker/settings.ts";
export type { Ledger, Asked, Begin, Begun, Finished } from "../lib/worker/ledger/ledger.ts";

/** A context with the handle, for the type of a handler's parameter. */
export type TaskflowContext<Params = Record<string, unknown>> = Context<Params> & { readonly taskflow?: TaskflowHandle };

interface Worker {
  readonly worker: TaskWorker;
  readonly ledger: Ledger;
}

const workers = new WeakMap<Service, Worker>();

interface Settings {
  readonly makeLedger: () => Ledger;
  readonly isShared: boolean;
  readonly isDurable: boolean;
  readonly keepForMs: number;
}

/** @throws TASKFLOW_VALIDATION_ERROR */
function settingsOf(options: TaskflowWorkerOptions): Settings {
  const given = checkSettings("The options of TaskflowWorker", WORKER_SETTINGS, options);
  const { ledger, keepFor: keepForMs, ledgerLimit: maxRecords } = valuesOf(WORKER_SETTINGS, given);
  // Each service has its own; this one only tells what is wrong, and of which kind they are.
  const makeLedger = (): Ledger => (typeof ledger === "string" ? ledgerOf(ledger, { keepForMs, maxRecords }) : ledger);
  const { isShared, isDurable } = makeLedger();
  return { makeLedger, isShared, isDurable, keepForMs };
}

/** Brokers whose actions pass through `serveTasks`. */
const prepared = new WeakSet<ServiceBroker>();

type LocalAction = (handler: ActionHandler, action: { readonly service?: Service; readonly rawName?: string }) => ActionHandler;

/**
 * For actions of services with the mixin: outside their hooks, so that the outcome is what the
 * caller receives; inside Moleculer's own middlewares.
 */
const serveTasks: LocalAction = (handler, { service, rawName }) => {
  if (!service || !workers.has(service) || rawName === OUTCOME_ACTION) return handler;
  const { Promise: BrokerPromise } = service.broker;
  return function serveTask(this: Service, ctx: Context): unknown {
    const call = deliveryOf(ctx);
    const worker = call && workers.get(service)?.worker;
    if (!worker) return handler.call(this, ctx) as unknown;
    return BrokerPromise.resolve(worker.serve(ctx, call, (given) => handler.call(this, given) as unknown)) as unknown;
  };
};

/**
 * Puts `serveTasks` behind the hooks of services, which Moleculer's first own middleware runs. Its
 * types leave the lists out.
 */
function prepare(broker: ServiceBroker): void {
  if (prepared.has(broker)) return;
  prepared.add(broker);
  const registered = broker.middlewares.registeredHooks as unknown as { localAction?: LocalAction[] };
  const wrappers = (registered.localAction ??= []);
  const hooks = wrappers.findIndex(({ name }) => name === "wrapActionHookMiddleware");
  wrappers.splice(hooks < 0 ? wrappers.length : hooks + 1, 0, serveTasks);
}

interface Question {
  readonly key: string;
  readonly delivery: number;
  readonly ageMs: number;
  readonly offset?: number;
}

function questionOf(params: unknown): Question {
  const { key, delivery, ageMs, offset } = recordOf(params);
  const problems: { path: string; message: string; keyword: string }[] = [];
  if (typeof key !== "string" || key === "" || key.length > 512) {
    problems.push({ path: "/key", message: "must be the key of an attempt, 1–512 characters", keyword: "type" });
  }
  if (typeof delivery !== "number" || !Number.isInteger(delivery) || delivery < 1) {
    problems.push({ path: "/delivery", message: "must be a whole number from 1", keyword: "type" });
  }
  if (typeof ageMs !== "number" || !(ageMs >= 0)) {
    problems.push({ path: "/ageMs", message: "must be a number of ms from 0", keyword: "type" });
  }
  if (offset !== undefined && (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0)) {
    problems.push({ path: "/offset", message: "must be a whole number from 0", keyword: "type" });
  }
  if (problems.length > 0) {
    const [first] = problems;
    const message = `The params of ${OUTCOME_ACTION} are not valid: ${first?.path} ${first?.message}.`;
    throw taskflowError("TASKFLOW_VALIDATION_ERROR", message, problems);
  }
  return { key, delivery, ageMs, offset } as Question;
}

/**
 * Factory of the worker mixin: `mixins: [TaskflowWorker()]`. Every action of the service that a
 * task calls has `ctx.taskflow`. The service gets one more action, `taskflowOutcome`, which
 * coordinators query after a crash or a loss of the bus.
 * @throws TASKFLOW_VALIDATION_ERROR for wrong options; if the ledger cannot be opened, the
 * service's start rejects
 */
export function TaskflowWorker(options: TaskflowWorkerOptions = {}): Partial<ServiceSchema> {
  const { makeLedger, isShared, isDurable, keepForMs } = settingsOf(options);
  // Travels to the coordinators with the node's list of services.
  const told = { [LEDGER_KEY]: { isShared, isDurable } };
  const outcomeAction: ActionSchema = {
    visibility: "public",
    ...told,
    async handler(this: Service, ctx: Context): Promise<OutcomeAnswer> {
      const { key, delivery, ageMs, offset } = questionOf(ctx.params);
      const known = workers.get(this);
      if (!known) throw new Error("The service has not been created by a broker.");
      return known.worker.answer(key, delivery, ageMs, offset);
    },
  };
  return {
    metadata: { [WORKER_KEY]: WORKER_VERSION },
    actions: { [OUTCOME_ACTION]: outcomeAction },
    events: {
      [ABORT_EVENT](this: Service, ctx: Context<{ key?: unknown }>) {
        const { key } = ctx.params;
        if (typeof key === "string") workers.get(this)?.worker.abort(key);
      },
    },
    created(this: Service) {
      const { broker } = this;
      const logger = steadyLogger(
        this.logger,
        () => true,
        () => performance.now(),
      );
      const ledger = makeLedger();
      workers.set(this, { ledger, worker: new TaskWorker({ broker, logger, ledger, keepForMs }) });
      prepare(broker);
    },
    async started(this: Service) {
      await workers.get(this)?.ledger.open();
    },
    async stopped(this: Service) {
      const known = workers.get(this);
      await known?.worker.stop();
      await known?.ledger.close();
    },
  };
}

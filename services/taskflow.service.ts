/**
 * The service `taskflow`: checks what callers give, hands it to the coordinator, and answers `{ success: true, data }`.
 * Failures are thrown as Moleculer errors of the catalogue (`lib/errors/catalogue.ts`).
 */
import type { Context, Service, ServiceSchema } from "moleculer";
import { toldOutcome } from "../lib/protocol/call-outcome.ts";
import { HEARTBEAT_EVENT, PAUSES_CHANGED_EVENT, RELEASED_EVENT } from "../lib/protocol/names.ts";
import { parseDuration } from "../lib/util/duration.ts";
import { validationError } from "../lib/validation/index.ts";
import type { ActionParams } from "../schemas/actions.schema.ts";
import { action } from "./taskflow/action.ts";
import { listQuery } from "./taskflow/list-query.ts";
import { OPERATION_ACTIONS } from "./taskflow/operator-actions.ts";
import { COMMAND_ACTIONS } from "./taskflow/command-actions.ts";
import { produce, produceBelow } from "./taskflow/produce-action.ts";
import { createEngine, type Engine, engineOf, engines, milliseconds, type TaskflowServiceOptions } from "./taskflow/engine.ts";

export type { TaskflowServiceOptions } from "./taskflow/engine.ts";

const TAKERS = { groups: ["taskflow"] };

/** From a worker, which repeats it until the coordinator whose taskflow it is has accepted it. */
async function reportOutcome({ coordinator }: Engine, params: ActionParams["reportOutcome"]): Promise<{ accepted: boolean }> {
  const outcome = toldOutcome(params.outcome, params.action, Date.now());
  if (outcome) return { accepted: await coordinator.report(params.key, outcome) };
  const message = "must be { ok: true, response } or { ok: false, error }";
  throw validationError("The params of taskflow.reportOutcome are not valid", [{ path: "/outcome", message, keyword: "type" }]);
}

async function health({ store, coordinator, pauses, ready, delay }: Engine, service: Service): Promise<Record<string, unknown>> {
  const { transit } = service.broker;
  return {
    ready: ready && !coordinator.isDraining,
    live: true,
    nodeID: service.broker.nodeID,
    store: { name: store.name, ...(await store.health()) },
    bus: transit ? { kind: "transporter", connected: transit.connected } : { kind: "local", connected: true },
    owned: coordinator.active,
    inFlight: coordinator.inFlight,
    draining: coordinator.isDraining,
    paused: pauses.isPaused,
    pausedActions: pauses.rules.map(({ pattern }) => pattern),
    // Delay of the event loop since the start, ms.
    lag: { p50: milliseconds(delay.percentile(50)), p99: milliseconds(delay.percentile(99)) },
  };
}

async function start(engine: Engine): Promise<void> {
  await engine.store.open();
  await engine.pauses.start(engine.startsPaused);
  await engine.coordinator.start();
  engine.delay.enable();
  engine.ready = true;
}

/**
 * Factory of the coordinator's service schema, for `broker.createService(TaskflowService({ … }))` or as a mixin.
 * Opening the store makes `started` reject with a sentence that says what to do.
 *
 * @throws RangeError, when a broker creates the service, for a setting or an environment variable that is wrong
 */
export function TaskflowService(given: TaskflowServiceOptions = {}): ServiceSchema {
  return {
    name: "taskflow",
    actions: {
      produce: {
        async handler(this: Service, ctx: Context) {
          return { success: true, data: await produce(this, ctx) };
        },
      },
      produceBelow: action("produceBelow", (engine, params) => produceBelow(engine, params)),
      getTaskflowDetails: action("getTaskflowDetails", ({ queries }, { taskflowId, ...shown }, _service, reader) =>
        queries.details(reader, taskflowId, shown),
      ),
      getTask: action("getTask", ({ queries }, { taskflowId, taskId }, _service, reader) =>
        queries.task(reader, taskflowId, taskId),
      ),
      getValue: action("getValue", ({ queries }, { ref, offset }, _service, reader) => queries.value(reader, ref, offset)),
      getPreviousStageRes: action("getPreviousStageRes", ({ queries }, { taskflowId, taskId, cursor }, _service, reader) =>
        queries.previousStageRes(reader, taskflowId, taskId, cursor),
      ),
      listTasks: action("listTasks", ({ queries }, params, _service, reader) => queries.tasks(reader, params)),
      listTaskflows: action("listTaskflows", (engine, params) => engine.queries.list(listQuery(engine, params))),
      waitForTaskflow: action("waitForTaskflow", ({ queries }, { taskflowId, timeout, ...shown }, _service, reader) =>
        queries.wait(reader, taskflowId, timeout === undefined ? 60_000 : parseDuration(timeout), shown),
      ),
      getEvents: action("getEvents", ({ queries }, { taskflowId, since, limit }, _service, reader) =>
        queries.events(reader, taskflowId, since ?? 0, limit ?? 500),
      ),
      ...COMMAND_ACTIONS,
      reportOutcome: action("reportOutcome", (engine, params) => reportOutcome(engine, params)),
      ...OPERATION_ACTIONS,
      health: action("health", (engine, _params, service) => health(engine, service)),
      live: action("live", () => ({ live: true })),
      ready: action("ready", ({ ready, coordinator }) => ({ ready: ready && !coordinator.isDraining })),
    },
    events: {
      [HEARTBEAT_EVENT](this: Service, ctx: Context<{ key?: unknown }>) {
        const { key } = ctx.params;
        if (typeof key === "string") engines.get(this)?.coordinator.heartbeat(key);
      },
      [PAUSES_CHANGED_EVENT](this: Service) {
        const engine = engines.get(this);
        // What cannot be read now is read a second later.
        if (engine?.ready) void engine.pauses.look().catch(() => {});
      },
      [RELEASED_EVENT](this: Service) {
        const engine = engines.get(this);
        if (engine?.ready) void engine.coordinator.takeOver();
      },
    },
    created(this: Service) {
      engines.set(this, createEngine(this, given));
    },
    started(this: Service) {
      return start(engineOf(this));
    },
    async stopped(this: Service) {
      const engine = engines.get(this);
      if (!engine) return;
      engine.ready = false;
      engine.delay.disable();
      await engine.coordinator.stop(engine.graceMs, () => void this.broker.broadcast(RELEASED_EVENT, {}, TAKERS).catch(() => {}));
      await engine.pauses.stop();
      engine.bus.close();
      await engine.store.close();
    },
  };
}

export default TaskflowService();

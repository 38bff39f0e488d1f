/**
 * The service `taskflow`: checks what callers give, hands it to the coordinator, and answers `{ success: true, data }`.
 * Failures are thrown as Moleculer errors of the catalogue (`lib/error-catalogue.ts`).
 */
import type { Context, Service, ServiceSchema } from "moleculer";
import { toldOutcome } from "../lib/adapters/call-outcome.ts";
import { CONTEXT_KEY } from "../lib/adapters/wire-context.ts";
import { HEARTBEAT_EVENT } from "../lib/worker/handle.ts";
import { bytesOf } from "../lib/coordinator/fit.ts";
import type { Reader } from "../lib/coordinator/queries.ts";
import { parseDuration } from "../lib/options.ts";
import type { TaskflowQuery } from "../lib/ports/store.ts";
import { readAnnotationFilter, validateParams, validationError } from "../lib/validate.ts";
import type { ActionName, ActionParams } from "../schemas/actions.schema.ts";
import { produce, produceBelow } from "./taskflow-produce.ts";
import { deleteTaskflow } from "./taskflow-deletion.ts";
import { orderActions } from "./taskflow-orders.ts";
import { createEngine, type Engine, engineOf, engines, milliseconds, type TaskflowServiceOptions } from "./taskflow-engine.ts";

export type { TaskflowServiceOptions } from "./taskflow-engine.ts";

/** Between coordinators: one of them has given up taskflows. */
const RELEASED = "taskflow-coordinator.released";
const TAKERS = { groups: ["taskflow"] };

/** Of a message, what the answer does not get: the packet's frame, and what an error says around it. */
const MESSAGE_FRAME = 16 * 1024;

/** Moleculer sends the caller's meta back with the answer. */
function readerOf({ bus }: Engine, { broker }: Service, ctx: Context): Reader {
  const isLocal = (ctx.nodeID ?? broker.nodeID) === broker.nodeID;
  const { [CONTEXT_KEY]: _, ...meta } = ctx.meta as Record<string, unknown>;
  return { isLocal, maxBytes: isLocal ? Infinity : bus.maxMessageBytes - MESSAGE_FRAME - bytesOf(meta) };
}

type Handler<A extends ActionName> = (engine: Engine, params: ActionParams[A], service: Service, reader: Reader) => unknown;

/** An action: its params checked against the schema of its name, its answer wrapped. */
function action<A extends ActionName>(
  name: A,
  handler: Handler<A>,
): { handler: (this: Service, ctx: Context) => Promise<unknown> } {
  return {
    async handler(ctx) {
      const params = validateParams(name, ctx.params);
      try {
        const engine = engineOf(this);
        return { success: true, data: await handler(engine, params, this, readerOf(engine, this, ctx)) };
      } catch (error) {
        // A cursor that is not ours is the caller's mistake.
        if (!(error instanceof RangeError)) throw error;
        throw validationError(`The params of taskflow.${name} are not valid`, [
          { path: "/cursor", message: error.message, keyword: "format" },
        ]);
      }
    },
  };
}

/** From a worker, which repeats it until the coordinator whose taskflow it is has accepted it. */
async function reportOutcome({ coordinator }: Engine, params: ActionParams["reportOutcome"]): Promise<{ accepted: boolean }> {
  const outcome = toldOutcome(params.outcome, params.action, Date.now());
  if (outcome) return { accepted: await coordinator.report(params.key, outcome) };
  const message = "must be { ok: true, response } or { ok: false, error }";
  throw validationError("The params of taskflow.reportOutcome are not valid", [{ path: "/outcome", message, keyword: "type" }]);
}

async function health({ store, coordinator, ready, delay }: Engine, service: Service): Promise<Record<string, unknown>> {
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
    // Delay of the event loop since the start, ms.
    lag: { p50: milliseconds(delay.percentile(50)), p99: milliseconds(delay.percentile(99)) },
  };
}

const asArray = <T>(value: T | readonly T[] | undefined): readonly T[] | undefined =>
  value === undefined ? undefined : Array.isArray(value) ? (value as readonly T[]) : [value as T];

function listQuery({ limits }: Engine, params: ActionParams["listTaskflows"]): TaskflowQuery {
  const { status, errorType, annotations, pageSize, ...rest } = params;
  const statuses = asArray(status);
  const errorTypes = asArray(errorType);
  return {
    ...rest,
    pageSize: pageSize ?? 50,
    ...(statuses ? { status: statuses } : {}),
    ...(errorTypes ? { errorType: errorTypes } : {}),
    ...(annotations ? { annotations: readAnnotationFilter(annotations, limits) } : {}),
  };
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
      getPreviousStageRes: action("getPreviousStageRes", ({ queries }, { taskflowId, taskId, cursor }) =>
        queries.previousStageRes(taskflowId, taskId, cursor),
      ),
      listTasks: action("listTasks", ({ queries }, params, _service, reader) => queries.tasks(reader, params)),
      listTaskflows: action("listTaskflows", (engine, params) => engine.queries.list(listQuery(engine, params))),
      waitForTaskflow: action("waitForTaskflow", ({ queries }, { taskflowId, timeout, ...shown }, _service, reader) =>
        queries.wait(reader, taskflowId, timeout === undefined ? 60_000 : parseDuration(timeout), shown),
      ),
      getEvents: action("getEvents", ({ queries }, { taskflowId, since, limit }, _service, reader) =>
        queries.events(reader, taskflowId, since ?? 0, limit ?? 500),
      ),
      deleteTaskflow: action("deleteTaskflow", (engine, params) => deleteTaskflow(engine, params)),
      ...orderActions(readerOf),
      reportOutcome: action("reportOutcome", (engine, params) => reportOutcome(engine, params)),
      health: action("health", (engine, _params, service) => health(engine, service)),
      live: action("live", () => ({ live: true })),
      ready: action("ready", ({ ready, coordinator }) => ({ ready: ready && !coordinator.isDraining })),
    },
    events: {
      [HEARTBEAT_EVENT](this: Service, ctx: Context<{ key?: unknown }>) {
        const { key } = ctx.params;
        if (typeof key === "string") engines.get(this)?.coordinator.heartbeat(key);
      },
      [RELEASED](this: Service) {
        const engine = engines.get(this);
        if (engine?.ready) void engine.coordinator.takeOver();
      },
    },
    created(this: Service) {
      engines.set(this, createEngine(this, given));
    },
    async started(this: Service) {
      const engine = engineOf(this);
      await engine.store.open();
      await engine.coordinator.start();
      engine.delay.enable();
      engine.ready = true;
    },
    async stopped(this: Service) {
      const engine = engines.get(this);
      if (!engine) return;
      engine.ready = false;
      engine.delay.disable();
      await engine.coordinator.stop(engine.graceMs, () => void this.broker.broadcast(RELEASED, {}, TAKERS).catch(() => {}));
      engine.bus.close();
      await engine.store.close();
    },
  };
}

export default TaskflowService();

/** What a coordinator's service is made of: one engine for each service that a broker creates. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Service, ServiceBroker } from "moleculer";
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { Callers } from "../../lib/adapters/moleculer/callers.ts";
import { MoleculerNetwork } from "../../lib/adapters/moleculer/network.ts";
import { storeOf } from "../../lib/adapters/open-store.ts";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { ThreadSandbox } from "../../lib/adapters/system/thread-sandbox.ts";
import { systemIds } from "../../lib/adapters/system/ids.ts";
import { compileActionPatterns } from "../../lib/config/allowed-actions.ts";
import { Transfer } from "../../lib/coordinator/operations/transfer.ts";
import { Coordinator } from "../../lib/coordinator/coordinator.ts";
import { Explainer } from "../../lib/coordinator/queries/explainer.ts";
import { PauseRules } from "../../lib/coordinator/flow-control/pause-rules.ts";
import { JournalCache } from "../../lib/coordinator/queries/journal-cache.ts";
import { Queries } from "../../lib/coordinator/queries/queries.ts";
import type { Explanation } from "../../schemas/explanation.schema.ts";
import type { Limits } from "../../lib/config/limits.ts";
import type { TaskflowServiceOptions } from "../../lib/config/service-settings.ts";
import { EXPLAIN_ACTION } from "../../lib/protocol/names.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Store } from "../../lib/ports/store.ts";
import { taskChecks } from "../../lib/validation/index.ts";
import { taskTypesWith } from "../../lib/task-types/index.ts";
import { TaskTypeRegistry } from "../../lib/task-types/registry.ts";
import type { TaskType } from "../../lib/core/model/task-type.ts";
import { settingsOf } from "./settings.ts";

export interface Engine {
  readonly store: Store;
  readonly bus: MoleculerBus;
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly queries: Queries;
  readonly journals: JournalCache;
  readonly callers: Callers;
  readonly pauses: PauseRules;
  readonly explanations: Explainer;
  readonly copies: Transfer;
  /** It starts paused. */
  readonly startsPaused: boolean;
  readonly limits: Limits;
  readonly isActionAllowed: (action: string) => boolean;
  readonly taskTypes: ReadonlyMap<string, TaskType>;
  /** Of a taskflow whose producer chose none. */
  readonly newId: () => string;
  readonly graceMs: number;
  readonly delay: ReturnType<typeof monitorEventLoopDelay>;
  ready: boolean;
}

export const engines = new WeakMap<Service, Engine>();

export function engineOf(service: Service): Engine {
  const engine = engines.get(service);
  if (!engine) throw new Error("The service taskflow has not been created by a broker.");
  return engine;
}

/** Step of the measurement of the event loop's delay. */
const LAG_RESOLUTION_MS = 20;

/**
 * Converts the histogram's nanoseconds, measured from timer to timer, to ms of delay with one
 * decimal.
 */
export const milliseconds = (nanoseconds: number): number =>
  Math.max(0, Math.round(nanoseconds / 1e5 - LAG_RESOLUTION_MS * 10) / 10);

/** About 10 ms of replay. Beyond it changes are no longer told apart: see the docs on events. */
const COMPACT_AFTER = 4_000;

/** How long the owner of a taskflow may take to explain it, before it is explained without. */
const ASK_OWNER_MS = 2_000;

/** What only the coordinator that drives a taskflow knows. */
function askOwner(broker: ServiceBroker): (owner: string, taskflowId: string) => Promise<Explanation> {
  return async (nodeID, taskflowId) => {
    const options = { nodeID, timeout: ASK_OWNER_MS, retries: 0 };
    const { data } = await broker.call<{ data: Explanation }, unknown>(EXPLAIN_ACTION, { taskflowId }, options);
    return data;
  };
}

export function createEngine(service: Service, options: TaskflowServiceOptions): Engine {
  const { broker, logger } = service;
  const given = settingsOf(service, options);
  const { limits, eventTreeLimit, maxInFlight, maxActive } = given;
  const types = taskTypesWith(given.taskTypes);
  // A schema that is none shows now, not in the first produce.
  taskChecks(types);
  const store = typeof given.store === "string" ? storeOf(given.store) : given.store;
  const bus = new MoleculerBus(broker, given);
  const clock = new SystemClock();
  const settings = {
    owner: broker.nodeID,
    defaults: given.options,
    leaseMs: given.lease,
    retentionMs: given.retention ?? null,
    maxInFlight,
    maxActive,
    parkMs: given.parkAfter,
    compactAfter: COMPACT_AFTER,
    eventTreeLimit,
    paramsBytes: limits.paramsBytes,
  };
  const pauses = new PauseRules({ store, clock, logger }, settings.owner);
  const taskTypes = new TaskTypeRegistry(types, { bus, nodeID: broker.nodeID });
  const ports = { store, bus, clock, ids: systemIds, logger, taskTypes, sandbox: new ThreadSandbox() };
  const coordinator = new Coordinator(ports, settings, pauses);
  const journals = new JournalCache(store, clock);
  return {
    store,
    bus,
    coordinator,
    journals,
    callers: new Callers(broker),
    queries: new Queries({ coordinator, store, journals, taskTypes, clock, gate: pauses, eventTreeLimit }),
    pauses,
    explanations: new Explainer(
      {
        coordinator,
        store,
        journals,
        clock,
        network: new MoleculerNetwork(broker),
        taskTypes,
        pauses,
        askOwner: askOwner(broker),
      },
      settings,
    ),
    clock,
    copies: new Transfer(coordinator, { store, clock, ids: systemIds }, settings),
    startsPaused: given.paused,
    limits,
    isActionAllowed: compileActionPatterns(given.allowedActions),
    taskTypes: types,
    newId: () => systemIds.sorted(),
    graceMs: given.shutdownGrace,
    delay: monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS }),
    ready: false,
  };
}

/** What a coordinator's service is made of: one engine for each service that a broker creates. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Service, ServiceBroker } from "moleculer";
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { MoleculerNetwork } from "../../lib/adapters/moleculer/network.ts";
import { storeOf } from "../../lib/adapters/open-store.ts";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { systemIds } from "../../lib/adapters/system/ids.ts";
import { compileActionPatterns } from "../../lib/config/allowed-actions.ts";
import { Transfer } from "../../lib/coordinator/operations/transfer.ts";
import { Coordinator } from "../../lib/coordinator/coordinator.ts";
import { Explainer } from "../../lib/coordinator/queries/explainer.ts";
import { PauseRules } from "../../lib/coordinator/flow-control/pause-rules.ts";
import { Queries } from "../../lib/coordinator/queries/queries.ts";
import type { Explanation } from "../../schemas/explanation.schema.ts";
import { parseLongDuration, readEnvironment } from "../../lib/config/environment.ts";
import { type Limits, resolveLimits } from "../../lib/config/limits.ts";
import { DEFAULT_OPTIONS, resolveOptions } from "../../lib/core/model/options.ts";
import { EXPLAIN_ACTION } from "../../lib/protocol/names.ts";
import { parseDuration } from "../../lib/util/duration.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Store } from "../../lib/ports/store.ts";
import { taskChecks } from "../../lib/validation/index.ts";
import { taskTypesWith } from "../../lib/task-types/index.ts";
import { TaskTypeRegistry } from "../../lib/task-types/registry.ts";
import type { SendingTaskType } from "../../lib/ports/task-types.ts";
import type { TaskType } from "../../lib/core/model/task-type.ts";
import type { Options } from "../../schemas/options.ts";

/** What the factory takes; what is absent comes from the environment, then from the defaults. */
export interface TaskflowServiceOptions {
  /** A URL (`sqlite:<file>`, `memory:`) or a store that is not open yet. `TASKFLOW_STORE`, else `sqlite:./data/taskflow.db`. */
  store?: string | Store;
  /** Options where a taskflow, stage or task says nothing. */
  options?: Options;
  /** Limits that differ from the defaults. */
  limits?: Partial<Limits>;
  /** Patterns of the actions that tasks may call; `!` excludes. `TASKFLOW_ALLOWED_ACTIONS`, else all but `$node.**` and `taskflow.**`. */
  allowedActions?: readonly string[];
  /** Attempts in flight at once, over all taskflows of this coordinator. Default 1,000. */
  maxInFlight?: number;
  /**
   * Taskflows in memory at once; those that wait for long (`parkAfter`) do not count. Beyond it `produce` is refused with `TASKFLOW_OVERLOADED`, and what
   * is due waits in the store. Default 100,000.
   */
  maxActive?: number;
  /** A taskflow in which nothing can happen for longer than this leaves memory until then: ms or "30s". `TASKFLOW_PARK_AFTER`, else 30 s. */
  parkAfter?: number | string;
  /** How long finished taskflows are kept: ms or "30d". `TASKFLOW_RETENTION`, else for ever. */
  retention?: number | string;
  /** Bytes from which the state tree in events gives way to counts. `TASKFLOW_EVENT_TREE_LIMIT`, else 4096. */
  eventTreeLimit?: number;
  /** How long it keeps its taskflows without a sign of life, before others take them over: ms or "10s". `TASKFLOW_LEASE`, else 10 s. */
  lease?: number | string;
  /** How long a stop waits for running attempts: ms or "10s". `TASKFLOW_SHUTDOWN_GRACE`, else 10 s. */
  shutdownGrace?: number | string;
  /** Starts paused: this coordinator sends nothing until `resumeActions({ pattern: "**" })`. `TASKFLOW_PAUSED`, else false. */
  paused?: boolean;
  /** Task types of your own, beside those of the package. Give all coordinators of a store the same. */
  taskTypes?: readonly (TaskType | SendingTaskType)[];
}

/** Tasks of one stage in flight at once, where nobody said anything. */
const STAGE_CONCURRENCY = 500;

export interface Engine {
  readonly store: Store;
  readonly bus: MoleculerBus;
  readonly coordinator: Coordinator;
  readonly clock: Clock;
  readonly queries: Queries;
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

/** Nanoseconds of the histogram, which measures from timer to timer, as ms of delay with one decimal. */
export const milliseconds = (nanoseconds: number): number =>
  Math.max(0, Math.round(nanoseconds / 1e5 - LAG_RESOLUTION_MS * 10) / 10);

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

export function createEngine(service: Service, given: TaskflowServiceOptions): Engine {
  const { broker, logger } = service;
  const env = readEnvironment();
  const types = taskTypesWith(given.taskTypes);
  // A schema that is none shows now, not in the first produce.
  taskChecks(types);
  const store = typeof given.store === "object" ? given.store : storeOf(given.store ?? env.store);
  const eventTreeLimit = given.eventTreeLimit ?? env.eventTreeLimit;
  const bus = new MoleculerBus(broker);
  const clock = new SystemClock();
  const settings = {
    owner: broker.nodeID,
    defaults: resolveOptions(DEFAULT_OPTIONS, { maxConcurrency: STAGE_CONCURRENCY, ...given.options }),
    leaseMs: given.lease === undefined ? env.leaseMs : parseDuration(given.lease),
    retentionMs: given.retention === undefined ? env.retentionMs : parseLongDuration(given.retention),
    maxInFlight: given.maxInFlight ?? 1_000,
    maxActive: given.maxActive ?? 100_000,
    parkMs: given.parkAfter === undefined ? env.parkMs : parseLongDuration(given.parkAfter),
    eventTreeLimit,
  };
  const pauses = new PauseRules({ store, clock, logger }, settings.owner);
  const taskTypes = new TaskTypeRegistry(types, { bus, nodeID: broker.nodeID });
  const coordinator = new Coordinator({ store, bus, clock, ids: systemIds, logger, taskTypes }, settings, pauses);
  return {
    store,
    bus,
    coordinator,
    queries: new Queries({ coordinator, store, taskTypes, clock, gate: pauses, eventTreeLimit }),
    pauses,
    explanations: new Explainer(
      { coordinator, store, clock, network: new MoleculerNetwork(broker), taskTypes, pauses, askOwner: askOwner(broker) },
      settings,
    ),
    clock,
    copies: new Transfer(coordinator, { store, clock, ids: systemIds }, settings),
    startsPaused: given.paused ?? env.paused,
    limits: resolveLimits(given.limits),
    isActionAllowed: compileActionPatterns(given.allowedActions ?? env.allowedActions),
    taskTypes: types,
    newId: () => systemIds.sorted(),
    graceMs: given.shutdownGrace === undefined ? env.shutdownGraceMs : parseDuration(given.shutdownGrace),
    delay: monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS }),
    ready: false,
  };
}

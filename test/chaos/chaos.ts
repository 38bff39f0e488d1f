/** One chaos run, from the first process to the verdict. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TaskflowDetails } from "../../lib/index.ts";
import { isTaskflowError } from "../../lib/index.ts";
import type { MongoServer } from "../helpers/mongo-process.ts";
import { uniqueNamespace } from "../helpers/unique.ts";
import { Checker, type Verdict } from "./checker.ts";
import { Cluster } from "./cluster.ts";
import { readExecutions } from "./execution-log.ts";
import { type Figure, figuresOf } from "./figures.ts";
import { Collector } from "./collect.ts";
import { hasLastEvent, Producer } from "./producer.ts";
import { StoreView } from "./store-view.ts";
import { Takeovers } from "./takeovers.ts";
import { FaultInjector } from "./fault-injector.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Taskflows a second, at most. */
  readonly rate: number;
  readonly maxInFlight: number;
  readonly mongo: MongoServer;
  /** For the logs of all processes. */
  readonly folder: string;
  readonly natsEveryMs?: number;
  readonly mongoEveryMs?: number;
  readonly say?: (line: string) => void;
}

export interface ChaosResult extends Verdict {
  readonly folder: string;
  readonly seed: number;
  readonly seconds: number;
  readonly flows: number;
  readonly calls: number;
  readonly kills: Record<string, number>;
  readonly complaints: readonly string[];
  readonly figures: readonly Figure[];
  /** From calm until the last taskflow was finished, ms. */
  readonly settledMs: number;
  readonly callErrors: Record<string, number>;
}

const LEASE_MS = 3_000;
const GRACE_MS = 2_000;
const SETTLE_MS = 120_000;
const READERS = 4;
const REPORT_MS = 10_000;

export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, folder, mongo, seconds, say = () => undefined } = options;
  const namespace = uniqueNamespace();
  const settings = { folder, namespace, mongo, coordinators: 2, workers: 3, leaseMs: LEASE_MS, graceMs: GRACE_MS };
  const cluster = await Cluster.start(settings);
  const { rate, maxInFlight } = options;
  const producer = new Producer({ url: cluster.nats.url, namespace, seed, rate, maxInFlight });
  const store = new StoreView(cluster.storeUrl);
  const takeovers = new Takeovers(store);
  const collector = new Collector(producer, store);
  const faults = new FaultInjector(cluster, {
    seed: seed + 1_000_000,
    leaseMs: LEASE_MS,
    natsEveryMs: options.natsEveryMs ?? 15_000,
    mongoEveryMs: options.mongoEveryMs ?? 30_000,
    striking: (victim, how) =>
      takeovers.watch(
        victim.name,
        how,
        [...producer.inFlight].map(({ id }) => id),
      ),
  });
  try {
    await producer.start();
    const produced = producer.produce();
    collector.start();
    faults.start();
    await run(seconds, producer, say);
    producer.stopProducing();
    await faults.calm();
    await produced;
    const settledMs = await settle(producer);
    await collector.stop();
    const executions = readExecutions(cluster.executions);
    const checker = new Checker(executions);
    const details = await readRest(producer, collector.details);
    for (const flow of producer.flows.values()) checker.check(flow, details.get(flow.id));
    const verdict = checker.verdict();
    verdict.violations.push(...collector.violations, ...(await quietLeftovers(store, collector.removed)));
    const { absences, counts, complaints } = faults;
    const observed = { takeovers: takeovers.found, absences, executions, leaseMs: LEASE_MS };
    return {
      ...verdict,
      folder,
      seed,
      seconds,
      flows: producer.flows.size,
      calls: [...producer.flows.values()].reduce((sum, { sends }) => sum + sends, 0),
      kills: Object.fromEntries([...counts].toSorted(([one], [other]) => one.localeCompare(other))),
      complaints,
      figures: figuresOf(observed),
      callErrors: Object.fromEntries(producer.errors),
      settledMs,
    };
  } finally {
    await faults.calm();
    await collector.stop();
    await producer.close().catch(() => undefined);
    writeFileSync(join(folder, "producer.log"), producer.node.lines.join("\n"));
    await takeovers.close();
    await store.close();
    await cluster.close();
  }
}

async function run(seconds: number, producer: Producer, say: (line: string) => void): Promise<void> {
  const from = performance.now();
  for (;;) {
    const left = seconds * 1_000 - (performance.now() - from);
    if (left <= 0) return;
    await delay(Math.min(left, REPORT_MS));
    const at = Math.round((performance.now() - from) / 1_000);
    say(
      `${at} s: ${producer.flows.size} taskflows, ${producer.inFlight.size} in flight, ${producer.uncollected.size} finished and still stored`,
    );
  }
}

/**
 * Until everything that was produced is finished and every subscription has its end; what is not
 * by then is stuck.
 */
async function settle(producer: Producer): Promise<number> {
  const from = performance.now();
  const isSettled = (): boolean =>
    producer.inFlight.size === 0 && [...producer.flows.values()].every((flow) => hasLastEvent(flow));
  while (!isSettled() && performance.now() - from < SETTLE_MS) await delay(100);
  const settledMs = Math.round(performance.now() - from);
  await Promise.race([producer.settled(), delay(SETTLE_MS, undefined, { ref: false })]);
  return settledMs;
}

/** What was not taken out of the store during the run. */
async function readRest(producer: Producer, known: ReadonlyMap<string, TaskflowDetails>): Promise<Map<string, TaskflowDetails>> {
  const found = new Map(known);
  const ids = [...producer.flows.keys()].filter((id) => !found.has(id)).values();
  const read = async (): Promise<void> => {
    for (const id of ids) {
      for (let tries = 1; !found.has(id); tries++) {
        try {
          found.set(id, await producer.client.getTaskflowDetails(id));
        } catch (error) {
          if (isTaskflowError(error, "TASKFLOW_NOT_FOUND")) break;
          if (tries === 10) throw error;
          await delay(500);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: READERS }, read));
  return found;
}

/** The rows follow their journals within moments. */
async function quietLeftovers(store: StoreView, removed: ReadonlySet<string>): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    const left = await store.leftovers(removed);
    if (left.length === 0 || tries === 20) return left;
    await delay(250);
  }
}

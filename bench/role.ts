/**
 * The entry of a contender's processes: `node bench/role.ts <role> <settings as JSON>`. It tells
 * its parent when it is ready, or what it measured.
 */
import type { ServiceBroker } from "moleculer";
import { type Counters, type Settings, stockNode } from "./contender.ts";
import { limit } from "./contenders/limit.ts";
import { product } from "./contenders/product.ts";
import { cpuOf } from "./host.ts";
import { medianOf } from "./statistics.ts";
import { check, type Flow, randomOf, type Workload, workloadOf } from "./workloads.ts";

export interface RoleSettings extends Settings {
  readonly contender: "product" | "limit";
  /** For the client. */
  readonly workloads: readonly string[];
  readonly pids: Readonly<Record<string, number>>;
  /** Shares of the usual windows and repetitions. */
  readonly share: number;
}

/** What the client measured of one workload. */
export interface Result {
  readonly flows: number;
  readonly perSecond: number;
  /** Of a flow. */
  readonly p50: number;
  /** ms a flow, all processes; undefined where it cannot be told. */
  readonly cpu: number | undefined;
  readonly commands: number;
  readonly operations: number;
}

const [role = "", json = "{}"] = process.argv.slice(2);
const settings = JSON.parse(json) as RoleSettings;
const contender = settings.contender === "product" ? product : limit;
let made = 0;

function nextFlow({ flow }: Workload): Flow {
  const number = made++;
  return flow(`f${process.pid}-${number}`, randomOf(number));
}

async function runOne(client: ServiceBroker, workload: Workload): Promise<number> {
  const flow = nextFlow(workload);
  const from = performance.now();
  const last = await contender.run(client, flow, settings);
  const ms = performance.now() - from;
  check(flow, last);
  return ms;
}

/** Runs `body` between two looks at what was used and written. */
async function measure(client: ServiceBroker, body: () => Promise<number[]>): Promise<Result> {
  const countersOf = (): Promise<Counters> => client.call<Counters>("bench.counters");
  const pids = { client: process.pid, ...settings.pids };
  const [before, countersBefore, from] = [cpuOf(pids), await countersOf(), performance.now()];
  const times = await body();
  const seconds = (performance.now() - from) / 1_000;
  const [after, countersAfter] = [cpuOf(pids), await countersOf()];
  const flows = times.length;
  const used = before && after && Object.keys(after).reduce((sum, name) => sum + after[name]! - (before[name] ?? 0), 0);
  return {
    flows,
    perSecond: flows / seconds,
    p50: medianOf(times),
    cpu: used === undefined ? undefined : used / flows,
    commands: (countersAfter.commands - countersBefore.commands) / flows,
    operations: (countersAfter.operations - countersBefore.operations) / flows,
  };
}

async function runWorkload(client: ServiceBroker, workload: Workload): Promise<Result> {
  const { share } = settings;
  if (workload.kind === "repeat") {
    return measure(client, async () => {
      const times: number[] = [];
      for (let index = 0; index < Math.max(1, Math.round(workload.times * share)); index++)
        times.push(await runOne(client, workload));
      return times;
    });
  }
  const { inFlight, warmMs, ms } = workload;
  const state = { isOver: false };
  let times: number[] = [];
  const keepRunning = async (): Promise<void> => {
    while (!state.isOver) times.push(await runOne(client, workload));
  };
  const running = Promise.all(Array.from({ length: inFlight }, keepRunning));
  const wait = (forMs: number): Promise<unknown> => Promise.race([running, new Promise((resolve) => setTimeout(resolve, forMs))]);
  await wait(warmMs * share);
  const result = await measure(client, async () => {
    times = [];
    await wait(ms * share);
    while (times.length === 0) await wait(100);
    return times.slice();
  });
  state.isOver = true;
  await running;
  return result;
}

async function runClient(): Promise<Record<string, Result>> {
  const client = stockNode(settings.nats, "client");
  await client.start();
  await client.waitForServices([contender.service, "bench"]);
  const results: Record<string, Result> = {};
  for (const name of settings.workloads) results[name] = await runWorkload(client, workloadOf(name));
  return results;
}

async function runRole(): Promise<unknown> {
  if (role === "worker") return contender.worker(settings);
  if (role === "coordinator") return contender.coordinator(settings);
  return runClient();
}

process.once("disconnect", () => process.exit(0));
runRole().then(
  (value) => process.send?.({ value: value ?? null }),
  (error: unknown) => process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);

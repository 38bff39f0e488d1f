/**
 * `npm run bench:memory -- [taskflows] [minutes]`: what a coordinator on SQLite keeps of
 * taskflows that are over. A million of [1,4,1] unless told otherwise, as many as fit where
 * minutes are given, 100 in flight; the memory of its process every few seconds, and its slope
 * after a warm-up of a third.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stockNode } from "./contender.ts";
import { product } from "./contenders/product.ts";
import { Host } from "./host.ts";
import { randomOf, workloadOf } from "./workloads.ts";

const EVERY_MS = 5_000;
const IN_FLIGHT = 100;

interface Sample {
  readonly minutes: number;
  readonly taskflows: number;
  readonly mb: number;
}

/** Resident memory of a process; there has to be a /proc. */
function rssMb(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

/** MB a minute, by least squares. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, each) => sum + of(each), 0) / samples.length;
  const [x, y] = [mean(({ minutes }) => minutes), mean(({ mb }) => mb)];
  const covariance = mean(({ minutes, mb }) => (minutes - x) * (mb - y));
  return covariance / mean(({ minutes }) => (minutes - x) ** 2);
}

function tell(samples: readonly Sample[]): void {
  const warm = samples.slice(Math.ceil(samples.length / 3));
  const [first, last] = [warm[0], warm.at(-1)];
  if (!first || !last || warm.length < 3) return console.log("Too short for a slope: give it more taskflows.");
  const step = Math.ceil(samples.length / 12);
  for (const [index, { minutes, taskflows, mb }] of samples.entries())
    if (index % step === 0)
      console.log(`${minutes.toFixed(1)} min, ${taskflows.toLocaleString("en-US")} taskflows: ${mb.toFixed(0)} MB`);
  const sizes = warm.map(({ mb }) => mb);
  console.log(
    `After the first ${first.taskflows.toLocaleString("en-US")} of ${last.taskflows.toLocaleString("en-US")}: ${Math.min(...sizes).toFixed(0)} to ${Math.max(...sizes).toFixed(0)} MB, slope ${slopeOf(warm).toFixed(2)} MB/min`,
  );
}

async function run(host: Host, taskflows: number, minutes: number): Promise<Sample[]> {
  const nats = await host.nats();
  const settings = { contender: "product", variant: "state", nats, store: `sqlite:${join(host.folder, "flows.db")}` } as const;
  await host.fork("worker", settings);
  await host.fork("coordinator", settings);
  const client = stockNode(nats, "client");
  await client.start();
  await client.waitForServices(product.service);
  const { flow } = workloadOf("staged-c100");
  const from = performance.now();
  const samples: Sample[] = [];
  let begun = 0;
  let done = 0;
  const elapsed = (): number => (performance.now() - from) / 60_000;
  const sample = (): number => samples.push({ minutes: elapsed(), taskflows: done, mb: rssMb(host.pids["coordinator"]!) });
  const sampling = setInterval(sample, EVERY_MS);
  const keepRunning = async (): Promise<void> => {
    while (begun < taskflows && elapsed() < minutes) {
      const number = begun++;
      await product.run(client, flow(`m${number}`, randomOf(number)), settings);
      done++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, keepRunning));
  clearInterval(sampling);
  sample();
  await client.stop();
  return samples;
}

const [taskflows = 1_000_000, minutes = Number.POSITIVE_INFINITY] = process.argv.slice(2).map(Number);
const host = new Host();
try {
  tell(await run(host, taskflows, minutes));
} finally {
  await host.stop();
}

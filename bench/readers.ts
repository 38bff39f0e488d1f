/**
 * `npm run bench:readers -- [tasks] [subscribers]`: what readers of one large taskflow cost the
 * others, on SQLite. A taskflow of 99,999 tasks and one that joins them is run; then 20
 * subscribers read all of its events from the beginning, while another client runs flows of
 * [1,4,1], one at a time. After that 1,000 callers wait for a paused taskflow and are killed.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TaskflowClient } from "../lib/client.ts";
import { stockNode } from "./contender.ts";
import { product } from "./contenders/product.ts";
import { cpuOf, Host } from "./host.ts";
import { medianOf, show } from "./statistics.ts";
import { randomOf, type Workload, workloadOf } from "./workloads.ts";

/** The definition of 100,000 tasks is one message. */
const DEFINITION_BYTES = 24 * 1024 * 1024;
const ALONE_MS = 5_000;
const WAITERS = 1_000;
const WATCHED_MS = 10_000;

interface ReaderSettings {
  readonly role: "subscribers" | "waiters";
  readonly nats: string;
  readonly taskflowId: string;
  readonly count: number;
}

/** A process of its own: its work must not hold up the client that is measured. */
async function read({ role, nats, taskflowId, count }: ReaderSettings): Promise<void> {
  const node = stockNode(nats, role);
  await node.start();
  await node.waitForServices("taskflow");
  const client = new TaskflowClient(node);
  const all = Array.from({ length: count });
  if (role === "waiters") {
    for (const _ of all) client.waitForTaskflow(taskflowId).catch(() => undefined);
    await delay(2_000);
    process.send?.("waiting");
    return;
  }
  let events = 0;
  const last = async (): Promise<void> => {
    const { lastSeq } = await client.subscribeToTaskflowEvents(taskflowId, () => void events++);
    if (lastSeq === 0) throw new Error("There were no events.");
  };
  await Promise.all(all.map(last));
  process.send?.(events);
}

function start(settings: ReaderSettings) {
  const child = fork(import.meta.filename, [JSON.stringify(settings)], { execArgv: ["--disable-warning=ExperimentalWarning"] });
  process.once("exit", () => child.kill("SIGKILL"));
  return child;
}

async function main(tasks: number, subscribers: number): Promise<void> {
  const host = new Host();
  try {
    const nats = await host.nats(DEFINITION_BYTES);
    const settings = { contender: "product", variant: "state", nats, store: `sqlite:${join(host.folder, "flows.db")}` } as const;
    await host.fork("worker", settings);
    await host.fork("coordinator", settings);
    const client = stockNode(nats, "client");
    await client.start();
    await client.waitForServices(product.service);
    const runOne = async (workload: Workload, id: string): Promise<number> => {
      const from = performance.now();
      await product.run(client, workload.flow(id, randomOf(1)), settings);
      return performance.now() - from;
    };
    const seconds = (await runOne(workloadOf(`wide-${tasks}`), "large")) / 1_000;
    console.log(`${tasks.toLocaleString("en-US")} tasks: run in ${show(seconds)} s.`);

    const taskflows = new TaskflowClient(client);
    const [large] = (await taskflows.listTaskflows({})).rows;
    const taskflowId = large?.taskflowId ?? "";

    const small = workloadOf("staged-c1");
    let flows = 0;
    const latenciesWhile = async (isOver: () => boolean): Promise<number[]> => {
      const latencies: number[] = [];
      while (!isOver()) latencies.push(await runOne(small, `small-${flows++}`));
      return latencies;
    };
    const until = (ms: number): (() => boolean) => {
      const end = performance.now() + ms;
      return () => performance.now() > end;
    };
    await latenciesWhile(until(2_000));
    const alone = medianOf(await latenciesWhile(until(ALONE_MS)));

    const from = performance.now();
    const readers = start({ role: "subscribers", nats, taskflowId, count: subscribers });
    let events: number | undefined;
    readers.once("message", (count) => (events = count as number));
    readers.once("exit", () => (events ??= 0));
    const beside = await latenciesWhile(() => events !== undefined);
    const readSeconds = (performance.now() - from) / 1_000;
    readers.kill("SIGKILL");
    const besideMedian = medianOf(beside);
    console.log(
      `${subscribers} subscribers: ${(events ?? 0).toLocaleString("en-US")} events in ${show(readSeconds)} s; ` +
        `a flow of [1,4,1] beside them: p50 ${show(besideMedian)} ms, alone ${show(alone)} ms: ${show(besideMedian / alone)} times.`,
    );

    const task = { name: "t", type: "ACTION" as const, taskDetails: { serviceId: "nobody", actionName: "answers" } };
    await taskflows.produce({ taskflowId: "waits", stages: [{ name: "s", tasks: [task] }] });
    await taskflows.pauseTaskflow("waits");
    const waiters = start({ role: "waiters", nats, taskflowId: "waits", count: WAITERS });
    await once(waiters, "message");
    waiters.kill("SIGKILL");
    const before = cpuOf(host.pids);
    await delay(WATCHED_MS);
    const after = cpuOf(host.pids);
    const cpu = ((after?.["coordinator"] ?? 0) - (before?.["coordinator"] ?? 0)) / WATCHED_MS;
    console.log(`${WAITERS} killed callers of waitForTaskflow: the coordinator takes ${show(100 * cpu)} % of a core.`);
    await client.stop();
  } finally {
    await host.stop();
  }
}

const [first = "99999", second = "20"] = process.argv.slice(2);
if (first.startsWith("{")) await read(JSON.parse(first) as ReaderSettings);
else await main(Number(first), Number(second));

/**
 * A store that takes no commit for long: the coordinator waits for it without using up a
 * processor or its log.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { NatsTransporter, TaskflowClient, TaskflowService, type TaskflowServiceOptions } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { stageOf } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes, type TestNode } from "../helpers/nodes.ts";
import { smallDisk } from "../helpers/small-disk.ts";
import { startProxy } from "../helpers/tcp-proxy.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

const OUTAGE_MS = 8_000;
const FLOWS = 60;

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(() => stopNodes());
afterAll(() => server.stop());

/** What an outage costs this process, from the moment on which the answers of all tasks come. */
async function outage(node: TestNode, answer: () => void): Promise<{ cpu: number; lines: string[] }> {
  const { length } = node.lines;
  const before = process.cpuUsage();
  answer();
  await delay(OUTAGE_MS);
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1_000 / OUTAGE_MS, lines: node.lines.slice(length) };
}

interface Waiting {
  readonly node: TestNode;
  readonly client: TaskflowClient;
  readonly answer: () => void;
}

/** A coordinator with taskflows whose tasks all wait to be answered. */
async function waiting(store: TaskflowServiceOptions["store"] & {}): Promise<Waiting> {
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const svc = { name: "svc", actions: { wait: () => answered.then(() => "x".repeat(5_000)) } };
  const node = createNode(new NatsTransporter({ url: server.url }), {
    namespace: uniqueNamespace(),
    nodeID: "coordinator",
    services: [TaskflowService({ store, lease: 2_000 }), svc],
  });
  await node.broker.start();
  const client = new TaskflowClient(node.broker);
  for (let index = 0; index < FLOWS; index++)
    await client.produce({ taskflowId: `f${index}`, stages: [stageOf("one", ["wait"]), stageOf("two", ["b:wait"])] });
  return { node, client, answer };
}

async function completesWithin(client: TaskflowClient, ms: number): Promise<void> {
  const begun = performance.now();
  await eventually(async () => expect((await client.listTaskflows()).counts).toEqual({ COMPLETED: FLOWS }), {
    timeoutMs: 20_000,
  });
  expect(performance.now() - begun).toBeLessThan(ms);
}

test("a full disk is tried now and then, told once, and everything goes on within seconds of there being room", async () => {
  const disk = smallDisk();
  const { node, client, answer } = await waiting(`sqlite:${join(disk.folder, "flow.db")}`);
  disk.fillUp();
  const { cpu, lines } = await outage(node, answer);
  disk.makeRoom();
  await completesWithin(client, 5_000);
  await node.broker.stop();
  disk.remove();
  expect(lines.join("\n")).toContain("full");
  expect(lines.length).toBeLessThanOrEqual(5);
  expect(cpu).toBeLessThan(0.25);
}, 60_000);

describeOnMongo("a MongoDB", (mongo) => {
  test("that cannot be reached is tried now and then, told once, and everything goes on within seconds of its return", async () => {
    const proxy = await startProxy(mongo().port, mongo().host);
    const store = new MongoStore({ url: mongo().newUrl(proxy.port), attemptMs: 200, patienceMs: 500 });
    const { node, client, answer } = await waiting(store);
    proxy.cut();
    const { cpu, lines } = await outage(node, answer);
    proxy.restore();
    await completesWithin(client, 10_000);
    await node.broker.stop();
    await proxy.close();
    expect(lines.join("\n")).toContain("failed");
    expect(lines.length).toBeLessThanOrEqual(8);
    expect(cpu).toBeLessThan(0.25);
  }, 60_000);
});

/**
 * Callers that wait for a taskflow which is not in memory: they share a look a second, and cost
 * nothing once they have left.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as delay } from "node:timers/promises";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection } from "../helpers/local-node.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes, type TestNode } from "../helpers/nodes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

const WAITERS = 200;

let nats: NatsServer;
beforeAll(async () => void (nats = await startNatsServer()));
afterAll(() => nats.stop());
afterEach(stopNodes);

/** Counts the reads of journals. */
class CountingStore extends SqliteStore {
  reads = 0;

  override read(taskflowId: string): ReturnType<SqliteStore["read"]> {
    this.reads++;
    return super.read(taskflowId);
  }

  override readOn(...given: Parameters<SqliteStore["readOn"]>): ReturnType<SqliteStore["readOn"]> {
    this.reads++;
    return super.readOn(...given);
  }
}

interface Site {
  readonly store: CountingStore;
  readonly caller: TestNode;
  readonly client: TaskflowClient;
}

/** With a parked taskflow "waits", and a caller on another node. */
async function openSite(): Promise<Site> {
  const namespace = uniqueNamespace();
  const store = new CountingStore({ file: ":memory:" });
  const fails = (): never => {
    throw new Error("Not yet.");
  };
  const coordinator = createNode(new NatsTransporter({ url: nats.url }), {
    namespace,
    nodeID: "coordinator",
    services: [{ name: "svc", actions: { fails } }, TaskflowService({ store, parkAfter: "1s" })],
  });
  const caller = createNode(nats.url, { namespace, nodeID: "caller" });
  await coordinator.broker.start();
  await caller.broker.start();
  await caller.broker.waitForServices("taskflow", 20_000, 20);
  const client = new TaskflowClient(caller.broker);
  const task = { name: "t", type: "ACTION", taskDetails: { serviceId: "svc", actionName: "fails" } } as const;
  const options = { maxRetries: 1, retryDelay: "1h" };
  await client.produce({ taskflowId: "waits", stages: [{ name: "s", tasks: [{ ...task, options }] }] });
  await eventually(async () => expect(await client.health()).toMatchObject({ owned: 0 }));
  return { store, caller, client };
}

async function readsIn(store: CountingStore, ms: number): Promise<number> {
  const before = store.reads;
  await delay(ms);
  return store.reads - before;
}

test("share a look a second", async () => {
  const { store, client } = await openSite();
  const waits = Array.from({ length: WAITERS }, () => client.waitForTaskflow("waits", { timeout: 6_000 }).catch(() => undefined));
  await delay(500);
  // Two reads a look: the second serves those that came during the first.
  expect(await readsIn(store, 4_000)).toBeLessThanOrEqual(12);
  await client.cancelTaskflow("waits");
  for (const tree of await Promise.all(waits)) expect(tree).toMatchObject({ status: "CANCELLED" });
});

test("are forgotten when their node leaves", async () => {
  const { store, caller, client } = await openSite();
  for (let index = 0; index < WAITERS; index++) client.waitForTaskflow("waits").catch(() => undefined);
  await delay(1_500);
  expect(await readsIn(store, 1_500)).toBeGreaterThan(0);
  await caller.broker.stop();
  await eventually(async () => expect(await readsIn(store, 2_500)).toBe(0));
});

test("are forgotten when their request has timed out", async () => {
  const { store, caller } = await openSite();
  const params = { taskflowId: "waits", timeout: 60_000 };
  const call = caller.broker.call("taskflow.waitForTaskflow", params, { timeout: 1_500 });
  expect(["REQUEST_TIMEOUT", "TASKFLOW_WAIT_TIMEOUT"]).toContain((await rejection(call)).type);
  await delay(500);
  expect(await readsIn(store, 2_500)).toBe(0);
});

/**
 * Many answers at once that do not fit into messages: more than a ledger in memory keeps, and
 * more than one can fetch at a time.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { stageOf } from "../helpers/local-node.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(stopNodes);
afterAll(() => server.stop());

test("twenty-five answers of 3 MB at once are all fetched, and no handler runs twice", async () => {
  const namespace = uniqueNamespace();
  let runs = 0;
  const worker = {
    name: "svc",
    mixins: [TaskflowWorker()],
    actions: { make: () => `${++runs}:`.padEnd(3_000_000, "x") },
  };
  const node = (nodeID: string, service: object) =>
    createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID, services: [service as never] });
  const coordinator = node("c", TaskflowService({ store: "memory:", shutdownGrace: 50 }));
  await Promise.all([coordinator.broker.start(), node("w", worker).broker.start()]);
  await coordinator.broker.waitForServices("svc");
  const client = new TaskflowClient(coordinator.broker);
  const names = Array.from({ length: 25 }, (_, index) => `t${index}:make`);
  const { taskflowId } = await client.produce({ stages: [stageOf("one", names)] });
  const { status } = await client.waitForTaskflow(taskflowId);
  const { rows } = await client.listTasks(taskflowId);
  const numbers = rows.map(({ response }) => Number.parseInt(String(response), 10)).toSorted((a, b) => a - b);
  expect([status, runs]).toEqual(["COMPLETED", 25]);
  expect(numbers).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
});

/**
 * A worker that is killed says no goodbye. When its next process is there before anybody missed
 * its heartbeats, nothing is waited for in vain.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { join } from "node:path";
import { TaskflowClient, TaskflowService } from "../../lib/index.ts";
import { ask, callOf, deliver } from "../helpers/deliver.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { closeSites, openSite } from "../helpers/worker-nodes.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await closeSites();
  await stopNodes();
});
afterAll(() => server.stop());

test.each([
  ["svc.wait", "with the mixin, whose calls have no time of their own"],
  ["plain.wait", "without the mixin"],
])("calls to a killed process end when another one is there under its id: %s, %s", async (action) => {
  const site = await openSite(server.url, { heartbeatTimeout: 3_600 });
  const worker = await site.worker();
  const { nodeID } = worker;
  const lost = deliver(site.bus, callOf(action, { node: nodeID, timeout: 3_600_000 }));
  await eventually(() => expect(site.runs()).toBe(1));
  await worker.end("SIGKILL");
  const next = await site.worker({ nodeID });
  expect(await lost).toMatchObject({ kind: "unknown", error: { type: "WORKER_LOST" } });
  expect(site.node.broker.transit?.pendingRequests.size).toBe(0);

  // What its successor is asked is its own: news of the same process change nothing.
  const call = callOf(action, { node: nodeID });
  const answer = deliver(site.bus, call);
  await eventually(() => expect(site.runs()).toBe(2));
  site.node.broker.localBus.emit("$node.updated", { node: site.node.broker.registry.nodes.get(nodeID) });
  site.go();
  expect(await answer).toMatchObject({ kind: "answered" });
  expect((await ask(site.bus, call)).kind).toBe(action === "svc.wait" ? "done" : "silent");
  await next.end("SIGKILL");
});

test("a call whose answer was lost is pending no longer than its taskflow is driven", async () => {
  const site = await openSite(server.url, { heartbeatTimeout: 3_600 });
  const { broker } = site.node;
  broker.createService(TaskflowService({ store: "memory:", shutdownGrace: 200 }));
  await broker.waitForServices("taskflow");
  const worker = await site.worker();
  const task = { name: "one", type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: "wait" } };
  const client = new TaskflowClient(broker);
  const { taskflowId } = await client.produce({ stages: [{ name: "s", tasks: [task] }], options: { timeout: 1_500 } });
  await eventually(() => expect(site.runs()).toBe(1));
  expect(broker.transit?.pendingRequests.size).toBe(1);
  await worker.end("SIGKILL");
  const tree = await client.waitForTaskflow(taskflowId);
  expect(tree.status).toBe("FAILED");
  expect(broker.transit?.pendingRequests.size).toBe(0);
});

test("an answer that is fetched in parts is there after its worker was killed before the first of them", async () => {
  const site = await openSite(server.url, { heartbeatTimeout: 3_600 });
  const options = { ledger: `sqlite:${join(site.folder, "ledger.db")}` };
  const worker = await site.worker({ worker: options });
  const { nodeID } = worker;
  const { broker } = site.node;
  const send = broker.call.bind(broker);
  let kills = 0;
  broker.call = (async (...args: Parameters<typeof send>) => {
    if (args[0] === "svc.taskflowOutcome" && kills++ === 0) {
      await worker.end("SIGKILL");
      await site.worker({ nodeID, worker: options });
    }
    return (send as (...given: unknown[]) => unknown)(...args);
  }) as unknown as typeof send;
  const call = callOf("svc.tell", { node: nodeID, params: { kind: "2 MB" } });
  expect(await deliver(site.bus, call)).toMatchObject({ kind: "answered", response: JSON.stringify("ä".repeat(1_000_000)) });
  expect([kills > 0, site.runs()]).toEqual([true, 1]);
});

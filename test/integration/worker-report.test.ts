/**
 * An outcome that nobody may have heard of is told again until a coordinator has taken it:
 * through losses of the bus, to whoever drives the taskflow.
 */
import { afterAll, afterEach, expect, test } from "@jest/globals";
import type { Context } from "moleculer";
import { TaskflowClient, TaskflowService } from "../../lib/index.ts";
import { ask, callOf, deliver } from "../helpers/deliver.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { closeSites, openSite } from "../helpers/worker-nodes.ts";

const servers: NatsServer[] = [];
async function nats(): Promise<NatsServer> {
  const server = await startNatsServer();
  servers.push(server);
  return server;
}
afterEach(async () => {
  await closeSites();
  await stopNodes();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

interface Report {
  key: string;
  action: string;
  outcome: { ok: boolean; response: { pid: number } };
}

test("a coordinator settles its task by a report when the answer of the call was lost", async () => {
  const server = await nats();
  const site = await openSite(server.url);
  const { broker } = site.node;
  broker.createService(TaskflowService({ store: "memory:", shutdownGrace: 200 }));
  await broker.waitForServices("taskflow");
  const worker = await site.worker({ stock: true });
  const client = new TaskflowClient(broker);
  const task = {
    name: "one",
    type: "ACTION" as const,
    taskDetails: { serviceId: "svc", actionName: "wait" },
    options: { timeout: "15s" },
  };
  const { taskflowId } = await client.produce({ stages: [{ name: "s", tasks: [task] }] });
  await eventually(() => expect(site.runs()).toBe(1));
  const { id: taskId } = await client.getTask(taskflowId, "one");
  const call = { ...callOf("svc.wait", { node: worker.nodeID, taskflowId }), idempotencyKey: `${taskflowId}:${taskId}:0` };
  expect(await ask(site.bus, call)).toEqual({ kind: "running", quietMs: expect.any(Number) });
  await server.kill("SIGKILL");
  site.go();
  // The worker's client throws away what it was given while the link is down.
  await eventually(() => expect(broker.transit?.tx).toHaveProperty("isOnline", false));
  await server.restart();
  const tree = await client.waitForTaskflow(taskflowId, { timeout: 25_000 });
  expect(tree.status).toBe("COMPLETED");
  expect(site.runs()).toBe(1);
  const stray = { key: `${taskflowId}:${taskId}:0`, action: "svc.wait", outcome: { ok: true, response: 1 } };
  // Of a taskflow that has finished, or is unknown, a report no longer matters: it need not be
  // repeated.
  expect(await broker.call("taskflow.reportOutcome", stray)).toEqual({ success: true, data: { accepted: true } });
  await expect(broker.call("taskflow.reportOutcome", { ...stray, outcome: { ok: "yes" } })).rejects.toMatchObject({
    type: "TASKFLOW_VALIDATION_ERROR",
  });
});

test.each([
  ["NatsTransporter", false],
  ["Moleculer's own transporter", true],
] as const)(
  "an outcome that was asked for is reported through a NATS restart until it is acknowledged, with %s",
  async (_, stock) => {
    const server = await nats();
    const site = await openSite(server.url);
    const heard: Report[] = [];
    const reportOutcome = (ctx: Context<Report>): unknown => {
      heard.push(ctx.params);
      if (heard.length === 1) throw new Error("Not now.");
      return { success: true, data: { accepted: heard.length >= 3 } };
    };
    site.node.broker.createService({ name: "taskflow", actions: { reportOutcome } });
    const worker = await site.worker({ stock });
    const call = callOf("svc.wait", { node: worker.nodeID, listenMs: 2_000 });
    void deliver(site.bus, call);
    await eventually(() => expect(site.runs()).toBe(1));
    expect(await ask(site.bus, call)).toEqual({ kind: "running", quietMs: expect.any(Number) });
    await server.kill("SIGKILL");
    site.go();
    await eventually(() => expect(site.runs()).toBe(1));
    await server.restart();
    await eventually(() => expect(heard).toHaveLength(3), { timeoutMs: 25_000 });
    const report = {
      key: call.idempotencyKey,
      action: "svc.wait",
      outcome: { ok: true, delivery: 1, response: { pid: worker.child.pid } },
    };
    expect(heard).toEqual([report, report, report]);
    expect(await ask(site.bus, call)).toMatchObject({ kind: "done" });
    expect(site.runs()).toBe(1);
  },
);

test("an outcome that nobody asked for is not reported", async () => {
  const server = await nats();
  const site = await openSite(server.url);
  const heard: unknown[] = [];
  site.node.broker.createService({ name: "taskflow", actions: { reportOutcome: (ctx: Context) => heard.push(ctx.params) } });
  const worker = await site.worker();
  const first = callOf("svc.note", { node: worker.nodeID });
  await deliver(site.bus, first);
  await ask(site.bus, first);
  await deliver(site.bus, callOf("svc.note", { node: worker.nodeID }));
  expect(heard).toEqual([]);
});

test("a listener hears that the own link is back, with either transporter", async () => {
  const server = await nats();
  for (const stock of [false, true]) {
    const site = await openSite(server.url, { stock });
    let times = 0;
    const end = site.bus.onReconnected(() => times++);
    await server.restart();
    await eventually(() => expect(times).toBe(1), { timeoutMs: 15_000 });
    end();
    await closeSites();
    await stopNodes();
  }
});

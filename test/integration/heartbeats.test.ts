/**
 * A handler that sends heartbeats runs beyond its timeout: by its own signal, and for every
 * coordinator.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NatsTransporter, TaskflowClient, type TaskflowContext, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes, type TestNode } from "../helpers/nodes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

let nats: NatsServer;
beforeAll(async () => void (nats = await startNatsServer()));
afterAll(() => nats.stop());
afterEach(stopNodes);

/** Heartbeats leave a worker at most once a second. */
const TIMEOUT_MS = 1_500;

/** Beats until it is told to stop, and then answers whether it was aborted. */
function beating(): {
  readonly service: ServiceSchema;
  readonly runs: () => number;
  readonly stop: () => void;
  readonly fallSilent: () => void;
} {
  let runs = 0;
  const state = { isOver: false, isSilent: false };
  const service: ServiceSchema = {
    name: "svc",
    mixins: [TaskflowWorker()],
    actions: {
      async work(ctx: TaskflowContext) {
        runs++;
        while (!state.isOver) {
          if (!state.isSilent) ctx.taskflow?.heartbeat();
          await delay(100);
        }
        return { aborted: ctx.taskflow?.signal.aborted };
      },
    },
  };
  return { service, runs: () => runs, stop: () => void (state.isOver = true), fallSilent: () => void (state.isSilent = true) };
}

const flow = (options: object = {}) => ({
  options: { timeout: TIMEOUT_MS, ...options },
  stages: [
    { name: "only", tasks: [{ name: "t", type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: "work" } }] },
  ],
});

describe.each([["the coordinator's process"], ["another node"]])("in %s", (where) => {
  async function startSite(service: ServiceSchema): Promise<{ client: TaskflowClient; restart: () => Promise<void> }> {
    const namespace = uniqueNamespace();
    const store = `sqlite:${join(tempFolder(), "flow.db")}`;
    const isLocal = where !== "another node";
    const node = (nodeID: string, services: ServiceSchema[]): TestNode =>
      createNode(new NatsTransporter({ url: nats.url }), { namespace, nodeID, services });
    const coordinatorOf = (owner: number): TestNode =>
      node(`coordinator-${owner}`, [...(isLocal ? [service] : []), TaskflowService({ store, shutdownGrace: 10, lease: 1_000 })]);
    let owner = 1;
    let coordinator = coordinatorOf(owner);
    const other = node("other", isLocal ? [] : [service]);
    await other.broker.start();
    await coordinator.broker.start();
    await coordinator.broker.waitForServices("svc", 20_000, 20);
    await other.broker.waitForServices("taskflow", 20_000, 20);
    return {
      client: new TaskflowClient(other.broker),
      restart: async () => {
        await coordinator.broker.stop();
        coordinator = coordinatorOf(++owner);
        await coordinator.broker.start();
        await coordinator.broker.waitForServices("svc", 20_000, 20);
      },
    };
  }

  test("it succeeds long after its timeout, and its own signal is not aborted", async () => {
    const { service, runs, stop } = beating();
    const { client } = await startSite(service);
    const { taskflowId } = await client.produce(flow());
    await delay(3 * TIMEOUT_MS);
    stop();
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(Object.values(Object.values(tree.stages)[0]?.tasks ?? {})[0]?.response).toEqual({ aborted: false });
    expect(runs()).toBe(1);
  }, 20_000);

  if (where === "another node") {
    test("a new coordinator counts its timeout from its latest heartbeat: one handler runs", async () => {
      const { service, runs, stop } = beating();
      const { client, restart } = await startSite(service);
      const { taskflowId } = await client.produce(flow({ maxRetries: 2 }));
      await eventually(() => expect(runs()).toBe(1));
      await delay(2 * TIMEOUT_MS);
      await restart();
      await delay(4 * TIMEOUT_MS);
      stop();
      const tree = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
      expect(tree.status).toBe("COMPLETED");
      expect(runs()).toBe(1);
    }, 40_000);

    test("a new coordinator ends it once it has been silent for its timeout", async () => {
      const { service, runs, stop, fallSilent } = beating();
      const { client, restart } = await startSite(service);
      const { taskflowId } = await client.produce(flow());
      await eventually(() => expect(runs()).toBe(1));
      await restart();
      await delay(2 * TIMEOUT_MS);
      fallSilent();
      const tree = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
      stop();
      expect(tree).toMatchObject({ status: "FAILED", error: { type: "TASK_TIMEOUT" } });
    }, 40_000);
  }
});

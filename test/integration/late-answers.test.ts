/**
 * Answers of remote workers that come when their taskflow has left memory (cancelled, or parked
 * in a retry delay), and workers that remember a taskflow whose id is used again.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import type { StageDefinition, Taskflow, TaskDetails, TaskflowServiceOptions } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

let nats: NatsServer;
beforeAll(async () => void (nats = await startNatsServer()));
afterAll(() => nats.stop());
afterEach(stopNodes);

interface Site {
  readonly client: TaskflowClient;
  /** Calls of the handler that have not answered. */
  readonly open: (() => void)[];
  readonly calls: () => number;
  readonly restart: () => Promise<void>;
}

async function startSite(isPlain: boolean, taskflow: TaskflowServiceOptions = {}): Promise<Site> {
  const namespace = uniqueNamespace();
  const store = `sqlite:${join(tempFolder(), "flow.db")}`;
  const open: (() => void)[] = [];
  let calls = 0;
  const service: ServiceSchema = {
    name: "svc",
    mixins: isPlain ? [] : [TaskflowWorker()],
    actions: {
      work: () =>
        new Promise((resolve) => {
          const call = ++calls;
          open.push(() => resolve({ call }));
        }),
    },
  };
  let owners = 0;
  const startCoordinator = (): ReturnType<typeof createNode> =>
    createNode(new NatsTransporter({ url: nats.url }), {
      namespace,
      nodeID: `coordinator-${++owners}`,
      services: [TaskflowService({ store, shutdownGrace: 10, ...taskflow })],
    });
  let coordinator = startCoordinator();
  const worker = createNode(isPlain ? nats.url : new NatsTransporter({ url: nats.url }), {
    namespace,
    nodeID: "worker",
    services: [service],
  });
  await worker.broker.start();
  await coordinator.broker.start();
  await coordinator.broker.waitForServices("svc", 20_000, 20);
  await worker.broker.waitForServices("taskflow", 20_000, 20);
  return {
    client: new TaskflowClient(worker.broker),
    open,
    calls: () => calls,
    restart: async () => {
      await coordinator.broker.stop();
      coordinator = startCoordinator();
      await coordinator.broker.start();
      await coordinator.broker.waitForServices("svc", 20_000, 20);
    },
  };
}

const stage = (name: string): StageDefinition => ({
  name,
  tasks: [{ name: "t", type: "ACTION", taskDetails: { serviceId: "svc", actionName: "work" } }],
});
const flow = (options: object): Taskflow => ({ options, stages: [stage("only")] });

async function taskOf(client: TaskflowClient, taskflowId: string): Promise<TaskDetails | undefined> {
  const { stages } = await client.getTaskflowDetails(taskflowId);
  return Object.values(stages).flatMap(({ tasks }) => Object.values(tasks))[0];
}

describe.each([
  ["a plain worker", true],
  ["a worker with the mixin", false],
])("%s on another node", (_name, isPlain) => {
  test("answers after its taskflow was cancelled: that is recorded, and a retry takes it", async () => {
    const { client, open, calls } = await startSite(isPlain);
    const { taskflowId } = await client.produce(flow({ exactlyOnceTaskExecution: true, timeout: 30_000 }));
    await eventually(() => expect(open).toHaveLength(1));
    await client.cancelTaskflow(taskflowId);
    await delay(300);
    open[0]?.();
    await eventually(async () =>
      expect(await taskOf(client, taskflowId)).toMatchObject({ status: "CANCELLED", response: { call: 1 } }),
    );
    await client.retryTaskflow(taskflowId);
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(await taskOf(client, taskflowId)).toMatchObject({ status: "SUCCESS", response: { call: 1 } });
    expect(calls()).toBe(1);
  }, 30_000);

  test("answers while its taskflow is parked in the delay after a timeout: the work is not repeated", async () => {
    const { client, open, calls } = await startSite(isPlain, { parkAfter: 1_000 });
    const { taskflowId } = await client.produce(flow({ timeout: 300, maxRetries: 1, retryDelay: 20_000 }));
    await eventually(() => expect(open).toHaveLength(1));
    await eventually(async () => expect(await taskOf(client, taskflowId)).toMatchObject({ statusReason: "RETRY_DELAY" }));
    await delay(500);
    open[0]?.();
    expect((await client.waitForTaskflow(taskflowId, { timeout: 10_000 })).status).toBe("COMPLETED");
    expect(calls()).toBe(1);
  }, 30_000);

  test("serves an id again that was deleted, however many owners the former taskflow had", async () => {
    const { client, open, restart } = await startSite(isPlain, { lease: 1_000 });
    // The worker sees the last owner with the second stage.
    const again = { taskflowId: "again", options: { timeout: 30_000 }, stages: [stage("one"), stage("two")] };
    await client.produce(again);
    await eventually(() => expect(open).toHaveLength(1));
    for (let owner = 2; owner <= 3; owner++) await restart();
    // A plain worker gets the attempt once more; one with the mixin still runs it.
    const answer = setInterval(() => open.splice(0).forEach((end) => end()), 50);
    try {
      const before = await client.waitForTaskflow("again", { timeout: 20_000 });
      expect(before.status).toBe("COMPLETED");
      await client.deleteTaskflow("again");
      await client.produce(again);
      const after = await client.waitForTaskflow("again", { timeout: 10_000 });
      expect(after.status).toBe("COMPLETED");
      expect(after.createdAt).toBeGreaterThan(before.createdAt);
    } finally {
      clearInterval(answer);
    }
  }, 60_000);
});

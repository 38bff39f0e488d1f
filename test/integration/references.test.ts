/** The answers of a large stage on their way to the next one, over a real NATS server. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { connect } from "nats";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import type { TaskflowContext, TaskflowExecutionContext } from "../../lib/index.ts";
import { rejection } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

const KIB = 1024;
const ANSWER = 10 * KIB;

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(stopNodes);
afterAll(() => server.stop());

async function cluster(worker: ServiceSchema): Promise<{ client: TaskflowClient; namespace: string }> {
  const namespace = uniqueNamespace();
  const node = (name: string, services: ServiceSchema[]) =>
    createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID: uniqueName(name), services });
  const coordinator = node("c", [TaskflowService({ store: "memory:", shutdownGrace: 50 })]);
  const other = node("w", [worker]);
  await Promise.all([coordinator.broker.start(), other.broker.start()]);
  await other.broker.waitForServices("taskflow");
  await coordinator.broker.waitForServices("svc");
  return { client: new TaskflowClient(other.broker), namespace };
}

const stages = (width: number, readers: number, options?: object) => [
  { name: "make", tasks: tasks("make", width, options) },
  { name: "read", tasks: tasks("read", readers, options) },
];

const tasks = (actionName: string, width: number, options: object = {}) =>
  Array.from({ length: width }, (_, index) => ({
    name: `${actionName}${index}`,
    type: "ACTION" as const,
    taskDetails: { serviceId: "svc", actionName },
    params: { index },
    options,
  }));

const make = (ctx: Context<{ index: number }>) => ({ index: ctx.params.index, pad: "x".repeat(ANSWER) });

test("every task of a stage reads all of a thousand answers of 10 KiB, and no message is over 64 KiB", async () => {
  const { client, namespace } = await cluster({
    name: "svc",
    mixins: [TaskflowWorker()],
    actions: {
      make,
      async read(ctx: TaskflowContext) {
        const rows = (await ctx.taskflow?.previousStageRes()) ?? [];
        const sum = rows.reduce((total, { response }) => total + (response as { index: number }).index, 0);
        return { rows: rows.length, sum };
      },
    },
  });
  const spy = await connect({ servers: server.url });
  let longest = 0;
  const listening = spy.subscribe(`MOL-${namespace}.>`, {
    callback: (_error, message) => {
      // The caller's own definition of a thousand tasks.
      if (Buffer.from(message.data).includes('"action":"taskflow.produce"')) return;
      const headers = message.headers?.get("Taskflow-Execution-Context").length ?? 0;
      longest = Math.max(longest, message.data.length + headers);
    },
  });
  await spy.flush();

  const { taskflowId } = await client.produce({ stages: stages(1_000, 3) });
  const { status, stages: told } = await client.waitForTaskflow(taskflowId, { stages: ["read"] });
  const answers = Object.values(Object.values(told)[0]?.tasks ?? {}).map(({ response }) => response);

  expect(status).toBe("COMPLETED");
  expect(answers).toEqual(Array.from({ length: 3 }, () => ({ rows: 1_000, sum: 499_500 })));
  expect(longest).toBeLessThanOrEqual(64 * KIB);
  listening.unsubscribe();
  await spy.close();
});

test("answers that do not fit into a message come whole: to the store, to the next stage, to whoever asks", async () => {
  const megabytes = "äöü\n".repeat(500_000);
  const { client } = await cluster({
    name: "svc",
    mixins: [TaskflowWorker()],
    actions: {
      make: () => ({ $ref: "mine", bytes: 1, megabytes }),
      async read(ctx: TaskflowContext) {
        const rows = (await ctx.taskflow?.previousStageRes()) ?? [];
        return rows.map(({ response }) => (response as { megabytes: string }).megabytes === megabytes);
      },
    },
  });
  const { taskflowId } = await client.produce({ stages: stages(3, 2) });
  expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
  expect((await client.getTask(taskflowId, "read1")).response).toEqual([true, true, true]);
  const { response, attempts } = await client.getTask(taskflowId, "make2");
  expect(attempts).toHaveLength(1);
  expect(await client.getValue((response as { $ref: string }).$ref)).toEqual({ $ref: "mine", bytes: 1, megabytes });
});

test("a plain worker's answer that does not fit ends its attempt for good", async () => {
  const { client } = await cluster({ name: "svc", actions: { make: () => "x".repeat(3_000_000) } });
  const { taskflowId } = await client.produce({ stages: stages(1, 1, { maxRetries: 3 }) });
  expect((await client.waitForTaskflow(taskflowId)).status).toBe("FAILED");
  const { error, attempts } = await client.getTask(taskflowId, "make0");
  expect([error?.type, attempts.length]).toEqual(["PAYLOAD_TOO_LARGE", 1]);
});

test("a plain worker gets the answers by value up to a quarter of a message, and a reference past it", async () => {
  const seen: unknown[] = [];
  const { client } = await cluster({
    name: "svc",
    actions: {
      make,
      read(ctx: Context) {
        const { previousStageRes } = (ctx.meta as { taskflowExecutionContext: TaskflowExecutionContext })
          .taskflowExecutionContext;
        seen.push(Array.isArray(previousStageRes) ? previousStageRes.length : previousStageRes);
        return true;
      },
    },
  });
  for (const width of [20, 40]) {
    const { taskflowId } = await client.produce({ stages: stages(width, 1) });
    expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
  }
  const { $ref } = seen[1] as { $ref: string };
  const rows = (await client.getValue($ref)) as { taskName: string; response: { index: number } }[];
  expect(rows.map(({ taskName, response }) => [taskName, response.index])).toEqual(
    Array.from({ length: 40 }, (_, index) => [`make${index}`, index]),
  );
  const other = await rejection(client.getValue(`${$ref}0`));
  expect(other).toMatchObject({ type: "TASKFLOW_CONFLICT", data: { field: "previousStageRes" } });
  expect(seen).toEqual([20, { $ref: expect.any(String), count: 40, bytes: expect.any(Number) }]);
});

test("heartbeats keep a handler's attempt alive past its timeout", async () => {
  const { client } = await cluster({
    name: "svc",
    mixins: [TaskflowWorker()],
    actions: {
      make,
      async read(ctx: TaskflowContext) {
        const end = performance.now() + 4_000;
        while (performance.now() < end) {
          ctx.taskflow?.heartbeat();
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        return "done";
      },
    },
  });
  const { taskflowId } = await client.produce({ stages: stages(1, 1, { timeout: 2_000 }) });
  const { status, stages: told } = await client.waitForTaskflow(taskflowId, { stages: ["read"] });
  const [task] = Object.values(Object.values(told)[0]?.tasks ?? {});
  expect([status, task?.response, task?.attempts.length]).toEqual(["COMPLETED", "done", 1]);
});

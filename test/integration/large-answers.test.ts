/**
 * Answers at the edge of what fits into one message, over a real NATS server with its default
 * max_payload of 1 MiB.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context } from "moleculer";
import { NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import type { TaskDetails, TaskflowDetails } from "../../lib/index.ts";
import { refer } from "../../lib/protocol/value-ref.ts";
import { rejection, stageOf } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

const MIB = 1024 * 1024;

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(stopNodes);
afterAll(() => server.stop());

const tasksOf = (tree: TaskflowDetails): TaskDetails[] =>
  Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));

/**
 * A coordinator whose own service `svc.text` answers as many characters as asked for, and a
 * client on another node, with Moleculer's own transporter if wanted.
 */
async function cluster(isStock = false): Promise<{ client: TaskflowClient; local: TaskflowClient }> {
  const namespace = uniqueNamespace();
  const text = (ctx: Context<{ length: number }>): string => "x".repeat(ctx.params.length);
  const wait = (): Promise<never> => new Promise(() => {});
  const services = [{ name: "svc", actions: { text, wait } }, TaskflowService({ store: "memory:", shutdownGrace: 50 })];
  const transporter = new NatsTransporter({ url: server.url });
  const coordinator = createNode(transporter, { namespace, nodeID: uniqueName("c"), services });
  const other = createNode(isStock ? server.url : new NatsTransporter({ url: server.url }), {
    namespace,
    nodeID: uniqueName("o"),
  });
  await Promise.all([coordinator.broker.start(), other.broker.start()]);
  await other.broker.waitForServices("taskflow");
  return { client: new TaskflowClient(other.broker, { timeout: 20_000 }), local: new TaskflowClient(coordinator.broker) };
}

const texts = (lengths: readonly number[]) => ({
  name: "one",
  tasks: lengths.map((length, index) => ({ ...stageOf("", [`t${index}:text`]).tasks[0], params: { length } })) as never,
});

test("a reference that is none is refused with its path", async () => {
  const { client } = await cluster();
  const forged = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
  for (const ref of [
    "nonsense",
    "%",
    forged("f", "t"),
    forged("f", "t", "status", "d"),
    forged("f", "t", "response", "d", "more"),
    forged(1, 2, 3, 4),
  ]) {
    const error = await rejection(client.getValue(ref));
    expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", data: [{ path: "/ref" }] });
  }
  expect(await rejection(client.getValue(forged("f", "t", "response", "d")))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
});

describe.each([false, true])("answers over NATS (the caller on Moleculer's own transporter: %s)", (isStock) => {
  test("a tree around the size of a message always arrives, whole while there is room", async () => {
    const { client, local } = await cluster(isStock);
    const seen = new Set<boolean>();
    for (const left of [40_000, 16_600, 16_000, 15_500, 15_000, 14_500, 8_000, 0, -5_000]) {
      const length = MIB - left - 2_000;
      const { taskflowId } = await local.produce({ stages: [texts([length])] });
      const tree = await client.waitForTaskflow(taskflowId);
      // In the coordinator's own process nothing has to fit.
      const whole = await local.getTaskflowDetails(taskflowId);
      expect(whole.truncated).toBeUndefined();
      const fits = Buffer.byteLength(JSON.stringify(whole)) <= MIB - 16 * 1024 - 2;
      seen.add(fits);
      const [task] = tasksOf(tree);
      expect([tree.status, tree.truncated === true]).toEqual(["COMPLETED", !fits]);
      expect(task?.response).toEqual(fits ? "x".repeat(length) : { $omitted: length + 2 });
      expect(await client.getTaskflowDetails(taskflowId)).toEqual(tree);
      expect(await client.getTask(taskflowId, "t0")).toMatchObject({ name: "t0", status: "SUCCESS" });
    }
    expect(seen.size).toBe(2);
  });

  test("many large values: as many as fit are there, and pages of listTasks bring the rest", async () => {
    const { client, local } = await cluster(isStock);
    const { taskflowId } = await local.produce({ stages: [texts([...Array.from({ length: 30 }, () => 100_000), 5, 2_000_000])] });
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree).toMatchObject({ status: "COMPLETED", truncated: true });
    expect(tasksOf(tree).length).toBe(32);
    expect(tasksOf(tree).at(-2)?.response).toBe("xxxxx");
    expect(tasksOf(tree).at(-1)?.response).toEqual({ $omitted: 2_000_002 });
    const rows: TaskDetails[] = [];
    let pages = 0;
    for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
      const page = await client.listTasks(taskflowId, cursor === undefined ? {} : { cursor });
      rows.push(...page.rows);
      cursor = page.nextCursor;
      pages++;
    }
    expect(pages).toBeGreaterThanOrEqual(3);
    expect(rows.map((row) => row.name)).toEqual(Array.from({ length: 32 }, (_, index) => `t${index}`));
    expect(rows.filter((row) => typeof row.response === "string" && row.response.length === 100_000).length).toBe(30);
    const { $ref, bytes } = (rows.at(-1) as TaskDetails).response as { $ref: string; bytes: number };
    expect(bytes).toBe(2_000_002);
    expect(await client.getValue($ref)).toBe("x".repeat(2_000_000));
  });

  test("a task's large params and answer go by references, which lead nowhere once the value is another one", async () => {
    const { client, local } = await cluster(isStock);
    const fill = '"\\\u0007😀'.repeat(120_000);
    const task = { ...stageOf("", ["t:text"]).tasks[0], params: { length: 3_000_000, fill } } as never;
    const { taskflowId } = await local.produce({ stages: [{ name: "one", tasks: [task] }] });
    await client.waitForTaskflow(taskflowId);
    const { params, response } = (await client.getTask(taskflowId, "t")) as unknown as Record<string, { $ref: string }>;
    expect(await client.getValue(params?.["$ref"] ?? "")).toEqual({ length: 3_000_000, fill });
    expect(await client.getValue(response?.["$ref"] ?? "")).toBe("x".repeat(3_000_000));
    expect((await local.getTask(taskflowId, "t")).params).toEqual({ length: 3_000_000, fill });

    await local.retryTaskflow(taskflowId);
    await client.waitForTaskflow(taskflowId);
    expect(await client.getValue(response?.["$ref"] ?? "")).toBe("x".repeat(3_000_000));
    const other = refer(taskflowId, tasksOf(await local.getTaskflowDetails(taskflowId))[0]?.id ?? "", "response", '"former"');
    expect(await rejection(client.getValue(other.$ref))).toMatchObject({
      type: "TASKFLOW_CONFLICT",
      data: { field: "response" },
    });
  });

  test("a taskflow of 5,000 tasks is cut, its tasks counted, and the error of a wait carries what fits", async () => {
    const { client, local } = await cluster(isStock);
    const stages = [texts(Array.from({ length: 5_000 }, () => 10)), stageOf("last", ["wait"])];
    const { taskflowId } = await local.produce({ stages });
    await local.waitForTaskflow(taskflowId, { timeout: 1, stages: ["last"] }).catch(() => undefined);
    const error = await rejection(client.waitForTaskflow(taskflowId, { timeout: 10 }));
    expect(error).toMatchObject({ type: "TASKFLOW_WAIT_TIMEOUT", data: { taskflowId, truncated: true } });
    const tree = await client.getTaskflowDetails(taskflowId);
    const [first, last] = Object.values(tree.stages);
    expect(Object.keys(first?.tasks ?? {}).length).toBeGreaterThan(500);
    expect(Object.keys(first?.tasks ?? {}).length + (first?.tasksOmitted ?? 0)).toBe(5_000);
    expect(last).toMatchObject({ name: "last", tasks: {}, tasksOmitted: 1 });
    expect((await client.listTasks(taskflowId, { pageSize: 1_000 })).rows.length).toBeGreaterThan(500);
  });
});

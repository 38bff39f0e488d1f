/**
 * Responses of any size come back as they were: out of memory, out of either store, in the
 * coordinator's process and over NATS.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Context, ServiceSchema } from "moleculer";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalNode, stageOf, stopLocalNodes } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

const MIB = 1024 * 1024;
const UNIT = 'ä"😀\\\u2028\n';

/** Of so many MiB as JSON text, with whatever is hard to cut. */
const large = (mib: number): string => UNIT.repeat(Math.ceil((mib * MIB) / Buffer.byteLength(UNIT)));
const told = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex");
const RESPONSE = { text: large(20), zero: 0, empty: "" };

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer({ config: "max_payload: 64MB" });
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

const plain: ServiceSchema = { name: "svc", actions: { make: () => RESPONSE } };

function describeStored(name: string, newStore: () => string): void {
  describe(`a response of 20 MiB on ${name}`, () => {
    test("is the same in its coordinator's process, and after a restart", async () => {
      const taskflow = { store: newStore() };
      const before = await startLocalNode({ services: [plain], taskflow });
      const { taskflowId } = await before.client.produce({ stages: [stageOf("one", ["make"])] });
      expect((await before.client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
      expect(told((await before.client.getTask(taskflowId, "make")).response)).toBe(told(RESPONSE));
      await before.stop();
      const after = await startLocalNode({ taskflow });
      expect(told((await after.client.getTask(taskflowId, "make")).response)).toBe(told(RESPONSE));
    });

    test("is the same from a worker behind a NATS server whose messages may be that large", async () => {
      const namespace = uniqueNamespace();
      const node = (id: string, services: ServiceSchema[]) =>
        createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID: uniqueName(id), services });
      const worker = node("w", [plain]);
      const coordinator = node("c", [TaskflowService({ store: newStore(), shutdownGrace: 50 })]);
      await Promise.all([worker.broker.start(), coordinator.broker.start()]);
      await worker.broker.waitForServices("taskflow");
      await coordinator.broker.waitForServices("svc");
      const client = new TaskflowClient(worker.broker);
      const { taskflowId } = await client.produce({ stages: [stageOf("one", ["make"])] });
      await client.waitForTaskflow(taskflowId);
      expect(told((await client.getTask(taskflowId, "make")).response)).toBe(told(RESPONSE));
    });
  });
}

describeStored("SQLite", () => `sqlite:${join(tempFolder(), "taskflow.db")}`);
describeOnMongo("with MongoDB", (mongo) => describeStored("MongoDB", () => mongo().newUrl()));

test("every coordinator answers for a reference, of a nested taskflow too, while it runs and when it has ended", async () => {
  const narrow = await startNatsServer();
  try {
    const answer = large(3);
    let go = false;
    const { a, b, worker } = await startPair(narrow.url, {
      name: "svc",
      mixins: [TaskflowWorker()],
      actions: {
        make: () => answer,
        wait: () => eventually(() => expect(go).toBe(true), { timeoutMs: 30_000 }),
        produce: (ctx: Context<{ make: object }>) => ctx.call("taskflow.produce", ctx.params.make),
      },
    });
    const nested = { taskflowId: uniqueName("nested"), stages: [stageOf("one", ["make"]), stageOf("two", ["wait"])] };
    const { taskflowId } = await a.client.produce({ stages: [stageOf("one", ["produce"], { params: { make: nested } })] });
    const referenceAt = async (client: TaskflowClient): Promise<string> => {
      const { status, response } = await client.getTask(nested.taskflowId, "make");
      expect(status).toBe("SUCCESS");
      return (response as { $ref: string }).$ref;
    };
    // On another node: in a coordinator's own process nothing has to fit.
    const clients = [a, b].map(({ nodeID }) => new TaskflowClient(worker.broker, { nodeID }));
    const [ref, same] = await eventually(() => Promise.all(clients.map(referenceAt)));
    expect(ref).toBe(same);
    for (const client of clients) expect(told(await client.getValue(ref ?? ""))).toBe(told(answer));
    go = true;
    await a.client.waitForTaskflow(taskflowId);
    for (const client of clients) expect(told(await client.getValue(ref ?? ""))).toBe(told(answer));
  } finally {
    await stopNodes();
    await narrow.stop();
  }
});

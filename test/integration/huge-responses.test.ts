/** Responses that no document of MongoDB holds: kept in parts, and back unchanged for a coordinator that has only the store. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

const PIECE = 'ä"\\😀\u2028 ';
/** 20 MiB and more of UTF-8. */
const HUGE = PIECE.repeat(Math.ceil((20 * 1024 * 1024) / Buffer.byteLength(PIECE)));

const service: ServiceSchema = { name: "svc", actions: { huge: () => ({ text: HUGE }) } };
const stages = [stageOf("one", ["huge"])];

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer({ config: "max_payload: 64MB" });
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

/** A busy machine may take longer to read so much than a coordinator waits for its store: that is an error to try again. */
async function isWhole(client: TaskflowClient, taskflowId: string): Promise<boolean> {
  const { status, response } = await eventually(() => client.getTask(taskflowId, "huge"), { timeoutMs: 60_000, intervalMs: 500 });
  return status === "SUCCESS" && (response as { text: string }).text === HUGE;
}

/** What a coordinator that starts on the store answers. */
async function storedIn(store: string, taskflowId: string): Promise<boolean> {
  const { client } = await startLocalNode({ taskflow: { store } });
  return isWhole(client, taskflowId);
}

function huge(newStore: () => string): void {
  test("of 20 MiB, answered in the coordinator's process, comes back unchanged", async () => {
    const store = newStore();
    const node = await startLocalNode({ services: [service], taskflow: { store } });
    const { taskflowId } = await node.client.produce({ stages });
    expect((await node.client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
    await node.stop();
    expect(await storedIn(store, taskflowId)).toBe(true);
  });

  test("of 20 MiB, over a NATS server that lets it pass, comes back unchanged", async () => {
    const store = newStore();
    const namespace = uniqueNamespace();
    const node = (services: ServiceSchema[]) =>
      createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID: uniqueName("node"), services });
    const coordinator = node([TaskflowService({ store, shutdownGrace: 50 })]);
    const worker = node([service]);
    await Promise.all([coordinator.broker.start(), worker.broker.start()]);
    await Promise.all([coordinator.broker.waitForServices("svc"), worker.broker.waitForServices("taskflow")]);
    const client = new TaskflowClient(worker.broker);
    const { taskflowId } = await client.produce({ stages });
    expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
    expect(await isWhole(client, taskflowId)).toBe(true);
    await stopNodes();
    expect(await storedIn(store, taskflowId)).toBe(true);
  });
}

describe("a response in SQLite", () => {
  huge(() => `sqlite:${join(tempFolder(), "taskflow.db")}`);
});
describeOnMongo("a response in MongoDB", (mongo) => {
  huge(() => mongo().newUrl());
});

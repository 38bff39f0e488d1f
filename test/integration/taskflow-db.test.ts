/**
 * Reading the file of a SQLite store through moleculer-db, while its coordinator is at work in
 * it.
 */
import { afterEach, expect, it } from "@jest/globals";
import { join } from "node:path";
import { TaskflowDb } from "../../lib/moleculer-db.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startProcess } from "../helpers/processes.ts";
import { tempFolder } from "../helpers/temp.ts";

afterEach(stopLocalNodes);

const services = [{ name: "svc", actions: { a: () => "done" } }];

async function complete({ client }: LocalNode, count: number): Promise<void> {
  const flow = { name: "flow", stages: [stageOf("one", ["a"]), stageOf("two", ["b:a"])] };
  const produced = await Promise.all(Array.from({ length: count }, () => client.produce(flow)));
  for (const { taskflowId } of produced) expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
}

it("a process reads the file while one coordinator after another writes it", async () => {
  const store = `sqlite:${join(tempFolder(), "taskflow.db")}`;
  const reader = startProcess(join(import.meta.dirname, "taskflow-db-process.ts"), { args: [store] });
  const first = await startLocalNode({ services, taskflow: { store } });
  await reader.ready;
  await complete(first, 30);
  await eventually(() => expect(reader.stdout).toContain("COMPLETED 30\n"));
  await first.stop();

  const second = await startLocalNode({ services, taskflow: { store } });
  await expect(startLocalNode({ taskflow: { store } })).rejects.toThrow(/held by another process/);
  await complete(second, 3);
  await eventually(() => expect(reader.stdout).toContain("COMPLETED 33\n"));
  expect(await reader.end()).toEqual({ code: 0, signal: null });
  expect(reader.stderr).toBe("");
});

it("taskflow-db and the coordinator run in one broker, whichever comes first", async () => {
  const store = `sqlite:${join(tempFolder(), "taskflow.db")}`;
  const node = await startLocalNode({ services: [...services, TaskflowDb({ store })], taskflow: { store } });
  await complete(node, 2);
  const query = { name: "flow", progress: { $gte: 100 } };
  const rows = await node.broker.call<{ taskflowId: string; owner: string }[], object>("taskflow-db.find", { query });
  expect(rows.map(({ owner }) => owner)).toEqual([node.broker.nodeID, node.broker.nodeID]);
  const [{ taskflowId } = { taskflowId: "" }] = rows;
  const details = await node.client.getTaskflowDetails(taskflowId);
  const fields = [
    "status",
    "createdAt",
    "startedAt",
    "finishedAt",
    "progress",
    "rootId",
    "tags",
    "attributes",
    "tenant",
  ] as const;
  const row = await node.broker.call<Record<string, unknown>, object>("taskflow-db.get", { id: taskflowId });
  expect(fields.map((field) => row[field])).toEqual(fields.map((field) => details[field]));
});

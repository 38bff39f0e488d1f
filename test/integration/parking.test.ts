/**
 * Taskflows that wait for long are not in memory, and finished ones go when the store is to keep
 * them no longer.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { TaskflowService } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { wrapStore } from "../helpers/store-wrapper.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName } from "../helpers/unique.ts";

afterEach(stopLocalNodes);

const serving = (actions: Record<string, () => unknown>): ServiceSchema => ({ name: "svc", actions });
const retry = (retryDelay: number | string, more: object = {}): object => ({ options: { maxRetries: 1, retryDelay, ...more } });

/** Fails the first time that it is called. */
function failsOnce(): { calls: number[]; service: ServiceSchema } {
  const calls: number[] = [];
  const once = (): string => {
    calls.push(Date.now());
    if (calls.length === 1) throw new Error("Not yet.");
    return "done";
  };
  return { calls, service: serving({ once }) };
}

const isParked = (node: LocalNode, taskflowId: string): Promise<void> =>
  eventually(async () => {
    expect(await node.client.health()).toMatchObject({ owned: 0 });
    expect(await node.client.getTaskflowDetails(taskflowId)).toMatchObject({ status: "RUNNING" });
  });

describe("a taskflow that waits for long", () => {
  test("leaves memory, is told of as before, and goes on at its time", async () => {
    const { calls, service } = failsOnce();
    const node = await startLocalNode({ services: [service], taskflow: { parkAfter: "1s", maxActive: 1 } });
    const { client } = node;
    const { taskflowId } = await client.produce({ taskflowId: "waits", stages: [stageOf("one", ["once"], retry(2_500))] });
    await isParked(node, taskflowId);
    expect(await client.getTask(taskflowId, "once")).toMatchObject({
      status: "WAITING",
      statusReason: "RETRY_DELAY",
      attempt: 0,
    });
    expect(await client.produce({ taskflowId: "waits", stages: [stageOf("one", ["once"])] })).toMatchObject({ existing: true });
    expect((await client.listTaskflows()).rows).toMatchObject([{ taskflowId, status: "RUNNING" }]);
    // It takes up no room.
    const other = await client.produce({ stages: [stageOf("one", ["once"])] });
    expect(await client.waitForTaskflow(other.taskflowId)).toMatchObject({ status: "COMPLETED" });
    expect(await client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
    expect(calls).toHaveLength(3);
    expect(calls[2]! - calls[0]!).toBeGreaterThanOrEqual(2_499);
    expect(await client.health()).toMatchObject({ owned: 0, inFlight: 0 });
  });

  test("is read again for an answer that comes after its attempt's time", async () => {
    let answer = (_value: string): void => {};
    const slow = (): Promise<string> => new Promise((resolve) => (answer = resolve));
    const node = await startLocalNode({ services: [serving({ slow, next: () => "next" })], taskflow: { parkAfter: "1s" } });
    const stages = [stageOf("one", ["slow"], retry("1h", { timeout: 100 })), stageOf("two", ["next"])];
    const { taskflowId } = await node.client.produce({ stages });
    await isParked(node, taskflowId);
    answer("late");
    const tree = await node.client.waitForTaskflow(taskflowId, { timeout: 10_000 });
    expect(tree.status).toBe("COMPLETED");
    expect(Object.values(tree.stages).flatMap(({ tasks }) => Object.values(tasks).map(({ response }) => response))).toEqual([
      "late",
      "next",
    ]);
  });

  test("is read again for what a worker reports of it", async () => {
    let letGo = (): void => {};
    const never = (): Promise<void> => new Promise((resolve) => (letGo = resolve));
    const node = await startLocalNode({ services: [serving({ never })], taskflow: { parkAfter: "1s" } });
    const stages = [stageOf("one", ["never"], retry("1h", { timeout: 100 }))];
    const { taskflowId } = await node.client.produce({ stages });
    await isParked(node, taskflowId);
    const { id } = (await node.client.getTask(taskflowId, "never")) as { id: string };
    const told = { key: `${taskflowId}:${id}:0`, action: "svc.never", outcome: { ok: true, response: "reported" } };
    expect(await node.broker.call("taskflow.reportOutcome", told)).toMatchObject({ data: { accepted: true } });
    expect(await node.client.getTask(taskflowId, "never")).toMatchObject({ status: "SUCCESS", response: "reported" });
    letGo();
  });

  test.each(["the same node id", "another node id"])(
    "is its next owner's after a restart under %s, and is not read for that",
    async (which) => {
      const file = join(tempFolder(), "flow.db");
      const ids = [uniqueName(), uniqueName()];
      const { service } = failsOnce();
      const taskflow = { parkAfter: "1s" };
      const first = await startLocalNode({
        services: [service],
        taskflow: { ...taskflow, store: `sqlite:${file}` },
        nodeID: ids[0]!,
      });
      const far = await first.client.produce({ stages: [stageOf("one", ["once"], retry("1h"))] });
      await isParked(first, far.taskflowId);
      await first.stop();
      const store = wrapStore(new SqliteStore({ file }));
      const read: string[] = [];
      store.readMany = async (taskflowIds) => (read.push(...taskflowIds), []);
      const nodeID = which === "the same node id" ? ids[0]! : ids[1]!;
      const restarted = await startLocalNode({ services: [service], taskflow: { ...taskflow, store }, nodeID });
      expect(await restarted.client.health()).toMatchObject({ ready: true, owned: 0 });
      expect(read).toEqual([]);
      const row = (await store.read(far.taskflowId))?.row;
      expect(row).toMatchObject({ owner: nodeID, fence: 2 });
      expect(row?.dueAt).toBeGreaterThan(Date.now() + 3_000_000);
    },
  );

  test("is refused a time in which it would never be parked, or always", async () => {
    for (const given of [{ parkAfter: 999 }, { parkAfter: "soon" }, { retention: 0 }, { retention: "0d" }]) {
      await expect(startLocalNode({ taskflow: given })).rejects.toThrow(/duration/);
    }
    expect(() => TaskflowService({ retention: "30d" })).not.toThrow();
  });
});

describe("retention", () => {
  test("removes finished taskflows when their time is over, and no others", async () => {
    const { service } = failsOnce();
    const ok = { ...service, actions: { ...service.actions, ok: () => 1 } } as ServiceSchema;
    const { client } = await startLocalNode({ services: [ok], taskflow: { retention: "1s", parkAfter: "1s" } });
    const waiting = await client.produce({ stages: [stageOf("one", ["once"], retry("1h"))] });
    const done = await client.produce({ stages: [stageOf("one", ["ok"])] });
    expect(await client.waitForTaskflow(done.taskflowId)).toMatchObject({ status: "COMPLETED" });
    await eventually(async () =>
      expect(await rejection(client.getTaskflowDetails(done.taskflowId))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" }),
    );
    expect(await client.getTaskflowDetails(waiting.taskflowId)).toMatchObject({ status: "RUNNING" });
  });
});

/** `bulk`: one decision about every taskflow that matches, whoever drives it. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { runBulk, type BulkAction } from "../../lib/coordinator/operations/bulk.ts";
import { taskflowError } from "../../lib/errors/errors.ts";
import type { CommandResult } from "../../lib/core/model/command.ts";
import type { TaskflowClient } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";
import { newRow } from "../contract/store-writes.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

const failing: { on: boolean } = { on: true };
const service: ServiceSchema = {
  name: "svc",
  actions: {
    ok: () => "ok",
    fail() {
      if (failing.on) throw new Error("It cannot be done.");
      return "ok";
    },
  },
};

/** Names of taskflows by status. */
async function byStatus(client: TaskflowClient): Promise<Record<string, string[]>> {
  const { rows } = await client.listTaskflows({ pageSize: 1_000, sort: "createdAt" });
  const groups: Record<string, string[]> = {};
  for (const { status, taskflowId } of rows) (groups[status] ??= []).push(taskflowId);
  return groups;
}

test("decides for all that match and nothing else, counts, tells how far it is, and a dry run changes nothing", async () => {
  failing.on = true;
  const progress: Record<string, unknown>[] = [];
  const listener: ServiceSchema = {
    name: "listener",
    events: { "taskflow.bulk.progress": (ctx: { params: Record<string, unknown> }) => void progress.push(ctx.params) },
  };
  const { client } = await startLocalNode({ services: [service, listener] });
  const produce = (taskflowId: string, action: string, tags: string[]) =>
    client.produce({ taskflowId, tags, stages: [stageOf("one", [action])] });
  for (let index = 0; index < 5; index++) {
    await produce(`waiting-${index}`, "nobody", ["shop"]);
    await produce(`failed-${index}`, "fail", ["shop"]);
    await produce(`done-${index}`, "ok", ["shop"]);
  }
  await produce("other", "nobody", ["else"]);
  for (let index = 0; index < 5; index++) {
    await client.waitForTaskflow(`failed-${index}`);
    await client.waitForTaskflow(`done-${index}`);
  }
  const filter = { tags: ["shop"] };
  const all = { matched: 15, failed: {} };
  expect(await client.bulk({ action: "cancel", filter, dryRun: true })).toEqual({
    dryRun: true,
    matched: 15,
    counts: { RUNNING: 5, FAILED: 5, COMPLETED: 5 },
  });
  expect((await byStatus(client))["RUNNING"]).toHaveLength(6);
  expect(await client.bulk({ action: "pause", filter, reason: "an incident" })).toMatchObject({ ...all, done: 5, skipped: 10 });
  expect((await client.getTaskflowDetails("waiting-0")).status).toBe("PAUSED");
  expect((await client.explainTaskflow("waiting-4")).reasons[0]?.sentence).toMatch(/an incident/);
  expect(await client.bulk({ action: "resume", filter })).toMatchObject({ ...all, done: 5, skipped: 10 });
  expect(await client.bulk({ action: "cancel", filter, reason: "over" })).toMatchObject({ ...all, done: 5, skipped: 10 });
  expect(await client.bulk({ action: "cancel", filter })).toMatchObject({ ...all, done: 0, skipped: 15 });
  failing.on = false;
  const retried = await client.bulk({ action: "retry", filter: { ...filter, status: "FAILED" }, mode: "failed" });
  expect(retried).toMatchObject({ matched: 5, done: 5, skipped: 0, failed: {} });
  for (let index = 0; index < 5; index++) expect((await client.waitForTaskflow(`failed-${index}`)).status).toBe("COMPLETED");
  expect(await client.bulk({ action: "delete", filter: { status: ["COMPLETED", "CANCELLED", "RUNNING"] } })).toMatchObject({
    matched: 16,
    done: 15,
    skipped: 1,
  });
  expect(await byStatus(client)).toEqual({ RUNNING: ["other"] });
  await eventually(() => expect(progress.filter(({ finished }) => finished)).toHaveLength(6));
  expect(progress.find(({ bulkId, finished }) => bulkId === retried.bulkId && finished)).toEqual({
    ...retried,
    action: "retry",
    finished: true,
  });
});

test("reaches the taskflows of every coordinator", async () => {
  const { a, b, worker } = await startPair(server.url, service);
  for (let index = 0; index < 20; index++) {
    const { client } = index % 2 === 0 ? a : b;
    await client.produce({ name: "all", stages: [stageOf("one", ["nobody"])] });
  }
  expect([await a.client.health(), await b.client.health()]).toMatchObject([{ owned: 10 }, { owned: 10 }]);
  expect(await b.client.bulk({ action: "cancel", filter: { name: "all" } })).toMatchObject({ matched: 20, done: 20, failed: {} });
  await eventually(async () =>
    expect([await a.client.health(), await b.client.health()]).toMatchObject([{ owned: 0 }, { owned: 0 }]),
  );
  expect(worker.lines.filter((line) => line.startsWith("error"))).toEqual([]);
});

test("what is no filter is refused, and so is the filter that is empty by mistake", async () => {
  const { client } = await startLocalNode();
  for (const [params, path] of [
    [{ action: "cancel" }, "/filter"],
    [{ action: "cancel", filter: {} }, "/filter"],
    [{ action: "cancel", filter: { colour: "red" } }, "/filter/colour"],
    [{ action: "cancel", filter: { pageSize: 1 } }, "/filter/pageSize"],
    [{ action: "destroy", filter: { name: "x" } }, "/action"],
  ] as const) {
    const error = await rejection(client.bulk(params as never));
    expect(error).toMatchObject({
      type: "TASKFLOW_VALIDATION_ERROR",
      data: expect.arrayContaining([expect.objectContaining({ path })]),
    });
  }
});

test("gives each of many pages its turn once, whatever fails on the way, and ends early when it is told to", async () => {
  const rows = Array.from({ length: 2_500 }, (_, index) => newRow(`f${index}`));
  const seen: string[] = [];
  const told: number[] = [];
  let atOnce = 0;
  let most = 0;
  let isOver = false;
  const act = async (taskflowId: string): Promise<CommandResult> => {
    seen.push(taskflowId);
    most = Math.max(most, ++atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    atOnce--;
    const index = Number(taskflowId.slice(1));
    if (index % 100 === 1) return { ok: false, type: "TASKFLOW_CONFLICT", message: "" };
    if (index % 100 === 2) throw taskflowError("STORE_UNAVAILABLE", "away");
    if (index % 100 === 3) throw new TypeError("broken");
    if (index % 100 === 4) throw taskflowError("TASKFLOW_NOT_FOUND", "gone");
    return { ok: true, data: index % 100 === 5 ? { retried: [] } : {} };
  };
  const run = (action: BulkAction) =>
    runBulk(action, { pageSize: 1, createdBefore: 77 }, 99, {
      act,
      isOver: () => isOver,
      progress: ({ done }) => void told.push(done),
      list: async ({ cursor, pageSize, createdBefore, sort }) => {
        expect({ createdBefore, sort }).toEqual({ createdBefore: 77, sort: "createdAt" });
        const from = Number(cursor ?? 0);
        const next = from + pageSize;
        return {
          rows: rows.slice(from, next),
          counts: { RUNNING: 2_000, PAUSED: 500 },
          ...(next < rows.length ? { nextCursor: String(next) } : {}),
        };
      },
    });
  expect(await run("pause")).toEqual({
    matched: 2_500,
    done: 2_375,
    skipped: 50,
    failed: { TASKFLOW_CONFLICT: 25, STORE_UNAVAILABLE: 25, TypeError: 25 },
  });
  expect(told).toEqual([950, 1_900, 2_375]);
  expect(new Set(seen).size).toBe(2_500);
  expect(seen).toHaveLength(2_500);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(64);
  expect(await run("resume")).toMatchObject({ skipped: 75 });
  isOver = true;
  expect(await run("cancel")).toMatchObject({ matched: 2_500, done: 0 });
});

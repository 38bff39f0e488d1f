/**
 * Wide stages: what is in flight stays bounded, the coordinator stays responsive, and a change
 * costs the same as in a small taskflow.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import type { LocalNode } from "../helpers/local-node.ts";
import { stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { wrapStore, type WrappedStore } from "../helpers/store-wrapper.ts";

afterEach(stopLocalNodes);

interface Wide extends LocalNode {
  readonly store: WrappedStore;
  readonly most: () => number;
}

/**
 * Its workers answer a few turns of the event loop later, and note how many of them run at once.
 */
async function startWide(maxInFlight = 1_000): Promise<Wide> {
  let running = 0;
  let most = 0;
  const work = async (): Promise<unknown> => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    running--;
    return { ok: true };
  };
  const store = wrapStore(new SqliteStore({ file: ":memory:" }));
  const node = await startLocalNode({ services: [{ name: "svc", actions: { work } }], taskflow: { store, maxInFlight } });
  return { ...node, store, most: () => most };
}

const wideStage = (tasks: number) =>
  stageOf(
    "wide",
    Array.from({ length: tasks }, (_, index) => `t${String(index).padStart(6, "0")}:work`),
  );

/** Bytes of the journal and of rows that a settled task costs, without the definition. */
async function costs({ client, store }: Wide, tasks: number): Promise<{ bytes: number; rows: number }> {
  store.writes.length = 0;
  const { taskflowId } = await client.produce({ stages: [wideStage(tasks)] });
  expect(await client.waitForTaskflow(taskflowId, { stages: [] })).toMatchObject({ status: "COMPLETED", progress: 100 });
  const appended = store.writes.flatMap((write) => (write.kind === "append" ? [write] : []));
  const bytes = appended.reduce((sum, { entry, row }) => sum + entry.length + (row ? JSON.stringify(row).length : 0), 0);
  return { bytes: bytes / tasks, rows: appended.filter(({ row }) => row !== undefined).length };
}

describe("a stage of 10,000 tasks", () => {
  test("completes, with no more in flight than maxConcurrency allows, and without blocking the event loop", async () => {
    const wide = await startWide();
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const before = performance.now();
    delay.enable();
    const { taskflowId } = await wide.client.produce({ options: { maxConcurrency: 300 }, stages: [wideStage(10_000)] });
    const tree = await wide.client.waitForTaskflow(taskflowId, { stages: [] });
    delay.disable();
    const seconds = (performance.now() - before) / 1000;
    const [p50, p90, max] = [delay.percentile(50), delay.percentile(90), delay.max].map((ns) => Math.round(ns / 1e6));
    console.log(
      `10,000 tasks in ${seconds.toFixed(2)} s; event loop delay p50 ${p50} ms, p90 ${p90} ms, max ${max} ms; at most ${wide.most()} at once`,
    );
    expect(tree).toMatchObject({ status: "COMPLETED", progress: 100 });
    expect(wide.most()).toBe(300);
    // A busy machine keeps any process waiting now and then.
    expect(p90).toBeLessThan(200);
  });

  test("has no more in flight than the coordinator allows, over all its taskflows", async () => {
    const wide = await startWide(100);
    const flows = await Promise.all([1_000, 1_000, 10].map((tasks) => wide.client.produce({ stages: [wideStage(tasks)] })));
    for (const { taskflowId } of flows) {
      expect((await wide.client.waitForTaskflow(taskflowId, { stages: [] })).status).toBe("COMPLETED");
    }
    expect(wide.most()).toBeLessThanOrEqual(100);
    expect(await wide.client.health()).toMatchObject({ owned: 0, inFlight: 0 });
  });

  test("costs as few bytes and rows of the store for a change as one of 10", async () => {
    const wide = await startWide();
    const small = await costs(wide, 10);
    const large = await costs(wide, 10_000);
    console.log(`journal and row bytes for a task: ${small.bytes.toFixed(0)} of 10, ${large.bytes.toFixed(0)} of 10,000`);
    expect(large.bytes).toBeLessThan(small.bytes * 2);
    expect(large.rows).toBeLessThanOrEqual(small.rows * 2);
  });
});

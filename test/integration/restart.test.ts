import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { join } from "node:path";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import type { TaskDetails, TaskflowDetails } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { type Failure, wrapStore } from "../helpers/store-wrapper.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName } from "../helpers/unique.ts";

afterEach(stopLocalNodes);

const tasksOf = (tree: TaskflowDetails): TaskDetails[] =>
  Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));

interface Calls {
  readonly keys: string[];
  readonly service: ServiceSchema;
}

/** Notes the idempotency key of each call. */
function counting(actions: Record<string, (attempt: number) => unknown>): Calls {
  const keys: string[] = [];
  const noted = Object.entries(actions).map(([name, act]) => [
    name,
    (ctx: Context): unknown => {
      const { taskflow } = (
        ctx.meta as { taskflowExecutionContext: { taskflow: { taskInfo: { name: string; attempt: number } } } }
      ).taskflowExecutionContext;
      keys.push(`${taskflow.taskInfo.name}:${taskflow.taskInfo.attempt}`);
      return act(taskflow.taskInfo.attempt);
    },
  ]);
  return { keys, service: { name: "svc", actions: Object.fromEntries(noted) as ServiceSchema["actions"] & object } };
}

describe.each(["the same node id", "another node id"])("a restart on the same file, under %s", (which) => {
  test("goes on: what was done is not done again, what ran is delivered again, what waits keeps its time", async () => {
    const store = `sqlite:${join(tempFolder(), "flow.db")}`;
    const ids = which === "the same node id" ? [uniqueName(), ""].fill(uniqueName()) : [uniqueName(), uniqueName()];
    const taskflow = { store, shutdownGrace: 50 };
    let letGo = (): void => {};
    const hang = (): Promise<void> => new Promise((resolve) => (letGo = resolve));
    const fails = (): never => {
      throw new Error("Not yet.");
    };
    const before = counting({ createGroup: () => "group", add: hang, check: fails });
    const first = await startLocalNode({ services: [before.service], taskflow, nodeID: ids[0] ?? "" });
    const retry = stageOf("x", ["check"], { options: { maxRetries: 1, retryDelay: 1_500 } }).tasks;
    const second = stageOf("add", ["add"]);
    const stages = [
      stageOf("create", ["createGroup"]),
      { ...second, tasks: [...second.tasks, ...retry] },
      stageOf("last", ["end:add"]),
    ];
    const { taskflowId } = await first.client.produce({ stages });
    const waiting = await eventually(async () => {
      const task = await first.client.getTask(taskflowId, "check");
      expect(task).toMatchObject({ status: "WAITING", statusReason: "RETRY_DELAY" });
      return task;
    });
    await eventually(() => expect(before.keys).toEqual(["createGroup:0", "add:0", "check:0"]));
    await first.stop();
    letGo();

    const after = counting({ createGroup: () => "again", add: () => "added", check: () => Date.now() });
    const restarted = await startLocalNode({ services: [after.service], taskflow, nodeID: ids[1] ?? "" });
    const tree = await restarted.client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    // What ran is asked for first, which takes as long as its node may need to be seen; what
    // waited goes on at its time.
    expect(after.keys.toSorted()).toEqual(["add:0", "check:1", "end:0"]);
    expect(after.keys.at(-1)).toBe("end:0");
    const [group, add, check] = tasksOf(tree);
    expect(group).toMatchObject({ response: "group", attempts: [{ deliveries: 1 }] });
    expect(add).toMatchObject({ attempt: 0, attempts: [{ attempt: 0, deliveries: 2, nodeID: ids[1], status: "SUCCESS" }] });
    expect(check?.attempts.length).toBe(2);
    expect(check?.response).toBeGreaterThanOrEqual(waiting.nextAttemptAt ?? Number.NaN);
  });
});

describe("a stop", () => {
  test("waits for running attempts within the grace time, and keeps what they answered", async () => {
    const store = `sqlite:${join(tempFolder(), "flow.db")}`;
    let letGo = (): void => {};
    const slow = counting({ slow: () => new Promise((resolve) => (letGo = () => resolve("in time"))), next: () => 1 });
    // It answers when everything has begun to stop.
    const service: ServiceSchema = { ...slow.service, stopped: () => void setImmediate(() => letGo()) };
    const node = await startLocalNode({ services: [service], taskflow: { store, shutdownGrace: 20_000 } });
    const { taskflowId } = await node.client.produce({ stages: [stageOf("one", ["slow"]), stageOf("two", ["next"])] });
    await eventually(() => expect(slow.keys).toEqual(["slow:0"]));
    await node.stop();
    expect(slow.keys).toEqual(["slow:0"]);
    const again = counting({ slow: () => "again", next: () => "next" });
    const restarted = await startLocalNode({ services: [again.service], taskflow: { store } });
    const tree = await restarted.client.waitForTaskflow(taskflowId);
    expect(tasksOf(tree).map((task) => task.response)).toEqual(["in time", "next"]);
    expect(again.keys).toEqual(["next:0"]);
  });
});

describe.each([false, true])("a store that fails (commits by a promise: %s)", (isAsync) => {
  const table: [string, (count: number) => Failure | undefined][] = [
    ["before each second commit", (count) => (count % 2 === 0 ? "before" : undefined)],
    ["after each second commit", (count) => (count % 2 === 0 ? "after" : undefined)],
    ["five times in a row, before", (count) => (count > 2 && count < 8 ? "before" : undefined)],
    ["five times in a row, after", (count) => (count > 2 && count < 8 ? "after" : undefined)],
    ["in turns", (count) => [undefined, "before", "after"][count % 3] as Failure | undefined],
  ];
  test.each(table)("%s: nothing is lost, nothing is done twice under another number, events are gap-free", async (_, fails) => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }), isAsync);
    const { keys, service } = counting({
      ok: () => "ok",
      twice: (attempt) => {
        if (attempt === 0) throw new Error("Once more.");
        return "at last";
      },
    });
    const { client } = await startLocalNode({ services: [service], taskflow: { store } });
    let commits = 0;
    store.failCommit = () => fails(++commits);
    const retry = { options: { maxRetries: 1, retryDelay: 5 } };
    const stages = [stageOf("one", ["a:ok", "b:twice"], retry), stageOf("two", ["c:twice", "d:ok"], retry)];
    const produced = await eventually(() => client.produce({ taskflowId: "f", stages }));
    const tree = await client.waitForTaskflow(produced.taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(tasksOf(tree).map(({ name, response, attempt }) => [name, response, attempt])).toEqual([
      ["a", "ok", 0],
      ["b", "at last", 1],
      ["c", "at last", 1],
      ["d", "ok", 0],
    ]);
    // A delivery may be repeated where nobody knows whether it was stored, but always as the same
    // attempt.
    expect([...new Set(keys)].sort()).toEqual(["a:0", "b:0", "b:1", "c:0", "c:1", "d:0"]);
    store.failCommit = () => undefined;
    const seqs: number[] = [];
    const subscription = await client.subscribeToTaskflowEvents("f", (event) => void seqs.push(event.seq));
    subscription.unsubscribe();
    expect(seqs).toEqual(seqs.map((_each, index) => index + 1));
    expect(await client.health()).toMatchObject({ owned: 0, inFlight: 0 });
  });

  test("a produce that cannot be stored is told so, and with its id can be sent again", async () => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }), isAsync);
    const { service, keys } = counting({ ok: () => "ok" });
    const { client } = await startLocalNode({ services: [service], taskflow: { store } });
    for (const [taskflowId, failure] of [
      ["b", "before"],
      ["a", "after"],
    ] as const) {
      store.failCommit = () => failure;
      expect(await rejection(client.produce({ taskflowId, stages: [stageOf("one", ["ok"])] }))).toMatchObject({
        type: "STORE_UNAVAILABLE",
        code: 503,
      });
      store.failCommit = () => undefined;
      const again = await client.produce({ taskflowId, stages: [stageOf("one", ["ok"])] });
      expect(again.existing).toBe(failure === "after" ? true : undefined);
      expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
    }
    expect(keys.length).toBe(2);
    expect(await client.health()).toMatchObject({ owned: 0, inFlight: 0 });
  });

  test("an attempt that ran during an outage is recorded once the store is back", async () => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }), isAsync);
    let letGo = (): void => {};
    const { service, keys } = counting({ slow: () => new Promise((resolve) => (letGo = () => resolve("done"))) });
    const { client } = await startLocalNode({ services: [service], taskflow: { store } });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"])] });
    await eventually(() => expect(keys).toEqual(["slow:0"]));
    let failures = 0;
    store.failCommit = () => (failures++, "before");
    store.failRead = () => true;
    letGo();
    await eventually(() => expect(failures).toBeGreaterThan(0));
    expect(await rejection(client.getTaskflowDetails(taskflowId))).toMatchObject({ type: "STORE_UNAVAILABLE" });
    store.failCommit = () => undefined;
    store.failRead = () => false;
    expect(tasksOf(await client.waitForTaskflow(taskflowId))).toMatchObject([
      { response: "done", attempts: [{ deliveries: 1 }] },
    ]);
    expect(keys).toEqual(["slow:0"]);
  });

  test("a taskflow that was paused unheard, by an entry that its row did not follow, is listed as paused", async () => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }), isAsync);
    let letGo = (): void => {};
    const { service, keys } = counting({ slow: () => new Promise((resolve) => (letGo = () => resolve("done"))) });
    const { client } = await startLocalNode({ services: [service], taskflow: { store } });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"])] });
    await eventually(() => expect(keys).toEqual(["slow:0"]));
    const commit = store.commit.bind(store);
    // As on MongoDB, where the entry comes first, and may be all that comes.
    store.commit = (writes) => {
      store.commit = commit;
      store.failCommit = () => {
        store.failCommit = () => undefined;
        return "after";
      };
      return commit(writes.map((write) => (write.kind === "append" ? { ...write, row: {} } : write)));
    };
    await client.pauseTaskflow(taskflowId);
    await eventually(async () =>
      expect((await client.listTaskflows({ status: ["PAUSED"] })).rows).toMatchObject([{ taskflowId, status: "PAUSED" }]),
    );
    await client.resumeTaskflow(taskflowId);
    letGo();
    expect(await client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
  });

  test("nobody is told of an end that was never stored", async () => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }), isAsync);
    let letGo = (): void => {};
    const { service, keys } = counting({ slow: () => new Promise((resolve) => (letGo = () => resolve("done"))) });
    const node = await startLocalNode({ services: [service], taskflow: { store } });
    const { taskflowId } = await node.client.produce({ stages: [stageOf("one", ["slow"])] });
    await eventually(() => expect(keys).toEqual(["slow:0"]));
    let failures = 0;
    store.failCommit = () => (failures++, "before");
    store.failRead = () => true;
    const waiting = rejection(node.broker.call("taskflow.waitForTaskflow", { taskflowId, timeout: 5_000 }));
    letGo();
    await eventually(() => expect(failures).toBeGreaterThan(0));
    await node.stop();
    expect(await waiting).toMatchObject({ type: "STORE_UNAVAILABLE" });
  });
});

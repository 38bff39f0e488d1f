/**
 * `exportTaskflow` and `importTaskflow`: copies that run, copies that are too large for a
 * message, and exports that are none.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { TaskflowClient } from "../../lib/index.ts";
import type { TaskflowExport } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName } from "../helpers/unique.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer({ config: "max_payload: 64KB" });
});
/** Lets slow calls answer. */
const release: (() => void)[] = [];
afterEach(async () => {
  for (const letGo of release.splice(0)) letGo();
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

function worker(): { service: ServiceSchema; calls: string[] } {
  const calls: string[] = [];
  return {
    service: {
      name: "svc",
      actions: {
        ok: () => void calls.push("ok"),
        slow: () => {
          calls.push("slow");
          return new Promise<void>((resolve) => release.push(resolve));
        },
        big: () => '\u0001"x'.repeat(2_000),
      },
    },
    calls,
  };
}

const throughJson = (exported: TaskflowExport): TaskflowExport => JSON.parse(JSON.stringify(exported)) as TaskflowExport;

test("a finished taskflow moves to another store, with its history, and the original stays as it is", async () => {
  const { service } = worker();
  const home = await startLocalNode({ services: [service] });
  const stages = [stageOf("one", ["ok", "none"], { options: { maxAge: 30 } }), stageOf("two", ["ok"])];
  const { taskflowId } = await home.client.produce({
    name: "order",
    tags: ["t"],
    context: { a: { __proto__: null, b: 1 } },
    stages,
  });
  const original = await home.client.waitForTaskflow(taskflowId);
  const exported = throughJson(await home.client.exportTaskflow(taskflowId));
  expect(exported).toMatchObject({ format: 1, taskflowId, revision: original.revision });
  expect(exported.entries).toHaveLength(original.revision);
  const away = await startLocalNode({ taskflow: { store: `sqlite:${tempFolder()}/flow.db` } });
  const imported = await away.client.importTaskflow(exported);
  expect(imported).toEqual({
    taskflowId: imported.taskflowId,
    eventSubscription: `taskflow.events.${imported.taskflowId}`,
    status: "FAILED",
  });
  expect(imported.taskflowId).not.toBe(taskflowId);
  const copy = await away.client.getTaskflowDetails(imported.taskflowId);
  const { error, revision: _, annotations: __, stages: own, rootId: ___, ...rest } = copy;
  expect(original).toMatchObject({ ...rest, taskflowId, error: { type: error?.type } });
  expect(Object.values(own).map(({ name, status, startedAt }) => [name, status, startedAt])).toEqual(
    Object.values(original.stages).map(({ name, status, startedAt }) => [name, status, startedAt]),
  );
  expect((await away.client.listTaskflows({ tags: ["t"], status: "FAILED" })).rows).toMatchObject([
    { taskflowId: imported.taskflowId, finishedAt: original.finishedAt },
  ]);
  expect(await home.client.getTaskflowDetails(taskflowId)).toEqual(original);
  const seqs: number[] = [];
  await away.client.subscribeToTaskflowEvents(imported.taskflowId, ({ seq }) => void seqs.push(seq));
  expect(seqs.length).toBeGreaterThan(5);
});

test("one that was not finished is paused, across a restart too, until somebody resumes it", async () => {
  const { service, calls } = worker();
  const home = await startLocalNode({ services: [service] });
  const { taskflowId } = await home.client.produce({ stages: [stageOf("one", ["slow", "ok"]), stageOf("two", ["ok"])] });
  await eventually(async () => {
    const { rows } = await home.client.listTasks(taskflowId, { stageId: "one" });
    expect(rows.map(({ status }) => status)).toEqual(["RUNNING", "SUCCESS"]);
  });
  expect(calls).toEqual(["slow", "ok"]);
  const exported = throughJson(await home.client.exportTaskflow(taskflowId));
  const store = `sqlite:${tempFolder()}/flow.db`;
  const other = worker();
  const start = (): Promise<LocalNode> => startLocalNode({ services: [other.service], taskflow: { store } });
  const first = await start();
  expect(await first.client.importTaskflow(exported, { newTaskflowId: "copy" })).toMatchObject({ status: "PAUSED" });
  expect(await first.client.importTaskflow(exported, { newTaskflowId: "copy" })).toMatchObject({ existing: true });
  expect(await first.client.health()).toMatchObject({ owned: 1 });
  await first.stop();
  const again = await start();
  expect((await again.client.explainTaskflow("copy")).reasons[0]).toMatchObject({
    code: "PAUSED",
    sentence: expect.stringMatching(/^It has been paused for .*: imported\.$/),
  });
  const { client } = await startLocalNode({ services: [other.service] });
  expect(await rejection(client.explainTaskflow("copy"))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
  expect(other.calls).toEqual([]);
  await again.client.resumeTaskflow("copy");
  await eventually(() => expect(other.calls).toEqual(["slow"]));
  release.pop()?.();
  expect(await again.client.waitForTaskflow("copy")).toMatchObject({ status: "COMPLETED", annotations: [{ type: "imported" }] });
  expect(other.calls).toEqual(["slow", "ok"]);
  expect((await home.client.getTaskflowDetails(taskflowId)).status).toBe("RUNNING");
});

test("over the bus a large one is fetched in parts, while the taskflow goes on, and is the same", async () => {
  const { service, calls } = worker();
  const pair = await startPair(server.url, service);
  const { broker } = pair.a.node;
  const stages = [...Array.from({ length: 8 }, (_, index) => stageOf(`s${index}`, ["big"])), stageOf("last", ["slow"])];
  const { taskflowId } = await pair.a.client.produce({ stages });
  await eventually(() => expect(calls).toEqual(["slow"]));
  const whole = await broker.call<{ data: TaskflowExport }, unknown>("taskflow.exportTaskflow", { taskflowId }, { nodeID: "a" });
  expect(JSON.stringify(whole.data).length).toBeGreaterThan(128 * 1024);
  const client = new TaskflowClient(pair.worker.broker);
  const inParts = await client.exportTaskflow(taskflowId);
  expect(inParts).toEqual({ ...whole.data, exportedAt: inParts.exportedAt });
  expect(await rejection(client.importTaskflow(inParts))).toMatchObject({ type: "PAYLOAD_TOO_LARGE" });
  const bad = { taskflowId, cursor: Buffer.from("x1:0:999999:1:01234567-89ab-8def-8123-").toString("base64url") };
  for (const params of [bad, { ...bad, cursor: "nonsense" }]) {
    expect(await rejection(broker.call("taskflow.exportTaskflow", params))).toMatchObject({
      type: "TASKFLOW_VALIDATION_ERROR",
      data: [{ path: "/cursor" }],
    });
  }
});

describe("an export that is none", () => {
  let node: LocalNode;
  let good: TaskflowExport;

  async function open(): Promise<void> {
    const { service } = worker();
    node = await startLocalNode({
      services: [service],
      taskflow: { allowedActions: ["svc.*"], limits: { importBytes: 100_000 } },
    });
    await node.client.produce({ taskflowId: "f", stages: [stageOf("one", ["ok"])] });
    await node.client.waitForTaskflow("f");
    good = throughJson(await node.client.exportTaskflow("f"));
  }

  type Json = Record<string, unknown>;
  const at =
    (path: string, value: unknown) =>
    (exported: Json): unknown => {
      const keys = path.split("/").slice(1);
      const last = keys.pop() ?? "";
      const parent = keys.reduce<Json>((each, key) => each[key] as Json, exported);
      if (value === undefined) Reflect.deleteProperty(parent, last);
      else Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true });
      return exported;
    };
  const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`) as unknown;
  const created = "/entries/0/facts/0";
  const task = `${created}/definition/stages/0/tasks/0`;

  test.each<[string, (exported: Json) => unknown, string]>([
    ["no format", at("/format", undefined), "/format"],
    ["a newer format", at("/format", 2), "/format"],
    ["no entries", at("/entries", []), "/entries"],
    ["something else among the entries", at("/entries/1", "x"), "/entries/1"],
    ["a time that is none", at("/entries/1/at", -1), "/entries/1/at"],
    ["a missing entry", (e) => at("/entries", (e["entries"] as unknown[]).slice(0, 1))(e), "/revision"],
    ["no beginning", at("/entries/0/facts", []), "/entries/0/facts"],
    ["a beginning that is another fact", at(`${created}/kind`, "owned"), `${created}/kind`],
    [
      "two beginnings",
      (e) => at("/entries/1/facts/0", (e["entries"] as { facts: unknown[] }[])[0]?.facts[0])(e),
      "/entries/1/facts/0/kind",
    ],
    ["a fact that nobody knows", at("/entries/1/facts/0", { kind: "constructor" }), "/entries/1/facts/0/kind"],
    ["a fact with too much", at("/entries/1/facts/0/more", 1), "/entries/1/facts/0/more"],
    ["a fact with a prototype", at("/entries/1/facts/0/__proto__", { x: 1 }), "/entries/1/facts/0/__proto__"],
    ["a status that there is not", at("/entries/1/facts/0/status", "DONE"), "/entries/1/facts/0/status"],
    ["a task that there is not", at("/entries/1/facts/0/task", 5), "/entries/1"],
    ["ids that are none", at(`${created}/idBase`, "../../etc"), `${created}/idBase`],
    ["options that are none", at(`${created}/defaults/timeout`, 0), `${created}/defaults/timeout`],
    ["an action that is not allowed here", at(`${task}/taskDetails/serviceId`, "$node"), `${task}/taskDetails`],
    ["a task without a name", at(`${task}/name`, undefined), `${task}/name`],
    [
      "a name that reaches an object's inside",
      at(`${created}/definition/stages/0/name`, "__proto__"),
      `${created}/definition/stages/0/name`,
    ],
    ["an id of the new one that is none", at("/newTaskflowId", "a b"), "/newTaskflowId"],
    ["too much of it", at("/entries/1/facts/0/response", "x".repeat(100_000)), ""],
    ["too deep a value", at("/entries/1/facts/0/response", deep(1_001)), ""],
    ["nothing of it right", () => [1, 2], ""],
  ])("%s is refused with the place, and nothing is stored", async (_title, spoil, path) => {
    await open();
    const error = await rejection(node.broker.call("taskflow.importTaskflow", spoil(good)));
    expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", code: 422 });
    expect((error.data as { path: string }[]).map((problem) => problem.path)).toContain(path);
    expect((await node.client.listTaskflows()).rows).toHaveLength(1);
    expect(await node.client.health()).toMatchObject({ owned: 0 });
  });

  const MAX = Number.MAX_SAFE_INTEGER;
  /** Adds a fact to the second entry. */
  const fact =
    (value: object) =>
    (exported: Json): unknown => {
      (exported["entries"] as { facts: unknown[] }[])[1]?.facts.push(value);
      return exported;
    };

  test.each<[string, (exported: Json) => unknown, RegExp]>([
    ["the fence of an owner", fact({ kind: "owned", fence: MAX }), /^\/entries\/1\/facts\/\d\/fence$/],
    ["a fence with no room for the next owners", fact({ kind: "owned", fence: MAX - 2 }), /\/fence$/],
    ["the number of an attempt", fact({ kind: "started", task: 0, attempt: MAX }), /\/attempt$/],
    ["the number of a withdrawn attempt", fact({ kind: "withdrawn", task: 0, attempt: MAX }), /\/attempt$/],
    [
      "the time of a retry",
      fact({ kind: "delayed", task: 0, retryAt: MAX, error: { type: "E", name: "E", message: "" } }),
      /\/retryAt$/,
    ],
    ["the number of a child's change", fact({ kind: "child-ended", child: "c", status: null, seq: MAX }), /\/seq$/],
    ["the time of an entry", at("/entries/1/at", 8_640_000_000_000_000), /^\/entries\/1\/at$/],
    ["the time of the export", at("/exportedAt", MAX), /^\/exportedAt$/],
    ["the revision", at("/revision", MAX), /^\/revision$/],
    ["a time of an earlier copy", at(`${created}/copiedAt`, MAX), /\/copiedAt$/],
  ])("a number that is counted on from has room: %s is refused with its path", async (_title, spoil, path) => {
    await open();
    const error = await rejection(node.broker.call("taskflow.importTaskflow", spoil(good)));
    expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR" });
    expect((error.data as { path: string }[]).map((problem) => problem.path)).toContainEqual(expect.stringMatching(path));
    expect((await node.client.listTaskflows()).rows).toHaveLength(1);
  });

  test("the highest fence that is accepted outlives restarts and goes on", async () => {
    await open();
    const store = `sqlite:${tempFolder()}/flow.db`;
    let away = await startLocalNode({ taskflow: { store }, nodeID: uniqueName("away") });
    const unfinished = { ...good, entries: good.entries.slice(0, 1), revision: 1 };
    (unfinished.entries as { facts: unknown[] }[])[0]?.facts.push({ kind: "owned", fence: 2 ** 52 });
    const { taskflowId } = await away.client.importTaskflow(unfinished);
    for (let restart = 0; restart < 3; restart++) {
      await away.stop();
      away = await startLocalNode({ taskflow: { store }, services: [worker().service] });
    }
    await away.client.resumeTaskflow(taskflowId);
    expect(await away.client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
  });

  test("one that takes for ever to replay is refused before it is", async () => {
    const { service } = worker();
    node = await startLocalNode({ services: [service] });
    const stages = [
      {
        name: "one",
        tasks: Array.from({ length: 20_000 }, (_, index) => ({ ...stageOf("", ["ok"]).tasks[0]!, name: `t${index}` })),
      },
    ];
    await node.client.produce({ taskflowId: "f", stages });
    const exported = throughJson(await node.client.exportTaskflow("f"));
    const round = [
      { kind: "stage", stage: 0, status: "WAITING" },
      { kind: "stage", stage: 0, status: "RUNNING" },
    ];
    exported.entries.push({ at: 1, facts: Array.from({ length: 5_000 }, () => round).flat() });
    const before = performance.now();
    const error = await rejection(node.client.importTaskflow({ ...exported, revision: exported.revision + 1 }));
    expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", data: [{ path: "/entries", keyword: "work" }] });
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  test("keys that reach an object's inside are data, and stay there", async () => {
    await open();
    const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1}') as unknown;
    const spoilt = at(`${task}/params`, hostile)(at(`${created}/meta`, hostile)(good) as Json);
    const { taskflowId } = await node.client.importTaskflow(spoilt as TaskflowExport);
    expect(({} as Json)["polluted"]).toBeUndefined();
    const [stage] = Object.values((await node.client.getTaskflowDetails(taskflowId)).stages);
    expect(Object.keys(Object.values(stage?.tasks ?? {})[0]?.params ?? {})).toEqual(["__proto__", "constructor", "a"]);
  });
});

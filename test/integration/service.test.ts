import { afterEach, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { isTaskflowError } from "../../lib/index.ts";
import type { TaskflowDetails } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { tempFolder } from "../helpers/temp.ts";

afterEach(stopLocalNodes);

/** Its actions answer, fail, or wait until they are let go. */
function workers(): { service: ServiceSchema; calls: string[]; letGo: () => void } {
  const calls: string[] = [];
  let letGo = (): void => {};
  const released = new Promise<void>((resolve) => (letGo = resolve));
  const note = <T>(name: string, answer: () => T) => {
    return (): T => {
      calls.push(name);
      return answer();
    };
  };
  const service: ServiceSchema = {
    name: "svc",
    actions: {
      ok: note("ok", () => ({ ok: true })),
      nothing: note("nothing", () => undefined),
      slow: note("slow", () => released.then(() => "slow")),
      fail: note("fail", () => {
        throw new Error("It cannot be done.");
      }),
    },
  };
  return { service, calls, letGo };
}

const tasksOf = (tree: TaskflowDetails) => Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));

describe("produce", () => {
  test("answers { success, data } with the id and the subject of its events, and the taskflow runs to its end", async () => {
    const { service, calls } = workers();
    const { broker, client } = await startLocalNode({ services: [service] });
    const answer = await broker.call<{ success: boolean; data: Record<string, unknown> }, unknown>("taskflow.produce", {
      stages: [stageOf("one", ["ok", "nothing"]), stageOf("two", ["ok"])],
    });
    const { taskflowId } = answer.data;
    expect(answer).toEqual({
      success: true,
      data: {
        taskflowId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
        eventSubscription: `taskflow.events.${String(taskflowId)}`,
      },
    });
    const tree = await client.waitForTaskflow(String(taskflowId));
    expect(tree).toMatchObject({ status: "COMPLETED", progress: 100 });
    expect(tasksOf(tree).map(({ name, status, response }) => [name, status, response])).toEqual([
      ["ok", "SUCCESS", { ok: true }],
      ["nothing", "SUCCESS", null],
      ["ok", "SUCCESS", { ok: true }],
    ]);
    expect(calls.length).toBe(3);
  });

  test("begins only after it has answered", async () => {
    const { service, calls } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["ok"])] });
    expect(calls).toEqual([]);
    await client.waitForTaskflow(taskflowId);
    expect(calls).toEqual(["ok"]);
  });

  test("the short form is a taskflow of one stage named main", async () => {
    const { service } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const { taskflowId } = await client.produce({ tasks: stageOf("", ["ok"]).tasks });
    const { stages } = await client.waitForTaskflow(taskflowId);
    expect(Object.values(stages).map((stage) => stage.name)).toEqual(["main"]);
  });

  test("with an id that is stored it answers for the stored one, and does not look at the rest", async () => {
    const { service, calls } = workers();
    const { client, broker } = await startLocalNode({ services: [service] });
    const given = { taskflowId: "order:1", stages: [stageOf("one", ["ok"])] };
    expect(await client.produce(given)).toEqual({ taskflowId: "order:1", eventSubscription: "taskflow.events.order:1" });
    const existing = { taskflowId: "order:1", eventSubscription: "taskflow.events.order:1", existing: true };
    for (const rest of [given, { taskflowId: "order:1" }, { taskflowId: "order:1", stages: 5, other: "x" }]) {
      expect(await broker.call("taskflow.produce", rest)).toEqual({ success: true, data: existing });
    }
    await client.waitForTaskflow("order:1");
    expect(await client.produce(given)).toEqual(existing);
    expect(calls).toEqual(["ok"]);
  });

  test.each(["memory:", "sqlite"])(
    "of many calls at once with one id, one stores it and all answer for it (%s)",
    async (store) => {
      const { service, calls } = workers();
      const url = store === "memory:" ? store : `sqlite:${join(tempFolder(), "flow.db")}`;
      const { client } = await startLocalNode({ services: [service], taskflow: { store: url } });
      const given = { taskflowId: "same", stages: [stageOf("one", ["ok"])] };
      const answers = await Promise.all(Array.from({ length: 20 }, () => client.produce(given)));
      expect(answers.filter((answer) => answer.existing !== true).length).toBe(1);
      expect(new Set(answers.map((answer) => answer.taskflowId))).toEqual(new Set(["same"]));
      await client.waitForTaskflow("same");
      expect(calls).toEqual(["ok"]);
      expect(await client.listTaskflows()).toMatchObject({ counts: { COMPLETED: 1 }, rows: [{ taskflowId: "same" }] });
      expect(await client.health()).toMatchObject({ owned: 0, inFlight: 0 });
    },
  );

  test("is refused with TASKFLOW_OVERLOADED beyond the limit of active ones, and taken again afterwards", async () => {
    const { service, letGo } = workers();
    const { client } = await startLocalNode({ services: [service], taskflow: { maxActive: 2 } });
    const given = { stages: [stageOf("one", ["slow"])] };
    await client.produce({ ...given, taskflowId: "a" });
    await client.produce({ ...given, taskflowId: "b" });
    expect(await rejection(client.produce(given))).toMatchObject({
      type: "TASKFLOW_OVERLOADED",
      code: 503,
      data: { retryAfter: 1 },
    });
    expect(await client.produce({ ...given, taskflowId: "a" })).toMatchObject({ existing: true });
    letGo();
    await client.waitForTaskflow("a");
    await client.produce(given);
  });
});

describe("reading", () => {
  test("details, stages by name or id, getTask and listTasks tell of the same tasks", async () => {
    const { service, calls, letGo } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const stages = [stageOf("one", ["ok", "slow"]), stageOf("two", ["last:ok"])];
    const { taskflowId } = await client.produce({ name: "n", stages, tags: ["t"], context: { c: 1 } });
    await eventually(() => expect(calls).toEqual(["ok", "slow"]));
    await eventually(async () => expect(await client.getTask(taskflowId, "ok")).toMatchObject({ status: "SUCCESS" }));
    const tree = await client.getTaskflowDetails(taskflowId);
    expect(tree).toMatchObject({ taskflowId, name: "n", status: "RUNNING", tags: ["t"], context: { c: 1 } });
    const [ok, slow, last] = tasksOf(tree);
    expect([ok?.status, slow?.status, last?.status]).toEqual(["SUCCESS", "RUNNING", "WAITING"]);
    expect(slow?.attempts).toMatchObject([{ attempt: 0, deliveries: 1, status: "RUNNING" }]);
    const only = await client.getTaskflowDetails(taskflowId, { stages: ["two"] });
    expect(Object.keys(only.stages)).toEqual([last?.stageId]);
    expect(await client.getTaskflowDetails(taskflowId, { stages: [last?.stageId ?? ""] })).toEqual(only);
    expect(await client.getTask(taskflowId, ok?.id ?? "")).toEqual(ok);
    expect(await client.getTask(taskflowId, "last")).toEqual(last);
    expect((await client.listTasks(taskflowId)).rows).toEqual([ok, slow, last]);
    expect((await client.listTasks(taskflowId, { stageId: "one", status: ["RUNNING", "WAITING"] })).rows).toEqual([slow]);
    const first = await client.listTasks(taskflowId, { pageSize: 2 });
    expect(first.rows).toEqual([ok, slow]);
    expect(await client.listTasks(taskflowId, { pageSize: 2, cursor: first.nextCursor ?? "" })).toEqual({ rows: [last] });
    letGo();
    expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
  });

  test("an answer is the caller's own: changing it changes nothing else", async () => {
    const { service, calls, letGo } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const context = { list: [1] };
    const flow = { context, tags: ["t"], options: { maxRetries: 1, retryDelay: 20 } };
    const { taskflowId } = await client.produce({
      ...flow,
      stages: [stageOf("one", ["slow", "fail"], { params: { a: { b: 1 } }, meta: { m: [1] } })],
    });
    await eventually(() => expect(calls).toEqual(["slow", "fail", "fail"]));
    const spoil = (value: unknown): void => {
      if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
      for (const key of Object.keys(value)) {
        spoil((value as Record<string, unknown>)[key]);
        (value as Record<string, unknown>)[key] = "spoilt";
      }
    };
    spoil(await client.getTaskflowDetails(taskflowId));
    spoil(await client.listTasks(taskflowId));
    spoil(await client.getTask(taskflowId, "fail"));
    letGo();
    expect(JSON.stringify(await client.waitForTaskflow(taskflowId))).not.toContain("spoilt");
  });

  test("listTaskflows filters, pages to an end, and counts all matches", async () => {
    const { service } = workers();
    const { client } = await startLocalNode({ services: [service] });
    for (let index = 0; index < 5; index++) {
      const stages = [stageOf("one", [index === 0 ? "fail" : "ok"])];
      const { taskflowId } = await client.produce({ name: `flow ${index % 2}`, tags: ["all"], attributes: { index }, stages });
      await client.waitForTaskflow(taskflowId);
    }
    const all = await client.listTaskflows({ pageSize: 3, sort: "createdAt" });
    expect(all.counts).toEqual({ COMPLETED: 4, FAILED: 1 });
    const rest = await client.listTaskflows({ pageSize: 3, sort: "createdAt", cursor: all.nextCursor ?? "" });
    expect([...all.rows, ...rest.rows].map((row) => row.attributes["index"])).toEqual([0, 1, 2, 3, 4]);
    expect(rest.nextCursor).toBeUndefined();
    expect(all.rows[0]).toMatchObject({ status: "FAILED", errorType: "Error", progress: 100 });
    for (const hidden of ["owner", "fence", "dueAt", "stages"]) expect(all.rows[0]).not.toHaveProperty(hidden);
    expect((await client.listTaskflows({ status: "FAILED" })).rows.length).toBe(1);
    expect((await client.listTaskflows({ name: "flow 1" })).rows.length).toBe(2);
    expect((await client.listTaskflows({ attributes: { index: 3 }, tags: ["all"] })).rows.length).toBe(1);
  });

  test("waitForTaskflow ends with the tree so far when its time is over, and the taskflow goes on", async () => {
    const { service, letGo } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"]), stageOf("two", ["ok"])] });
    const before = performance.now();
    const error = await rejection(client.waitForTaskflow(taskflowId, { timeout: 60, stages: ["one"] }));
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(error).toMatchObject({ type: "TASKFLOW_WAIT_TIMEOUT", code: 408, data: { taskflowId, status: "RUNNING" } });
    expect(Object.values((error.data as TaskflowDetails).stages).map((stage) => stage.name)).toEqual(["one"]);
    const waiting = Promise.all([client.waitForTaskflow(taskflowId), client.waitForTaskflow(taskflowId, { stages: ["two"] })]);
    letGo();
    const [tree, part] = await waiting;
    expect(tree.status).toBe("COMPLETED");
    expect(Object.values(part.stages).map((stage) => [stage.name, stage.status])).toEqual([["two", "COMPLETED"]]);
  });

  test("deleteTaskflow removes finished ones only, and its id is free again", async () => {
    const { service, calls, letGo } = workers();
    const { client } = await startLocalNode({ services: [service] });
    const given = { taskflowId: "d", stages: [stageOf("one", ["slow"])] };
    await client.produce(given);
    expect(await rejection(client.deleteTaskflow("d"))).toMatchObject({ type: "TASKFLOW_NOT_FINISHED", code: 409 });
    letGo();
    await client.waitForTaskflow("d");
    expect(await client.deleteTaskflow("d")).toEqual({ taskflowId: "d" });
    expect(await rejection(client.getTaskflowDetails("d"))).toMatchObject({ type: "TASKFLOW_NOT_FOUND", code: 404 });
    expect(await rejection(client.deleteTaskflow("d"))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
    expect((await client.produce(given)).existing).toBeUndefined();
    await client.waitForTaskflow("d");
    expect(calls).toEqual(["slow", "slow"]);
  });

  test("what is not there is told by its type, with what there is", async () => {
    const { service } = workers();
    const { broker, client } = await startLocalNode({ services: [service] });
    await client.produce({ taskflowId: "f", stages: [stageOf("one", ["ok"]), stageOf("two", ["ok"])] });
    await client.waitForTaskflow("f");
    for (const action of ["getTaskflowDetails", "waitForTaskflow", "getEvents", "listTasks", "deleteTaskflow"]) {
      expect(await rejection(broker.call(`taskflow.${action}`, { taskflowId: "none" }))).toMatchObject({
        type: "TASKFLOW_NOT_FOUND",
        code: 404,
      });
    }
    expect(await rejection(client.getTask("f", "none"))).toMatchObject({ type: "TASK_NOT_FOUND", code: 404 });
    expect((await rejection(client.getTask("f", "ok"))).message).toMatch(/has 2 tasks "ok": use the task's id/);
    const stage = await rejection(client.listTasks("f", { stageId: "three" }));
    expect(stage).toMatchObject({ type: "STAGE_NOT_FOUND", code: 404 });
    expect(stage.message).toMatch(/"one".*"two"/);
    expect(
      isTaskflowError(await rejection(client.getTaskflowDetails("f", { stages: ["one", "three"] })), "STAGE_NOT_FOUND"),
    ).toBe(true);
    for (const bad of [client.listTasks("f", { cursor: "x" }), client.listTaskflows({ cursor: "x" })]) {
      expect(await rejection(bad)).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", code: 422, data: [{ path: "/cursor" }] });
    }
  });

  test("health tells of the store, the bus and the load", async () => {
    const { service, calls, letGo } = workers();
    const { broker, client } = await startLocalNode({ services: [service] });
    await client.produce({ taskflowId: "h", stages: [stageOf("one", ["slow"])] });
    await eventually(() => expect(calls).toEqual(["slow"]));
    const health = { ready: true, live: true, owned: 1, inFlight: 1, draining: false };
    expect(await client.health()).toMatchObject({ ...health, store: { ok: true, name: "memory:" }, bus: { kind: "local" } });
    expect(await broker.call("taskflow.ready")).toMatchObject({ success: true, data: { ready: true } });
    letGo();
    await client.waitForTaskflow("h");
    expect(await client.health()).toMatchObject({ owned: 0, inFlight: 0 });
  });
});

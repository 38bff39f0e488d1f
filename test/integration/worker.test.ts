import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { ExpectedError, PermanentError, TaskflowWorker } from "../../lib/index.ts";
import type { TaskDetails, TaskflowContext, TaskflowDetails, TaskflowExecutionContext, TaskflowHandle } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";

afterEach(stopLocalNodes);

const svc = (actions: ServiceSchema["actions"] & object): ServiceSchema => ({ name: "svc", actions });
const contextOf = (ctx: Context): TaskflowExecutionContext =>
  (ctx.meta as { taskflowExecutionContext: TaskflowExecutionContext }).taskflowExecutionContext;
const tasksOf = (tree: TaskflowDetails): TaskDetails[] =>
  Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));

/** Runs one task whose handler is given, and answers it as it ended. */
async function runOne(handler: (ctx: Context) => unknown, options: object = {}): Promise<TaskDetails> {
  const { client } = await startLocalNode({ services: [svc({ do: handler })] });
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["do"], { options })] });
  const [task] = tasksOf(await client.waitForTaskflow(taskflowId));
  if (!task) throw new Error("no task");
  return task;
}

describe("what a handler is told", () => {
  test("the worker mixin gives ctx.taskflow to tasks, and not to other callers", async () => {
    const seen: (TaskflowHandle | undefined)[] = [];
    const rows: unknown[] = [];
    const act = async (ctx: TaskflowContext): Promise<string> => {
      seen.push(ctx.taskflow);
      rows.push(await ctx.taskflow?.previousStageRes());
      return "done";
    };
    const service: ServiceSchema = { ...svc({ first: act, second: { handler: act } }), mixins: [TaskflowWorker()] };
    const { broker, client } = await startLocalNode({ services: [service] });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["first"]), stageOf("two", ["second"])] });
    const tasks = tasksOf(await client.waitForTaskflow(taskflowId));
    await broker.call("svc.first");
    expect(seen.map((handle) => handle && { ...handle })).toMatchObject(
      [
        {
          taskflowId,
          taskId: tasks[0]?.id,
          stageId: tasks[0]?.stageId,
          attempt: 0,
          idempotencyKey: `${taskflowId}:${tasks[0]?.id}:0`,
        },
        { taskflowId, taskId: tasks[1]?.id, attempt: 0 },
        {},
      ]
        .slice(0, 2)
        .concat(undefined as never),
    );
    expect(rows).toEqual([[], [{ taskName: "first", taskId: tasks[0]?.id, status: "SUCCESS", response: "done" }], undefined]);
  });

  test("the attempt grows with each retry, and the signal is aborted when its time is over", async () => {
    const handles: TaskflowHandle[] = [];
    const act = (ctx: TaskflowContext): unknown => {
      if (ctx.taskflow) handles.push(ctx.taskflow);
      if (handles.length === 2) return "second";
      return new Promise((_, reject) => {
        ctx.taskflow?.signal.addEventListener("abort", () => reject(new Error("Nobody waits any more.")));
      });
    };
    const service: ServiceSchema = { ...svc({ act }), mixins: [TaskflowWorker()] };
    const { client } = await startLocalNode({ services: [service] });
    const options = { timeout: 50, maxRetries: 1, retryDelay: 10 };
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["act"], { options })] });
    const [task] = tasksOf(await client.waitForTaskflow(taskflowId));
    expect(task).toMatchObject({
      status: "SUCCESS",
      response: "second",
      attempt: 1,
      attempts: [{ error: { type: "TASK_TIMEOUT" } }, {}],
    });
    expect(handles.map((handle) => handle.attempt)).toEqual([0, 1]);
    await eventually(() => expect(handles[0]?.signal.aborted).toBe(true));
    expect(handles[1]?.signal.aborted).toBe(false);
  });

  test("a timeout longer than Node's timers can count is not over at once", async () => {
    let wasAborted: boolean | undefined;
    const act = async (ctx: TaskflowContext): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      wasAborted = ctx.taskflow?.signal.aborted;
      return "done";
    };
    const service: ServiceSchema = { ...svc({ act }), mixins: [TaskflowWorker()] };
    const { client } = await startLocalNode({ services: [service] });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["act"], { options: { timeout: "30 days" } })] });
    expect(tasksOf(await client.waitForTaskflow(taskflowId))).toMatchObject([{ status: "SUCCESS", response: "done" }]);
    expect(wasAborted).toBe(false);
  });

  test("the caller's and the task's meta are merged, the task's wins, and Moleculer's own stays out", async () => {
    const metas: Record<string, unknown>[] = [];
    const { broker, client } = await startLocalNode({
      services: [svc({ act: (ctx: Context) => void metas.push({ ...ctx.meta }) })],
    });
    const params = { stages: [stageOf("one", ["act"], { meta: { role: "task's" } })] };
    const meta = { user: { id: 1 }, role: "caller's", $statusCode: 201 };
    const { data } = await broker.call<{ data: { taskflowId: string } }, unknown>("taskflow.produce", params, { meta });
    await client.waitForTaskflow(data.taskflowId);
    expect(metas).toEqual([{ user: { id: 1 }, role: "task's", taskflowExecutionContext: expect.anything() }]);
  });
});

describe("what a handler does to what it got", () => {
  test("nothing that it writes into its meta or params reaches a sibling, a retry, a later stage or the store", async () => {
    const seen: string[] = [];
    const spoil = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const inner of Object.values(value)) spoil(inner);
      if (!Object.isFrozen(value)) Object.assign(value, { spoilt: true });
    };
    let failures = 0;
    const act = (ctx: Context): unknown => {
      seen.push(JSON.stringify([ctx.params, ctx.meta]));
      spoil(ctx.params);
      spoil(ctx.meta);
      if (failures++ === 0) throw new Error("Once more.");
      return { list: [1] };
    };
    const { client } = await startLocalNode({ services: [svc({ act })] });
    const more = {
      params: { a: { b: 1 } },
      meta: { m: { n: 1 } },
      options: { maxRetries: 1, retryDelay: 10, forwardContext: true },
    };
    const stages = [stageOf("one", ["x:act", "y:act"], more), stageOf("two", ["z:act"], more)];
    const { taskflowId } = await client.produce({ context: { c: { d: 1 } }, stages }, { meta: { user: { id: 1 } } });
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(seen.length).toBe(4);
    expect(seen.filter((text) => text.includes("spoilt"))).toEqual([]);
    expect(JSON.stringify(tree)).not.toContain("spoilt");
  });

  test("an object that it answers is stored as it was, whatever it does to it later", async () => {
    const answer = { list: [1] };
    const { client } = await startLocalNode({
      services: [svc({ a: () => answer, b: (ctx: Context) => (answer.list.push(2), contextOf(ctx)) })],
    });
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["a"]), stageOf("two", ["b"])] });
    const [first, second] = tasksOf(await client.waitForTaskflow(taskflowId));
    expect(first?.response).toEqual({ list: [1] });
    expect(second?.response).toMatchObject({ previousStageRes: [{ response: { list: [1] } }] });
  });
});

describe("what a handler answers or throws", () => {
  test.each([0, false, "", null, { a: [1, null] }, "ä🚀\u2028"])("%j is the response", async (value) => {
    expect(await runOne(() => value)).toMatchObject({ status: "SUCCESS", response: value });
  });

  test("undefined and functions are null, and what JSON leaves out is left out", async () => {
    expect(await runOne(() => undefined)).toMatchObject({ status: "SUCCESS", response: null });
    expect(await runOne(() => () => 1)).toMatchObject({ status: "SUCCESS", response: null });
    expect((await runOne(() => ({ a: undefined, b: Number.NaN, c: new Date(0) }))).response).toEqual({
      b: null,
      c: "1970-01-01T00:00:00.000Z",
    });
  });

  test("what is not JSON fails the task without another attempt, for the work was done", async () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    for (const value of [cycle, { big: 1n }]) {
      const task = await runOne(() => value, { maxRetries: 5 });
      expect(task).toMatchObject({ status: "FAILED", attempt: 0 });
      expect(task.error?.message).toMatch(/not JSON/);
    }
  });

  test("a huge error is cut, and a strange one is still an error", async () => {
    const text = "x".repeat(2_000_000);
    const huge = await runOne(() => {
      throw Object.assign(new Error(text), { data: { text }, type: text, code: text, nodeID: text });
    });
    expect(huge.status).toBe("FAILED");
    expect(JSON.stringify(huge.error).length).toBeLessThan(60_000);
    expect(huge.error?.data).toEqual({ $omitted: expect.any(Number) });
    const strange: unknown[] = ["text", 5, null, undefined, {}, Object.create(null), { message: { no: "text" }, data: 1n }];
    for (const thrown of strange) {
      const task = await runOne(() => {
        throw thrown;
      });
      expect(task.status).toBe("FAILED");
      expect(typeof task.error?.type).toBe("string");
    }
  });

  test("errors that cannot get better are not tried again, others are", async () => {
    const attempts = async (thrown: Error): Promise<[number, string | undefined]> => {
      const task = await runOne(() => Promise.reject(thrown), { maxRetries: 2, retryDelay: 1 });
      return [task.attempts.length, task.error?.type];
    };
    expect(await attempts(new PermanentError("No."))).toEqual([1, "PERMANENT_ERROR"]);
    expect(await attempts(new ExpectedError("Known."))).toEqual([1, "EXPECTED_ERROR"]);
    expect(await attempts(Object.assign(new Error("Bad."), { code: 404 }))).toEqual([1, "Error"]);
    expect(await attempts(Object.assign(new Error("Busy."), { code: 429 }))).toEqual([3, "Error"]);
    expect(await attempts(new Error("Broken."))).toEqual([3, "Error"]);
  });

  test("an error's retryAfter is obeyed", async () => {
    const times: number[] = [];
    const task = await runOne(
      () => {
        times.push(Date.now());
        if (times.length > 1) return "ok";
        throw Object.assign(new Error("Later."), { data: { retryAfter: 0.2 } });
      },
      { maxRetries: 1, retryDelay: 60_000 },
    );
    expect(task.status).toBe("SUCCESS");
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(200);
  });
});

describe("a task that no service serves", () => {
  test("waits with NO_WORKER without using up an attempt, and runs within 2 s of the service's start", async () => {
    const { broker, client } = await startLocalNode();
    const { taskflowId } = await client.produce({ stages: [stageOf("one", ["act"])] });
    await eventually(async () => {
      expect(await client.getTask(taskflowId, "act")).toMatchObject({
        status: "WAITING",
        statusReason: "NO_WORKER",
        attempts: [],
      });
    });
    broker.createService(svc({ act: () => "at last" }));
    const started = performance.now();
    const [task] = tasksOf(await client.waitForTaskflow(taskflowId));
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(task).toMatchObject({ status: "SUCCESS", response: "at last", attempt: 0, attempts: [{ attempt: 0, deliveries: 1 }] });
  });

  test("does not keep others of its stage, or other taskflows, from running", async () => {
    const { client } = await startLocalNode({ services: [svc({ here: () => 1 })], taskflow: { maxInFlight: 1 } });
    const waiting = await client.produce({ stages: [stageOf("one", ["missing", "here"])] });
    const other = await client.produce({ stages: [stageOf("one", ["here"])] });
    expect((await client.waitForTaskflow(other.taskflowId)).status).toBe("COMPLETED");
    await eventually(async () => expect((await client.getTask(waiting.taskflowId, "here")).status).toBe("SUCCESS"));
  });
});

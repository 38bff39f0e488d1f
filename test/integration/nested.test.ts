/**
 * Nested taskflows in one process: handlers that produce, and what becomes of what they produced.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import type { Taskflow, TaskDetails, TaskflowDetails, TaskflowExecutionContext } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";

afterEach(stopLocalNodes);

interface Params {
  readonly make?: readonly Taskflow[];
}
type Meta = { taskflowExecutionContext: TaskflowExecutionContext } & Record<string, unknown>;

interface Site extends LocalNode {
  /** Names of the tasks whose handlers began, in order. */
  readonly ran: string[];
  /** Lets those handlers go on that wait. */
  open: () => void;
  readonly contexts: TaskflowExecutionContext[];
}

/**
 * Handlers: `make` produces what its params say, `work` answers, `wait` waits until somebody
 * opens, `fail` fails, `persist` produces until it has completed, `again` produces itself.
 */
async function startSite(taskflow = {}): Promise<Site> {
  const ran: string[] = [];
  const contexts: TaskflowExecutionContext[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const begin = (ctx: Context<unknown, Meta>): TaskflowExecutionContext["taskflow"] => {
    const context = ctx.meta.taskflowExecutionContext;
    ran.push(context.taskflow.taskInfo.name);
    contexts.push(context);
    return context.taskflow;
  };
  const actions: Record<string, (ctx: Context<Params, Meta>) => unknown> = {
    async make(ctx) {
      begin(ctx);
      const ids: string[] = [];
      for (const made of ctx.params.make ?? [])
        ids.push((await ctx.call<{ data: { taskflowId: string } }, unknown>("taskflow.produce", made)).data.taskflowId);
      return ids;
    },
    work: (ctx) => begin(ctx).taskInfo.name,
    async wait(ctx) {
      begin(ctx);
      await opened;
      return "opened";
    },
    fail(ctx) {
      begin(ctx);
      throw new Error("It fails.");
    },
    failOnce(ctx) {
      if (begin(ctx).taskInfo.attempt === 0) throw new Error("It fails.");
    },
    failTwice(ctx) {
      if (begin(ctx).taskInfo.attempt < 2) throw new Error("It fails.");
    },
    async persist(ctx) {
      begin(ctx);
      for (let status = ""; status !== "COMPLETED";) {
        const { data } = await ctx.call<{ data: { taskflowId: string } }, unknown>("taskflow.produce", ctx.params.make?.[0]);
        const ended = await ctx.call<{ data: { status: string } }, object>("taskflow.waitForTaskflow", {
          taskflowId: data.taskflowId,
        });
        status = ended.data.status;
      }
    },
    async again(ctx) {
      begin(ctx);
      await ctx.call("taskflow.produce", { stages: [stageOf("s", ["again"])] });
    },
  };
  const service = { name: "svc", actions } as unknown as ServiceSchema;
  const node = await startLocalNode({ services: [service], taskflow });
  return Object.assign(node, { ran, contexts, open });
}

const flow = (calls: readonly string[], more: object = {}): Taskflow => ({ stages: [stageOf("s", calls)], ...more });

/** A taskflow whose task `make` produces these. */
const making = (make: readonly Taskflow[], options: object = {}, after: readonly string[] = []): Taskflow => ({
  stages: [stageOf("make", ["make"], { params: { make }, options }), ...(after.length > 0 ? [stageOf("after", after)] : [])],
});

const tasksOf = (tree: TaskflowDetails): TaskDetails[] =>
  Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));
const taskOf = (tree: TaskflowDetails, name: string): TaskDetails => {
  const found = tasksOf(tree).find((task) => task.name === name);
  if (!found) throw new Error(`There is no task ${name}.`);
  return found;
};
const nestedOf = (tree: TaskflowDetails, name = "make"): TaskflowDetails[] => Object.values(taskOf(tree, name).nested ?? {});

describe("a handler that produces", () => {
  test("makes a taskflow below its task: the task waits for it, each knows of the other, and the details show the whole tree", async () => {
    const { client, open, ran } = await startSite();
    const inner = flow(["wait"], { name: "inner" });
    const { taskflowId } = await client.produce({
      ...making([making([inner]), flow(["work"])], {}, ["last:work"]),
      tenant: "acme",
    });
    await eventually(() => expect(ran).toContain("wait"));
    const running = await client.getTaskflowDetails(taskflowId);
    const task = taskOf(running, "make");
    await eventually(async () => {
      const { statusReason, nestedActiveRunningTaskFlowIds } = await client.getTask(taskflowId, "make");
      expect([statusReason, nestedActiveRunningTaskFlowIds.length]).toEqual(["AWAITING_NESTED", 1]);
    });
    expect(ran).not.toContain("last");
    const [middle] = nestedOf(running);
    expect(middle).toMatchObject({
      status: "RUNNING",
      rootId: taskflowId,
      tenant: "acme",
      parentTaskflowDetails: { taskflowId, stageId: task.stageId, taskId: task.id, attempt: 0 },
    });
    expect(middle && nestedOf(middle)[0]).toMatchObject({ name: "inner", rootId: taskflowId, tenant: "acme" });
    const { rows } = await client.listTaskflows({ parentTaskflowId: taskflowId, sort: "createdAt" });
    expect(rows.map((row) => row.taskflowId)).toEqual(task.nestedTaskflows);
    open();
    const ended = await client.waitForTaskflow(taskflowId);
    expect([ended.status, ran.at(-1)]).toEqual(["COMPLETED", "last"]);
    expect(taskOf(ended, "make")).toMatchObject({ response: task.nestedTaskflows, nestedActiveRunningTaskFlowIds: [] });
    expect(nestedOf(ended).map(({ status }) => status)).toEqual(["COMPLETED", "COMPLETED"]);
    const flat = await client.getTaskflowDetails(taskflowId, { depth: 0 });
    expect(tasksOf(flat).map(({ nested }) => nested)).toEqual([undefined, undefined]);
    const one = await client.getTaskflowDetails(taskflowId, { depth: 1 });
    expect(nestedOf(nestedOf(one)[0] as TaskflowDetails)).toEqual([]);
  });

  test("hands its meta on, and its context to the handlers below, level by level", async () => {
    const { client, contexts, broker } = await startSite();
    const deepest = flow(["work"]);
    const { data } = await broker.call<{ data: { taskflowId: string } }, unknown>(
      "taskflow.produce",
      making([making([deepest])]),
      { meta: { user: "me" } },
    );
    await client.waitForTaskflow(data.taskflowId);
    const last = contexts.at(-1);
    const parentOf = (context: unknown): TaskflowExecutionContext =>
      (context as TaskflowExecutionContext).taskflow.taskInfo.meta["taskflowExecutionContext"] as TaskflowExecutionContext;
    const middle = parentOf(last);
    const root = parentOf(middle);
    expect([last, middle, root].map((context) => context?.taskflow.taskInfo.meta["user"])).toEqual(["me", "me", "me"]);
    expect(root.taskflow.id).toBe(data.taskflowId);
    expect(parentOf(root)).toBeUndefined();
  });

  test("makes one of its own with detached: true", async () => {
    const { client, ran } = await startSite();
    const { taskflowId } = await client.produce(making([flow(["work"], { detached: true })]));
    const tree = await client.waitForTaskflow(taskflowId);
    expect(taskOf(tree, "make").nestedTaskflows).toEqual([]);
    await eventually(() => expect(ran).toContain("work"));
    const [id] = taskOf(tree, "make").response as string[];
    expect(await client.getTaskflowDetails(id ?? "")).toMatchObject({ parentTaskflowDetails: null, rootId: id });
  });

  test("again and again of itself comes to an end at the depth that the limits say", async () => {
    const { client, ran } = await startSite({ limits: { nesting: 3 } });
    const { taskflowId } = await client.produce(flow(["again"]));
    const tree = await client.waitForTaskflow(taskflowId);
    expect(ran).toHaveLength(4);
    expect(taskOf(tree, "again").error?.type).toBe("NESTED_TASKFLOW_FAILED");
    let deepest = tree;
    for (let [next] = nestedOf(deepest, "again"); next; [next] = nestedOf(deepest, "again")) deepest = next;
    expect(taskOf(deepest, "again").error).toMatchObject({ type: "NESTING_TOO_DEEP", data: { depth: 4, limit: 3 } });
  });

  test("after its task has been settled is refused, and nothing is stored", async () => {
    const { client, broker, contexts } = await startSite();
    const { taskflowId } = await client.produce(flow(["work"]));
    await client.waitForTaskflow(taskflowId);
    const meta = { taskflowExecutionContext: contexts[0] };
    const late = await rejection(broker.call("taskflow.produce", flow(["work"]), { meta }));
    expect([late.type, late.code]).toEqual(["PARENT_TASK_NOT_RUNNING", 409]);
    expect((await client.listTaskflows()).rows).toHaveLength(1);
  });
});

describe("a nested taskflow that fails", () => {
  test("fails the task that waits for it, and another attempt produces anew", async () => {
    const { client, ran } = await startSite();
    const { taskflowId } = await client.produce(making([flow(["fail"])], { maxRetries: 1, retryDelay: 10 }));
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("FAILED");
    const task = taskOf(tree, "make");
    expect(task.error?.type).toBe("NESTED_TASKFLOW_FAILED");
    expect(task.attempts.map(({ error }) => error?.type)).toEqual(["NESTED_TASKFLOW_FAILED", "NESTED_TASKFLOW_FAILED"]);
    expect([task.nestedTaskflows.length, ran]).toEqual([2, ["make", "fail", "make", "fail"]]);
  });

  test("is tried again under the id that the handler chose, by the next attempt", async () => {
    const { client, ran } = await startSite();
    const make = [flow(["failOnce"], { taskflowId: "mine" })];
    const { taskflowId } = await client.produce(making(make, { maxRetries: 1, retryDelay: 10 }));
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(taskOf(tree, "make").nestedTaskflows).toEqual(["mine"]);
    expect(nestedOf(tree)[0]).toMatchObject({ taskflowId: "mine", status: "COMPLETED", retryAttempt: 1 });
    expect(ran).toEqual(["make", "failOnce", "make", "failOnce"]);
  });

  test("can be tried again by a person, and the parent then", async () => {
    const { client } = await startSite();
    const { taskflowId } = await client.produce(making([flow(["failOnce"], { taskflowId: "mine" })], {}, ["last:work"]));
    expect((await client.waitForTaskflow(taskflowId)).status).toBe("FAILED");
    await client.retryTaskflow("mine");
    expect((await client.waitForTaskflow("mine")).status).toBe("COMPLETED");
    await client.retryTaskflow(taskflowId, { mode: "failed" });
    const tree = await client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    expect(nestedOf(tree)[0]).toMatchObject({ status: "COMPLETED", retryAttempt: 1 });
  });

  test("is tried again as often as the same handler produces it again", async () => {
    const { client, ran } = await startSite();
    const stages = [stageOf("s", ["failTwice"])];
    const { taskflowId } = await client.produce({
      stages: [stageOf("make", ["persist"], { params: { make: [{ taskflowId: "mine", stages }] } })],
    });
    const tree = await client.waitForTaskflow(taskflowId, { timeout: 5_000 });
    expect([tree.status, ran]).toEqual(["COMPLETED", ["persist", "failTwice", "failTwice", "failTwice"]]);
    expect(nestedOf(tree, "persist")[0]).toMatchObject({ status: "COMPLETED", retryAttempt: 2 });
  });

  test("of a chosen id is adopted by a retry of the cancelled parent, however far its own cancel has come", async () => {
    const { client, open, ran } = await startSite();
    const chain = (depth: number): Taskflow =>
      depth === 0 ? flow(["wait"], { taskflowId: "deepest" }) : { ...making([chain(depth - 1)]), taskflowId: `level-${depth}` };
    await client.produce(chain(5));
    for (let round = 1; round <= 5; round++) {
      await eventually(() => expect(ran.filter((name) => name === "wait")).toHaveLength(round), { timeoutMs: 5_000 });
      if (round === 5) break;
      await client.cancelTaskflow("level-5");
      await client.retryTaskflow("level-5");
    }
    open();
    const tree = await client.waitForTaskflow("level-5", { timeout: 5_000 });
    expect(tree.status).toBe("COMPLETED");
    expect(nestedOf(tree)[0]?.status).toBe("COMPLETED");
  }, 20_000);

  test("of a chosen id that another taskflow has is left alone", async () => {
    const { client } = await startSite();
    await client.produce(flow(["work"], { taskflowId: "taken" }));
    const { taskflowId } = await client.produce(making([flow(["fail"], { taskflowId: "taken" })]));
    const tree = await client.waitForTaskflow(taskflowId);
    expect([tree.status, taskOf(tree, "make").nestedTaskflows]).toEqual(["COMPLETED", []]);
    expect((await client.getTaskflowDetails("taken")).parentTaskflowDetails).toBeNull();
  });
});

describe("decisions reach down", () => {
  test("cancel: to the last level, and nothing runs afterwards", async () => {
    const { client, open, ran } = await startSite();
    const inner = { stages: [stageOf("one", ["wait"]), stageOf("two", ["never:work"])] };
    const { taskflowId } = await client.produce(making([making([inner])]));
    await eventually(() => expect(ran).toContain("wait"));
    await client.cancelTaskflow(taskflowId);
    const tree = await client.waitForTaskflow(taskflowId);
    const middle = nestedOf(tree)[0] as TaskflowDetails;
    expect([tree, middle, nestedOf(middle)[0]].map((each) => each?.status)).toEqual(["CANCELLED", "CANCELLED", "CANCELLED"]);
    open();
    expect((await client.listTaskflows({ status: ["RUNNING", "WAITING", "PAUSED"] })).rows).toEqual([]);
    expect(ran).not.toContain("never");
  });

  test("pause and resume: what a person paused below stays so", async () => {
    const { client, open, ran } = await startSite();
    const inner = (taskflowId: string) => ({
      taskflowId,
      stages: [stageOf("one", [`${taskflowId}:wait`]), stageOf("two", [`${taskflowId}-last:work`])],
    });
    const { taskflowId } = await client.produce(making([inner("a"), inner("b")]));
    await eventually(() => expect(ran).toEqual(["make", "a", "b"]));
    await client.pauseTaskflow("b");
    await client.pauseTaskflow(taskflowId);
    const statusOf = async (id: string): Promise<string> => (await client.getTaskflowDetails(id)).status;
    await eventually(async () => expect(await statusOf("a")).toBe("PAUSED"));
    open();
    await client.resumeTaskflow(taskflowId);
    expect((await client.waitForTaskflow("a")).status).toBe("COMPLETED");
    expect([await statusOf("b"), ran.includes("b-last")]).toEqual(["PAUSED", false]);
    await client.resumeTaskflow("b");
    expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
  });

  test("delete: a root goes with all that is nested below it; one of a tree that is still at work is refused", async () => {
    const { client, open, ran } = await startSite();
    const { taskflowId } = await client.produce(making([flow(["work"], { taskflowId: "done" }), making([flow(["wait"])])]));
    await eventually(() => expect(ran).toContain("wait"));
    await client.waitForTaskflow("done");
    expect((await rejection(client.deleteTaskflow("done"))).type).toBe("TASKFLOW_NOT_FINISHED");
    expect((await rejection(client.deleteTaskflow(taskflowId))).type).toBe("TASKFLOW_NOT_FINISHED");
    open();
    await client.waitForTaskflow(taskflowId);
    await client.deleteTaskflow(taskflowId);
    expect((await client.listTaskflows()).rows).toEqual([]);
  });
});

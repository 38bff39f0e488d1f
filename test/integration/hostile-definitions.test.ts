import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Problem } from "../../lib/validation/index.ts";
import { aStage, aTask, aTaskflow, nested, withTask } from "../helpers/definitions.ts";
import { type LocalNode, rejection, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";

let node: LocalNode;

beforeAll(async () => {
  node = await startLocalNode({ services: [{ name: "greeter", actions: { hello: () => "hello" } }] });
});
afterAll(stopLocalNodes);

const stored = async (): Promise<number> =>
  Object.values((await node.client.listTaskflows({ pageSize: 1 })).counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);

const T = "/stages/0/tasks/0";
const own = (json: string): unknown => JSON.parse(json);

describe("what is wrong with a definition", () => {
  const table: [string, unknown, string[]][] = [
    ["no stages", {}, ["/stages"]],
    ["stages that are none", { stages: "x" }, ["/stages"]],
    ["an empty list of stages", { stages: [] }, ["/stages"]],
    ["nothing", null, [""]],
    ["a text", "flow", [""]],
    ["a list", [], [""]],
    ["a stage without tasks", { stages: [{ name: "s", tasks: [] }] }, ["/stages/0/tasks"]],
    ["two stages of one name", { stages: [aStage(), aStage()] }, ["/stages/1/name"]],
    ["two tasks of one name", { stages: [aStage({ tasks: [aTask(), aTask()] })] }, ["/stages/0/tasks/1/name"]],
    ["an unknown type", withTask({ type: "ACTOIN" }), [`${T}/type`]],
    ["a type of a later version", withTask({ type: "WAIT" }), [`${T}/type`]],
    ["no action", withTask({ taskDetails: { serviceId: "greeter" } }), [`${T}/taskDetails/actionName`]],
    [
      "negative options",
      withTask({ options: { maxRetries: -2, timeout: -1, retryDelay: -5 } }),
      ["maxRetries", "timeout", "retryDelay"].map((o) => `${T}/options/${o}`),
    ],
    [
      "absurd options",
      withTask({ options: { maxRetries: 1e300, timeout: "1e9 years", maxConcurrency: 0 } }),
      ["maxRetries", "timeout", "maxConcurrency"].map((o) => `${T}/options/${o}`),
    ],
    ["a timeout of 0", withTask({ options: { timeout: 0 } }), [`${T}/options/timeout`]],
    [
      "NaN, Infinity and fractions",
      withTask({ options: { maxRetries: Number.NaN, timeout: Number.POSITIVE_INFINITY, retryDelay: 0.5 } }),
      ["maxRetries", "timeout", "retryDelay"].map((o) => `${T}/options/${o}`),
    ],
    ["params that are no object", withTask({ params: [1] }), [`${T}/params`]],
    ["10 MB of params", withTask({ params: { big: "x".repeat(10_000_000) } }), [`${T}/params`]],
    ["params of 65 levels", withTask({ params: nested(65) }), [`${T}/params`]],
    ["meta of 65 levels", withTask({ meta: nested(65) }), [`${T}/meta`]],
    ["context of 65 levels", aTaskflow({ context: nested(65) }), ["/context"]],
    [
      "an action of the node itself",
      withTask({ taskDetails: { serviceId: "$node", actionName: "options" } }),
      [`${T}/taskDetails`],
    ],
    [
      "an action of the engine itself",
      withTask({ taskDetails: { serviceId: "taskflow", actionName: "deleteTaskflow" } }),
      [`${T}/taskDetails`],
    ],
    [
      "line breaks in an action",
      withTask({ taskDetails: { serviceId: "greeter\r\nPUB x 1\r\n", actionName: "hello" } }),
      [`${T}/taskDetails/serviceId`],
    ],
    [
      "wildcards in an action",
      withTask({ taskDetails: { serviceId: "*", actionName: ">" } }),
      [`${T}/taskDetails/serviceId`, `${T}/taskDetails/actionName`],
    ],
    ["control characters in a name", withTask({ name: "a\r\nb" }), [`${T}/name`]],
    ["__proto__ as a name", withTask({ name: "__proto__" }), [`${T}/name`]],
    ["__proto__ as a key of meta, which is merged", withTask({ meta: own('{"__proto__":{"a":1}}') }), [`${T}/meta`]],
    ["an empty name", withTask({ name: "" }), [`${T}/name`]],
    ["a long name", withTask({ name: "n".repeat(257) }), [`${T}/name`]],
    ["an unknown property", aTaskflow({ stagse: [] }), ["/stagse"]],
    ["a later version's property", withTask({ needs: ["x"] }), [`${T}/needs`]],
  ];
  test.each(table)("is refused with its place, and nothing is stored: %s", async (_, params, paths) => {
    const before = await stored();
    const error = await rejection(node.broker.call("taskflow.produce", params));
    expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", code: 422 });
    const found = (error.data as Problem[]).map((problem) => problem.path);
    for (const path of paths) expect(found.some((each) => each === path || each.startsWith(`${path}/`))).toBe(true);
    expect(await stored()).toBe(before);
  });

  test.each([
    "",
    "a b",
    "a.b",
    "*",
    ">",
    "a\r\nb",
    "../x",
    "__proto__/x",
    "ä",
    "x".repeat(129),
    5,
    null,
    {},
    ["a"],
    { $ne: null },
  ])("is refused for the id %j by every action that takes one", async (taskflowId) => {
    const before = await stored();
    const produced = await rejection(node.broker.call("taskflow.produce", aTaskflow({ taskflowId })));
    expect(produced).toMatchObject({
      type: "TASKFLOW_VALIDATION_ERROR",
      data: [expect.objectContaining({ path: "/taskflowId" })],
    });
    for (const action of ["getTaskflowDetails", "listTasks", "waitForTaskflow", "deleteTaskflow", "getEvents"]) {
      const error = await rejection(node.broker.call(`taskflow.${action}`, { taskflowId }));
      expect(error).toMatchObject({
        type: "TASKFLOW_VALIDATION_ERROR",
        data: [expect.objectContaining({ path: "/taskflowId" })],
      });
    }
    expect(await stored()).toBe(before);
  });

  test("100,001 tasks are refused quickly, and 10,001 stages", async () => {
    const tasks = Array.from({ length: 100_001 }, (_, index) => aTask({ name: `t${index}` }));
    const error = await rejection(node.broker.call("taskflow.produce", { stages: [aStage({ tasks })] }));
    expect((error.data as Problem[])[0]).toMatchObject({ limit: 100_000 });
    const stages = Array.from({ length: 10_001 }, (_, index) => aStage({ name: `s${index}` }));
    const other = await rejection(node.broker.call("taskflow.produce", { stages }));
    expect((other.data as Problem[])[0]).toMatchObject({ path: "/stages", limit: 10_000 });
    expect(await stored()).toBe(0);
  });

  test("everything that is wrong is told at once", async () => {
    const bad = {
      name: "",
      tags: [1],
      stages: [
        { name: "s", tasks: [{ name: "t", type: "X" }] },
        { name: "s", tasks: [] },
      ],
      extra: 1,
    };
    const { data } = await rejection(node.broker.call("taskflow.produce", bad));
    const paths = (data as Problem[]).map((problem) => problem.path);
    for (const path of ["/name", "/tags/0", "/extra", `${T}/type`, `${T}/taskDetails`, "/stages/1/tasks", "/stages/1/name"]) {
      expect(paths).toContain(path);
    }
    for (const { message } of data as Problem[]) expect(message.length).toBeLessThan(400);
  });

  test("what JavaScript itself cannot write down is refused, and the process lives", async () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    for (const params of [cycle, { big: 1n }]) {
      expect(await rejection(node.broker.call("taskflow.produce", withTask({ params })))).toMatchObject({
        type: "TASKFLOW_VALIDATION_ERROR",
      });
    }
    for (const meta of [{ cycle }, { big: 1n }]) {
      expect(await rejection(node.broker.call("taskflow.produce", aTaskflow(), { meta }))).toMatchObject({
        type: "TASKFLOW_VALIDATION_ERROR",
      });
    }
    expect(await node.client.health()).toMatchObject({ ready: true });
    expect(await stored()).toBe(0);
  });
});

describe("what is at the edge", () => {
  test("64 levels, long names, keys that look like JavaScript's own: taken, kept and given back as they are", async () => {
    const params = { deep: nested(63), odd: own('{"__proto__":{"polluted":1},"constructor":{"prototype":{}},"a.b":1,"$gt":""}') };
    const meta = own('{"constructor":{"prototype":1},"x":{"__proto__":{"polluted":1}}}');
    const flow = withTask({ params, meta, name: "n".repeat(256) });
    const { taskflowId } = await node.client.produce({
      ...flow,
      taskflowId: "constructor",
      context: own('{"__proto__":1}'),
    } as never);
    const tree = await node.client.waitForTaskflow(taskflowId);
    expect(tree.status).toBe("COMPLETED");
    const task = Object.values(Object.values(tree.stages)[0]?.tasks ?? {})[0];
    expect(JSON.stringify(task?.params)).toBe(JSON.stringify(params));
    expect(JSON.stringify(task?.meta)).toBe(JSON.stringify(meta));
    expect(JSON.stringify(tree.context)).toBe('{"__proto__":1}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

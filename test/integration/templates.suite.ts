/** Params with templates, on a store: what handlers receive, and what is kept of it. */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import {
  PermanentError,
  type StageDefinition,
  type TaskDetails,
  type TaskflowDetails,
  type TaskflowEvent,
} from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";

afterEach(stopLocalNodes);

type Task = StageDefinition["tasks"][number];

const calls = (name: string, action: string, params: Record<string, unknown>, more: object = {}): Task => ({
  name,
  type: "ACTION",
  taskDetails: { serviceId: "svc", actionName: action },
  params,
  ...more,
});
const transforms = (name: string, value: unknown): Task => ({ name, type: "TRANSFORM", taskDetails: { value } });
const stage = (name: string, ...tasks: Task[]): StageDefinition => ({ name, tasks });

/** Remembers what it receives. */
function service(received: unknown[], failures = { left: 0 }): ServiceSchema {
  return {
    name: "svc",
    actions: {
      create: () => ({ id: "g-1", devices: [{ id: 7, on: true }, { id: 9 }], text: "${context.secret}" }),
      gone() {
        throw new PermanentError("It is gone.");
      },
      echo(ctx: Context) {
        received.push(ctx.params);
        if (failures.left-- > 0) throw new Error("Not yet.");
        return ctx.params;
      },
    },
  };
}

function taskOf(tree: TaskflowDetails, name: string): TaskDetails {
  const task = Object.values(tree.stages)
    .flatMap(({ tasks }) => Object.values(tasks))
    .find((one) => one.name === name);
  if (!task) throw new Error(`There is no task ${name}.`);
  return task;
}

async function run(node: LocalNode, context: Record<string, unknown>, ...stages: StageDefinition[]): Promise<TaskflowDetails> {
  const { taskflowId } = await node.client.produce({ context, stages });
  return node.client.waitForTaskflow(taskflowId);
}

const create = stage("create", calls("group", "create", {}), calls("other", "echo", { n: 1 }));
const RESPONSE = "stages.create.tasks.group.response";

/** @param newUrl of a store of its own */
export function describeTemplates(storeName: string, newUrl: () => string): void {
  describe(`templates, stored in ${storeName}`, () => {
    test("become the values of the context and of any stage before, with their types", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const params = {
        id: `\${${RESPONSE}.id}`,
        device: `\${${RESPONSE}.devices[0]}`,
        none: `\${${RESPONSE}.owner}`,
        ids: `\${${RESPONSE}.devices.id}`,
        count: `\${$count(${RESPONSE}.devices)}`,
        label: `group \${${RESPONSE}.id} of \${context.site.name}`,
        status: "${stages.create.tasks.other.status}",
        literal: "costs $5",
        inner: { list: ["${context.site}", 1] },
      };
      const filled = {
        id: "g-1",
        device: { id: 7, on: true },
        ids: [7, 9],
        count: 2,
        label: "group g-1 of home",
        status: "SUCCESS",
        literal: "costs $5",
        inner: { list: [{ name: "home" }, 1] },
      };
      const tree = await run(
        node,
        { site: { name: "home" } },
        create,
        stage("between", calls("pause", "echo", {})),
        stage("use", calls("it", "echo", params)),
      );
      expect(tree.status).toBe("COMPLETED");
      expect(received.at(-1)).toEqual(filled);
      expect(taskOf(tree, "it")).toMatchObject({ params, resolvedParams: filled, response: filled });
      expect(taskOf(tree, "pause")).not.toHaveProperty("resolvedParams");
    });

    test("are filled in once: values that look like templates stay as they are, in a compensation too", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const compensate = { taskDetails: { serviceId: "svc", actionName: "echo" }, params: { text: "${params.text}" } };
      const tree = await run(
        node,
        { secret: "s3cret" },
        create,
        stage("use", calls("it", "echo", { text: `\${${RESPONSE}.text}` }, { compensate })),
        stage("end", calls("bad", "gone", {}, { options: { onFailure: "compensate" } })),
      );
      expect(tree.status).toBe("FAILED");
      const given = { text: "${context.secret}" };
      await eventually(() => expect(received).toEqual([{ n: 1 }, given, given]));
    });

    test("stay the same in every attempt of a run, after a restart too", async () => {
      const store = newUrl();
      const before: unknown[] = [];
      const node = await startLocalNode({ services: [service(before, { left: 1 })], taskflow: { store } });
      const { taskflowId } = await node.client.produce({
        options: { maxRetries: 1, retryDelay: 1_000 },
        stages: [stage("use", calls("it", "echo", { at: "${$millis()}", random: "${$random()}" }))],
      });
      await eventually(() => expect(before).toHaveLength(1));
      await node.stop();
      const after: unknown[] = [];
      const again = await startLocalNode({ services: [service(after)], taskflow: { store } });
      const tree = await again.client.waitForTaskflow(taskflowId);
      expect(before).toEqual([{ at: expect.any(Number) as unknown, random: expect.any(Number) as unknown }]);
      expect(after).toEqual(before);
      expect(taskOf(tree, "it").resolvedParams).toEqual(before[0]);
    });

    test("are computed anew in a new run", async () => {
      const received: unknown[] = [];
      const failures = { left: 1 };
      const node = await startLocalNode({ services: [service(received, failures)], taskflow: { store: newUrl() } });
      const tree = await run(node, {}, stage("use", calls("it", "echo", { run: "${taskflow.retryAttempt}" })));
      expect(tree.status).toBe("FAILED");
      await node.client.retryTaskflow(tree.taskflowId);
      expect((await node.client.waitForTaskflow(tree.taskflowId)).status).toBe("COMPLETED");
      expect(received).toEqual([{ run: 0 }, { run: 1 }]);
    });

    test.each([
      ["a type error", "${1 + 'a'}", "EXPRESSION_ERROR"],
      ["an endless recursion", "${($f := function($x) { $f($x + 1) + 1 }; $f(1))}", "EXPRESSION_ERROR"],
      ["an endless loop", "${($f := function($x) { $f($x + 1) }; $f(1))}", "EXPRESSION_ERROR"],
      ["a gigabyte", "${$pad('x', 1000000000)}", "EXPRESSION_ERROR"],
      ["many gigabytes, piece by piece", "${[1..1000000].$pad('x', 100000)}", "EXPRESSION_ERROR"],
      ["more than params may have", "${$pad('x', 5000000)}", "EXPRESSION_ERROR"],
      ["a range of a million million", "${[1..1000000000000]}", "EXPRESSION_ERROR"],
    ])("fail their task for good with %s, and nothing is called", async (_name, text, type) => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const tree = await run(
        node,
        { a: 1 },
        stage(
          "use",
          calls("it", "echo", { text }, { options: { maxRetries: 5, retryDelay: 1 } }),
          calls("ok", "echo", { a: "${$string(context.a)}" }),
        ),
      );
      expect(taskOf(tree, "it")).toMatchObject({ status: "FAILED", attempts: [], error: { type } });
      expect(taskOf(tree, "ok")).toMatchObject({ status: "SUCCESS", response: { a: "1" } });
      expect(received).toEqual([{ a: "1" }]);
    });

    test.each([
      "${$lookup(context, 'constructor')}",
      "${context.constructor}",
      "${context.__proto__}",
      "${$eval('process')}",
      "${$eval('$$.constructor')}",
    ])("reach nothing but data: %s", async (text) => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const tree = await run(node, { a: 1 }, stage("use", calls("it", "echo", { text })));
      expect([received, taskOf(tree, "it").error?.type]).toEqual(
        received.length > 0 ? [[{}], undefined] : [[], "EXPRESSION_ERROR"],
      );
    });

    test("can be corrected by updateTask, and a retry goes on", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const tree = await run(node, { a: 1 }, stage("use", calls("it", "echo", { text: "${1 + context.b}", bad: "${1 + 'a'}" })));
      const { id } = taskOf(tree, "it");
      await node.client.updateTask(tree.taskflowId, id, { params: { text: "${1 + context.a}" } });
      await node.client.retryTaskflow(tree.taskflowId);
      expect(taskOf(await node.client.waitForTaskflow(tree.taskflowId), "it")).toMatchObject({
        status: "SUCCESS",
        response: { text: 2 },
      });
      const error = await rejection(node.client.updateTask(tree.taskflowId, id, { params: { text: "${1 +}" } }));
      expect(error).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", data: [{ path: "/params/text", keyword: "template" }] });
    });
  });

  describe(`conditions, stored in ${storeName}`, () => {
    const flow = (amount: number): [Record<string, unknown>, ...StageDefinition[]] => [
      { amount },
      create,
      {
        ...stage("approve", calls("ask", "echo", {}), calls("log", "echo", {})),
        when: `context.amount > 100 and ${RESPONSE}.id = 'g-1'`,
      },
      stage(
        "use",
        calls("always", "echo", { n: 1 }),
        { ...calls("small", "echo", { broken: "${1 + 'a'}" }), when: "context.amount < 0" },
        { ...calls("large", "echo", { n: 3 }), when: "context.amount >= 100" },
        { ...calls("absent", "echo", { n: 4 }), when: "context.none" },
      ),
      stage("last", calls("end", "echo", { before: "${previousStageRes}" })),
    ];

    test("skip stages and tasks, with the values that decided it", async () => {
      const received: unknown[] = [];
      const store = newUrl();
      const node = await startLocalNode({ services: [service(received)], taskflow: { store } });
      const before = await run(node, ...flow(100));
      expect(before).toMatchObject({ status: "COMPLETED", progress: 100 });
      await node.stop();
      const again = await startLocalNode({ services: [service([])], taskflow: { store } });
      const tree = await again.client.getTaskflowDetails(before.taskflowId);
      expect(tree).toEqual(before);
      const [, approve, use] = Object.values(tree.stages);
      expect(approve).toMatchObject({
        status: "SKIPPED",
        startedAt: null,
        whenValues: { "context.amount": 100, [`${RESPONSE}.id`]: "g-1" },
      });
      expect(Object.values(approve?.tasks ?? {}).map(({ status }) => status)).toEqual(["SKIPPED", "SKIPPED"]);
      expect(use?.status).toBe("COMPLETED");
      expect(taskOf(tree, "small")).toMatchObject({
        status: "SKIPPED",
        when: "context.amount < 0",
        whenValues: { "context.amount": 100 },
        attempts: [],
        response: null,
      });
      expect(taskOf(tree, "absent")).toMatchObject({ status: "SKIPPED", whenValues: {} });
      expect(taskOf(tree, "large")).toMatchObject({ status: "SUCCESS", response: { n: 3 } });
      expect(taskOf(tree, "large")).not.toHaveProperty("whenValues");
      expect(taskOf(tree, "end").response).toMatchObject({
        before: [
          { taskName: "always", response: { n: 1 }, status: "SUCCESS" },
          { taskName: "small", response: null, status: "SKIPPED" },
          { taskName: "large", response: { n: 3 } },
          { taskName: "absent", response: null },
        ],
      });
    });

    test("that hold change nothing, and a skipped stage is passed over in previousStageRes", async () => {
      const node = await startLocalNode({ services: [service([])], taskflow: { store: newUrl() } });
      const tree = await run(node, ...flow(101));
      expect(Object.values(tree.stages).map(({ status }) => status)).toEqual(Array(4).fill("COMPLETED"));
      const skipped = await run(
        node,
        {},
        create,
        { ...stage("never", calls("a", "echo", {})), when: "false" },
        stage("last", calls("end", "echo", { names: "${previousStageRes.taskName}" })),
      );
      expect(taskOf(skipped, "end").response).toEqual({ names: ["group", "other"] });
    });

    test("of all stages that are false leave a taskflow COMPLETED", async () => {
      const node = await startLocalNode({ services: [service([])], taskflow: { store: newUrl() } });
      const tree = await run(
        node,
        {},
        { ...stage("a", calls("t", "echo", {})), when: "false" },
        { ...stage("b", calls("t", "echo", {})), when: "0" },
      );
      expect([tree.status, tree.progress]).toEqual(["COMPLETED", 100]);
    });

    test("are computed anew in a new run", async () => {
      const node = await startLocalNode({ services: [service([])], taskflow: { store: newUrl() } });
      const tree = await run(
        node,
        {},
        { ...stage("second run", calls("a", "echo", {})), when: "taskflow.retryAttempt = 1" },
        stage("always", calls("b", "echo", {}), { ...calls("c", "echo", {}), when: "taskflow.retryAttempt = 1" }),
      );
      const statuses = (of: TaskflowDetails): unknown[] => [
        ...Object.values(of.stages).map(({ status }) => status),
        ...["a", "b", "c"].map((name) => taskOf(of, name).status),
      ];
      expect(statuses(tree)).toEqual(["SKIPPED", "COMPLETED", "SKIPPED", "SUCCESS", "SKIPPED"]);
      await node.client.retryTaskflow(tree.taskflowId);
      const again = await node.client.waitForTaskflow(tree.taskflowId);
      expect(statuses(again)).toEqual(["COMPLETED", "COMPLETED", "SUCCESS", "SUCCESS", "SUCCESS"]);
      expect(taskOf(again, "c")).not.toHaveProperty("whenValues");
    });

    test("that cannot be computed fail their task, or end the taskflow before the stage begins", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const tree = await run(node, {}, stage("s", { ...calls("a", "echo", {}), when: "1 + 'a'", options: { maxRetries: 3 } }));
      expect(taskOf(tree, "a")).toMatchObject({ status: "FAILED", attempts: [], error: { type: "EXPRESSION_ERROR" } });
      const ended = await run(
        node,
        {},
        create,
        { ...stage("s", calls("a", "echo", {})), when: "1 + 'a'" },
        stage("t", calls("b", "echo", {})),
      );
      expect(ended).toMatchObject({ status: "FAILED", error: { type: "EXPRESSION_ERROR" } });
      expect(Object.values(ended.stages).map(({ status }) => status)).toEqual(["COMPLETED", "FAILED", "WAITING"]);
      expect(received).toEqual([{ n: 1 }]);
      const retried = await node.client.retryTaskflow(ended.taskflowId, { mode: "failed" });
      expect(retried.retryAttempt).toBe(1);
      expect(await node.client.waitForTaskflow(ended.taskflowId)).toMatchObject({ status: "FAILED", retryAttempt: 1 });
    });
  });

  describe(`output, stored in ${storeName}`, () => {
    const produce = async (node: LocalNode, output: unknown, more: object = {}): Promise<string> =>
      (await node.client.produce({ context: { b: "x" }, output, stages: [create], ...more })).taskflowId;

    test("is computed at the end, and stands in the details and the last event", async () => {
      const store = newUrl();
      const node = await startLocalNode({ services: [service([])], taskflow: { store } });
      const taskflowId = await produce(node, {
        id: `\${${RESPONSE}.id}`,
        count: `\${$count(${RESPONSE}.devices)}`,
        none: "${context.none}",
      });
      const output = { id: "g-1", count: 2 };
      expect(await node.client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED", output });
      const { data } = await node.broker.call<{ data: { events: TaskflowEvent[] } }, unknown>("taskflow.getEvents", {
        taskflowId,
      });
      expect(data.events.at(-1)).toMatchObject({ eventType: "TASKFLOW", data: { taskflowStatus: "COMPLETED", output } });
      await node.stop();
      const again = await startLocalNode({ services: [service([])], taskflow: { store } });
      expect(await again.client.getTaskflowDetails(taskflowId)).toMatchObject({ output });
      const constant = await produce(again, [1, null]);
      expect((await again.client.waitForTaskflow(constant)).output).toEqual([1, null]);
      const absent = await produce(again, "${context.none}");
      expect((await again.client.waitForTaskflow(absent)).output).toBeNull();
    });

    test("that cannot be computed ends the taskflow FAILED, and a retry computes it anew", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const output = "${taskflow.retryAttempt = 0 ? 1 + context.b : 'done'}";
      const taskflowId = await produce(node, output, { options: { exactlyOnceTaskExecution: true } });
      const tree = await node.client.waitForTaskflow(taskflowId);
      expect(tree).toMatchObject({ status: "FAILED", error: { type: "EXPRESSION_ERROR" } });
      expect(tree).not.toHaveProperty("output");
      expect(taskOf(tree, "group").status).toBe("SUCCESS");
      expect(await node.client.retryTaskflow(taskflowId, { dryRun: true })).toMatchObject({ retried: [], retryAttempt: 1 });
      expect(await node.client.retryTaskflow(taskflowId)).toMatchObject({ retried: [], retryAttempt: 1 });
      expect(await node.client.waitForTaskflow(taskflowId)).toMatchObject({
        status: "COMPLETED",
        output: "done",
        retryAttempt: 1,
      });
      expect(received).toHaveLength(1);
    });
  });

  describe(`TRANSFORM, stored in ${storeName}`, () => {
    test("answers its value with templates filled in, and calls nothing", async () => {
      const received: unknown[] = [];
      const node = await startLocalNode({ services: [service(received)], taskflow: { store: newUrl() } });
      const tree = await run(
        node,
        { factor: 2 },
        create,
        stage(
          "shape",
          transforms("devices", `\${${RESPONSE}.devices.{"device": id, "double": id * $$.context.factor}}`),
          transforms("plain", { id: `\${${RESPONSE}.id}`, none: "${context.none}" }),
          transforms("nothing", "${context.none}"),
          transforms("constant", [1, "a"]),
        ),
        stage("use", calls("it", "echo", { devices: "${stages.shape.tasks.devices.response}" })),
      );
      expect(tree.status).toBe("COMPLETED");
      const responses = ["devices", "plain", "nothing", "constant", "it"].map((name) => taskOf(tree, name).response);
      const devices = [
        { device: 7, double: 14 },
        { device: 9, double: 18 },
      ];
      expect(responses).toEqual([devices, { id: "g-1" }, null, [1, "a"], { devices }]);
      expect(taskOf(tree, "plain").taskDetails).toEqual({ value: { id: `\${${RESPONSE}.id}`, none: "${context.none}" } });
    });
  });
}

/** Params with templates, on a store: what handlers receive, and what is kept of it. */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { PermanentError, type StageDefinition, type TaskDetails, type TaskflowDetails } from "../../lib/index.ts";
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

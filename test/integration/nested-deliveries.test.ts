/**
 * Nested taskflows of attempts that were delivered twice, answered late, or were cancelled:
 * whichever delivery's answer counts, the taskflows of its handler are joined and none of them is
 * lost.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import type { StageDefinition, Taskflow, TaskflowExecutionContext, TaskflowServiceOptions } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { startProxy } from "../helpers/tcp-proxy.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

type Meta = { taskflowExecutionContext: TaskflowExecutionContext };

/** Gates that handlers wait at, and the gates that they have reached. */
class Gates {
  static #all: Gates[] = [];
  readonly reached: string[] = [];
  readonly #open = new Set<string>();
  #isOver = false;

  constructor() {
    Gates.#all.push(this);
  }

  /** Lets every handler go. */
  static openAll(): void {
    for (const gates of Gates.#all.splice(0)) gates.#isOver = true;
  }

  open(...gates: string[]): void {
    for (const gate of gates) this.#open.add(gate);
  }

  async pass(gate: string): Promise<void> {
    this.reached.push(gate);
    while (!this.#open.has(gate) && !this.#isOver) await delay(5);
  }
}

const task = (name: string, more: object = {}): StageDefinition["tasks"][number] => ({
  name,
  type: "ACTION",
  taskDetails: { serviceId: "svc", actionName: name },
  ...more,
});

const parentFlow = (options: object = {}): Taskflow => ({
  options,
  stages: [
    { name: "first", tasks: [task("make")] },
    { name: "second", tasks: [task("last")] },
  ],
});

/**
 * `make` produces a child in each delivery, between two gates that name the delivery; the child's
 * task waits at one.
 */
function service(gates: Gates, produced: Map<string, string>, mixins: ServiceSchema["mixins"] = []): ServiceSchema {
  return {
    name: "svc",
    mixins: mixins ?? [],
    actions: {
      async make(ctx: Context<unknown, Meta>) {
        const { delivery, taskInfo } = ctx.meta.taskflowExecutionContext.taskflow;
        const run = `${taskInfo.attempt}.${delivery}`;
        await gates.pass(`begin ${run}`);
        const child = { name: run, stages: [{ name: "only", tasks: [task("work", { params: { run } })] }] };
        const { data } = await ctx.call<{ data: { taskflowId: string } }, object>("taskflow.produce", child);
        produced.set(run, data.taskflowId);
        await gates.pass(`end ${run}`);
        return run;
      },
      work: (ctx: Context<{ run: string }>) => gates.pass(`child ${ctx.params.run}`).then(() => ctx.params.run),
      last: () => gates.reached.push("last"),
    },
  };
}

afterEach(async () => {
  Gates.openAll();
  await stopLocalNodes();
  await stopNodes();
});

describe("over NATS", () => {
  let nats: NatsServer;
  beforeAll(async () => void (nats = await startNatsServer()));
  afterAll(() => nats.stop());

  async function startSite(
    worker: { readonly isPlain: boolean; readonly url?: string },
    taskflow: TaskflowServiceOptions = {},
  ): Promise<{ client: TaskflowClient; gates: Gates; produced: Map<string, string>; restart: () => Promise<void> }> {
    const namespace = uniqueNamespace();
    const gates = new Gates();
    const produced = new Map<string, string>();
    const store = `sqlite:${join(tempFolder(), "flow.db")}`;
    const settings = { namespace, heartbeatInterval: 1, heartbeatTimeout: 3 };
    const startCoordinator = (): ReturnType<typeof createNode> =>
      createNode(new NatsTransporter({ url: nats.url }), {
        ...settings,
        nodeID: "coordinator",
        services: [TaskflowService({ store, shutdownGrace: 10, lease: 2_000, ...taskflow })],
      });
    let coordinator = startCoordinator();
    const mixins = worker.isPlain ? [] : [TaskflowWorker({ ledger: `sqlite:${join(tempFolder(), "ledger.db")}` })];
    const url = worker.url ?? nats.url;
    const { broker } = createNode(worker.isPlain ? url : new NatsTransporter({ url }), {
      ...settings,
      nodeID: "worker",
      services: [service(gates, produced, mixins)],
    });
    const observer = createNode(new NatsTransporter({ url: nats.url }), { ...settings, nodeID: "observer" });
    for (const node of [coordinator.broker, broker, observer.broker]) await node.start();
    await coordinator.broker.waitForServices("svc", 20_000, 20);
    await observer.broker.waitForServices("taskflow", 20_000, 20);
    return {
      client: new TaskflowClient(observer.broker),
      gates,
      produced,
      restart: async () => {
        await coordinator.broker.stop();
        coordinator = startCoordinator();
        await coordinator.broker.start();
      },
    };
  }

  test("a plain worker's first delivery answers after a second one began, as NATS was away: its own child is joined, and the other's cancelled", async () => {
    const { client, gates, produced } = await startSite({ isPlain: true });
    gates.open("begin 0.1");
    const { taskflowId } = await client.produce(parentFlow());
    await eventually(() => expect(gates.reached).toContain("child 0.1"), { timeoutMs: 10_000 });
    await nats.kill("SIGKILL");
    await delay(300);
    await nats.restart();
    gates.open("begin 0.2");
    await eventually(() => expect(gates.reached).toContain("end 0.2"), { timeoutMs: 20_000 });
    gates.open("end 0.1");
    await delay(500);
    expect(gates.reached).not.toContain("last");
    const states = async (): Promise<unknown[]> =>
      Promise.all(["0.1", "0.2"].map(async (run) => (await client.getTaskflowDetails(produced.get(run) ?? "")).status));
    await eventually(async () => expect(await states()).toEqual(["RUNNING", "CANCELLED"]), { timeoutMs: 10_000 });
    gates.open("child 0.1");
    const tree = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
    expect(tree.status).toBe("COMPLETED");
    expect(await states()).toEqual(["COMPLETED", "CANCELLED"]);
    expect(Object.values(Object.values(tree.stages)[0]?.tasks ?? {})[0]).toMatchObject({
      response: "0.1",
      attempts: [{ attempt: 0, deliveries: 2 }],
    });
    gates.open("end 0.2", "child 0.2");
  }, 60_000);

  test("a worker with the mixin is silent beyond the patience of a new coordinator: the repeated delivery joins the first one's child", async () => {
    const proxy = await startProxy(nats.port);
    try {
      const { client, gates, produced, restart } = await startSite({ isPlain: false, url: `nats://127.0.0.1:${proxy.port}` });
      gates.open("begin 0.1");
      const { taskflowId } = await client.produce(parentFlow());
      await eventually(() => expect(gates.reached).toContain("child 0.1"), { timeoutMs: 10_000 });
      proxy.cut();
      await restart();
      await delay(4_000);
      proxy.restore();
      const deliveries = async (): Promise<number | undefined> => {
        const { stages } = await client.getTaskflowDetails(taskflowId);
        return Object.values(Object.values(stages)[0]?.tasks ?? {})[0]?.attempts[0]?.deliveries;
      };
      await eventually(async () => expect(await deliveries()).toBe(2), { timeoutMs: 20_000 });
      gates.open("end 0.1");
      await delay(500);
      expect(gates.reached).not.toContain("last");
      gates.open("child 0.1");
      const tree = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
      expect(tree.status).toBe("COMPLETED");
      expect((await client.getTaskflowDetails(produced.get("0.1") ?? "")).status).toBe("COMPLETED");
      // One handler ran for both deliveries.
      expect(gates.reached.filter((gate) => gate.startsWith("begin"))).toEqual(["begin 0.1"]);
    } finally {
      await proxy.close();
    }
  }, 60_000);
});

describe("in one process", () => {
  const start = (gates: Gates, produced: Map<string, string>, taskflow: TaskflowServiceOptions = {}): Promise<LocalNode> =>
    startLocalNode({ services: [service(gates, produced, [TaskflowWorker()])], taskflow });

  test("a success within the retry delay waits for the child that its handler produced", async () => {
    const gates = new Gates();
    const produced = new Map<string, string>();
    const node = await start(gates, produced);
    gates.open("begin 0.1");
    const { taskflowId } = await node.client.produce(parentFlow({ timeout: 200, maxRetries: 1, retryDelay: 2_000 }));
    const details = async (): Promise<unknown> =>
      Object.values(Object.values((await node.client.getTaskflowDetails(taskflowId)).stages)[0]?.tasks ?? {})[0];
    await eventually(async () => expect(await details()).toMatchObject({ statusReason: "RETRY_DELAY" }));
    gates.open("end 0.1");
    await eventually(async () => expect(await details()).toMatchObject({ status: "RUNNING", statusReason: "AWAITING_NESTED" }));
    await delay(2_500);
    expect(gates.reached.toSorted()).toEqual(["begin 0.1", "child 0.1", "end 0.1"]);
    gates.open("child 0.1");
    expect((await node.client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
    expect(gates.reached.toSorted()).toEqual(["begin 0.1", "child 0.1", "end 0.1", "last"]);
  }, 20_000);

  test("as many handlers as may be in flight wait for their own children", async () => {
    const names = Array.from({ length: 4 }, (_, index) => `t${index}`);
    const waits: ServiceSchema = {
      name: "svc",
      actions: {
        async make(ctx: Context) {
          const child = { stages: [{ name: "only", tasks: [task("work")] }] };
          const { data } = await ctx.call<{ data: { taskflowId: string } }, object>("taskflow.produce", child);
          const ended = await ctx.call<{ data: { status: string } }, object>("taskflow.waitForTaskflow", {
            taskflowId: data.taskflowId,
          });
          return ended.data.status;
        },
        work: () => "done",
      },
    };
    const node = await startLocalNode({ services: [waits], taskflow: { maxInFlight: names.length } });
    const tasks = names.map((name) => ({ ...task("make"), name }));
    const { taskflowId } = await node.client.produce({ options: { timeout: 10_000 }, stages: [{ name: "all", tasks }] });
    const tree = await node.client.waitForTaskflow(taskflowId, { timeout: 15_000 });
    expect(tree.status).toBe("COMPLETED");
    const responses = Object.values(Object.values(tree.stages)[0]?.tasks ?? {}).map(({ response }) => response);
    expect(responses).toEqual(names.map(() => "COMPLETED"));
  }, 20_000);

  test("a handler whose taskflow has left memory is told at once that its attempt does not run any more", async () => {
    const gates = new Gates();
    const failures: unknown[] = [];
    const late: ServiceSchema = {
      name: "svc",
      actions: {
        async make(ctx: Context) {
          await gates.pass("make");
          const from = performance.now();
          failures.push(await rejection(ctx.call("taskflow.produce", { stages: [{ name: "only", tasks: [task("work")] }] })));
          failures.push(performance.now() - from < 5_000);
        },
        work: () => "done",
      },
    };
    const node = await startLocalNode({ services: [late], taskflow: { parkAfter: 1_000 } });
    await node.client.produce({ ...parentFlow({ timeout: 100, maxRetries: 1, retryDelay: 60_000 }) });
    await eventually(async () => {
      const { data } = await node.broker.call<{ data: { owned: number } }, unknown>("taskflow.health", {});
      expect(data.owned).toBe(0);
    });
    gates.open("make");
    await eventually(() => expect(failures).toEqual([expect.objectContaining({ type: "PARENT_TASK_NOT_RUNNING" }), true]), {
      timeoutMs: 10_000,
    });
  }, 20_000);

  test("30,000 calls of produce with one id in one turn store one taskflow", async () => {
    const node = await startLocalNode({ services: [{ name: "svc", actions: { work: () => "done" } }] });
    const definition = { taskflowId: "one", stages: [{ name: "only", tasks: [task("work")] }] };
    const answers = await Promise.all(Array.from({ length: 30_000 }, () => node.client.produce(definition)));
    expect(answers.filter(({ existing }) => existing !== true)).toHaveLength(1);
    expect((await node.client.waitForTaskflow("one")).status).toBe("COMPLETED");
  }, 60_000);
});

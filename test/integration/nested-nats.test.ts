/**
 * Nested taskflows and compensation over NATS, with coordinators in processes of their own that
 * are killed in the middle.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context, ServiceBroker, ServiceSchema } from "moleculer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NatsTransporter, TaskflowClient, TaskflowWorker } from "../../lib/index.ts";
import type { Taskflow, TaskDetails, TaskflowDetails, TaskflowExecutionContext } from "../../lib/index.ts";
import { Cluster } from "../chaos/cluster.ts";
import { eventually } from "../helpers/eventually.ts";
import { stageOf } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { startReadyProcess } from "../helpers/processes.ts";
import { Supervised } from "../helpers/supervised.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

const LEASE_MS = 2_000;
const WAIT_MS = 60_000;

type Meta = { taskflowExecutionContext: TaskflowExecutionContext };
interface Params {
  readonly make?: readonly Taskflow[];
}

/** A node with a worker whose ledger is a file, and what its handlers did. */
interface WorkerSite {
  readonly broker: ServiceBroker;
  readonly client: TaskflowClient;
  /** Names of the tasks whose handlers ran, in order. */
  readonly ran: string[];
  readonly contexts: TaskflowExecutionContext[];
  /** Handlers of these tasks wait until they are let go. */
  readonly held: Set<string>;
  letGo(name: string): void;
}

let close: (() => Promise<void>)[] = [];
afterEach(async () => {
  await stopNodes();
  for (const each of close.splice(0).toReversed()) await each();
  close = [];
});

async function startWorker(url: string, namespace: string): Promise<WorkerSite> {
  const ran: string[] = [];
  const contexts: TaskflowExecutionContext[] = [];
  const held = new Set<string>();
  const begin = async (ctx: Context<unknown, Meta>): Promise<string> => {
    const context = ctx.meta.taskflowExecutionContext;
    const { name } = context.taskflow.taskInfo;
    ran.push(name);
    contexts.push(context);
    if (held.has(name)) await eventually(() => expect(held.has(name)).toBe(false), { timeoutMs: WAIT_MS });
    return name;
  };
  const actions: Record<string, (ctx: Context<Params, Meta>) => unknown> = {
    async make(ctx) {
      for (const made of ctx.params.make ?? []) await ctx.call("taskflow.produce", made);
      return begin(ctx);
    },
    work: begin,
    async fail(ctx) {
      throw new Error(await begin(ctx));
    },
  };
  const mixins = [TaskflowWorker({ ledger: `sqlite:${join(tempFolder(), "ledger.db")}` })];
  const services = [{ name: "svc", mixins, actions } as unknown as ServiceSchema];
  const settings = { namespace, nodeID: "worker", heartbeatInterval: 1, heartbeatTimeout: 4, services };
  const { broker } = createNode(new NatsTransporter({ url }), settings);
  await broker.start();
  await broker.waitForServices(["taskflow"], 20_000, 20);
  return { broker, client: new TaskflowClient(broker), ran, contexts, held, letGo: (name) => void held.delete(name) };
}

const making = (make: readonly Taskflow[], task: string, more: object = {}): Taskflow => ({
  stages: [stageOf("make", [`${task}:make`], { params: { make } })],
  ...more,
});

const tasksOf = (tree: TaskflowDetails): TaskDetails[] =>
  Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));
const nestedOf = (tree: TaskflowDetails): TaskflowDetails[] => tasksOf(tree).flatMap(({ nested = {} }) => Object.values(nested));

/**
 * Three levels, of which the deepest is at work: its second stage and the end of each level are
 * still to come.
 */
async function startTree(worker: WorkerSite): Promise<string> {
  worker.held.add("deep");
  const deepest = { stages: [stageOf("one", ["deep:work"]), stageOf("two", ["deeper:work"])] };
  const middle = making([deepest], "middle");
  const { taskflowId } = await worker.client.produce({
    taskflowId: "root",
    stages: [stageOf("make", ["top:make"], { params: { make: [middle] } }), stageOf("last", ["last:work"])],
  });
  await eventually(() => expect(worker.ran.toSorted()).toEqual(["deep", "middle", "top"]));
  return taskflowId;
}

async function expectWholeTree(worker: WorkerSite, taskflowId: string): Promise<void> {
  const tree = await worker.client.waitForTaskflow(taskflowId, { timeout: WAIT_MS });
  const [middle] = nestedOf(tree);
  const [deepest] = middle ? nestedOf(middle) : [];
  const trees = [tree, middle, deepest];
  expect(trees.map((each) => each?.status)).toEqual(["COMPLETED", "COMPLETED", "COMPLETED"]);
  expect(trees.map((each) => each?.rootId)).toEqual([taskflowId, taskflowId, taskflowId]);
  expect(deepest?.parentTaskflowDetails?.taskflowId).toBe(middle?.taskflowId);
  for (const task of tasksOf(tree)) expect(task.nestedActiveRunningTaskFlowIds).toEqual([]);
  expect(worker.ran.slice(-2)).toEqual(["deeper", "last"]);
  const above = (context: unknown): TaskflowExecutionContext =>
    (context as TaskflowExecutionContext).taskflow.taskInfo.meta["taskflowExecutionContext"] as TaskflowExecutionContext;
  const deeper = worker.contexts[worker.ran.indexOf("deeper")];
  expect(above(deeper).taskflow.id).toBe(middle?.taskflowId);
  expect(above(above(deeper)).taskflow.id).toBe(taskflowId);
}

describe("one coordinator on SQLite, killed and started again", () => {
  let nats: NatsServer;
  beforeAll(async () => void (nats = await startNatsServer()));
  afterAll(() => nats.stop());

  async function startSite(): Promise<WorkerSite & { coordinator: Supervised; namespace: string }> {
    const namespace = uniqueNamespace();
    const folder = tempFolder();
    const env = {
      NODE_ID: "coordinator",
      NAMESPACE: namespace,
      NATS_URL: nats.url,
      TASKFLOW_STORE: `sqlite:${join(folder, "flow.db")}`,
      TASKFLOW_LEASE: `${LEASE_MS}`,
    };
    const file = fileURLToPath(new URL("../../bin/start.ts", import.meta.url));
    const log = join(folder, "coordinator.log");
    const coordinator = new Supervised({ name: "coordinator", file, env, ready: "coordinator is ready", log });
    close.push(() => coordinator.close());
    await coordinator.start();
    return Object.assign(await startWorker(nats.url, namespace), { coordinator, namespace });
  }

  test("three levels of nested taskflows join, and their contexts and details are right", async () => {
    const site = await startSite();
    const taskflowId = await startTree(site);
    await site.coordinator.end("SIGKILL");
    site.letGo("deep");
    await site.coordinator.start();
    await expectWholeTree(site, taskflowId);
    expect(site.ran.toSorted()).toEqual(["deep", "deeper", "last", "middle", "top"]);
  }, 120_000);

  test("a failed payment undoes what was done in reverse, each once, though the coordinator dies in the middle", async () => {
    const site = await startSite();
    const compensate = { taskDetails: { serviceId: "svc", actionName: "work" }, params: { of: "${response}" } };
    const step = (name: string, action: string) => stageOf(name, [`${name}:${action}`], { compensate });
    site.held.add("shipping (compensation)");
    const { taskflowId } = await site.client.produce({
      options: { onFailure: "compensate" },
      stages: [step("stock", "work"), step("shipping", "work"), step("payment", "fail")],
    });
    await eventually(() => expect(site.ran).toContain("shipping (compensation)"));
    await site.coordinator.end("SIGKILL");
    site.letGo("shipping (compensation)");
    await site.coordinator.start();
    const tree = await site.client.waitForTaskflow(taskflowId, { timeout: WAIT_MS });
    expect([tree.status, tree.compensation]).toEqual(["FAILED", { status: "SUCCESS", attempts: 2 }]);
    expect(tasksOf(tree).map(({ name, compensation }) => [name, compensation?.status])).toEqual([
      ["stock", "SUCCESS"],
      ["shipping", "SUCCESS"],
      ["payment", undefined],
    ]);
    expect(site.ran).toEqual(["stock", "shipping", "payment", "shipping (compensation)", "stock (compensation)"]);
  }, 120_000);

  test("a worker that dies after it has produced is followed by another attempt, which goes on with what was produced", async () => {
    const site = await startSite();
    const folder = tempFolder();
    const go = join(folder, "go");
    const { namespace } = site;
    const settings = { nodeID: "producer", namespace, url: nats.url, runs: join(folder, "runs"), go };
    const start = () => startReadyProcess("test/integration/worker-process.ts", { env: { WORKER: JSON.stringify(settings) } });
    const first = await start();
    site.held.add("child");
    const make = { taskflowId: "mine", stages: [stageOf("s", ["child:work"])] };
    const options = { maxRetries: 1, retryDelay: 50 };
    const { taskflowId } = await site.client.produce({ stages: [stageOf("s", ["produce"], { params: { make }, options })] });
    await eventually(() => expect(site.ran).toEqual(["child"]));
    await first.child.end("SIGKILL");
    const second = await start();
    writeFileSync(go, "");
    await eventually(async () => expect((await site.client.getTask(taskflowId, "produce")).attempt).toBe(1), {
      timeoutMs: WAIT_MS,
    });
    site.letGo("child");
    const tree = await site.client.waitForTaskflow(taskflowId, { timeout: WAIT_MS });
    await second.child.end();
    const [task] = tasksOf(tree);
    expect([tree.status, task?.nestedTaskflows, site.ran]).toEqual(["COMPLETED", ["mine"], ["child"]]);
    expect(task?.attempts.map(({ error }) => error?.type)).toEqual(["WORKER_LOST", undefined]);
    expect(nestedOf(tree)).toMatchObject([{ status: "COMPLETED", retryAttempt: 0 }]);
  }, 120_000);

  test("a cancelled tree stays cancelled: what was not told to its children before the crash is told after it", async () => {
    const site = await startSite();
    const taskflowId = await startTree(site);
    await site.client.cancelTaskflow(taskflowId);
    await site.coordinator.end("SIGKILL");
    await site.coordinator.start();
    // Each level hears of it from the one above.
    await eventually(
      async () => {
        const tree = await site.client.getTaskflowDetails(taskflowId);
        const [middle] = nestedOf(tree);
        const [deepest] = middle ? nestedOf(middle) : [];
        expect([tree, middle, deepest].map((each) => each?.status)).toEqual(["CANCELLED", "CANCELLED", "CANCELLED"]);
      },
      { timeoutMs: WAIT_MS },
    );
    site.letGo("deep");
    await eventually(async () => expect((await site.client.health()).owned).toBe(0), { timeoutMs: WAIT_MS });
    expect(site.ran).not.toContain("deeper");
  }, 120_000);
});

describeOnMongo("two coordinators on MongoDB", (mongo) => {
  async function startSite(): Promise<WorkerSite & { cluster: Cluster }> {
    const namespace = uniqueNamespace();
    const settings = { folder: tempFolder(), namespace, mongo: mongo(), leaseMs: LEASE_MS, graceMs: 5_000 };
    const cluster = await Cluster.start({ ...settings, coordinators: 2, workers: 0 });
    close.push(() => cluster.close());
    return Object.assign(await startWorker(cluster.nats.url, namespace), { cluster });
  }

  test("whichever is asked to produce, a tree is its root's owner's; when that dies the other one goes on with all of it", async () => {
    const site = await startSite();
    const children = Array.from({ length: 6 }, (_, index) => ({ ...stageOf("s", [`child-${index}:work`]) }));
    const wide = making(
      children.map((stage) => ({ stages: [stage] })),
      "wide",
    );
    const first = await site.client.produce(wide);
    const flat = await site.client.waitForTaskflow(first.taskflowId, { timeout: WAIT_MS });
    expect(nestedOf(flat).map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => "COMPLETED"));
    site.ran.length = 0;
    site.contexts.length = 0;
    const taskflowId = await startTree(site);
    const owned = await Promise.all([ownedBy(site, 1), ownedBy(site, 2)]);
    expect(owned).toEqual(expect.arrayContaining([0, 3]));
    await site.cluster.coordinators[owned.indexOf(3)]?.end("SIGKILL");
    site.letGo("deep");
    await expectWholeTree(site, taskflowId);
  }, 120_000);

  test("pause and cancel reach the last level from whichever coordinator", async () => {
    const site = await startSite();
    const taskflowId = await startTree(site);
    await site.client.pauseTaskflow(taskflowId);
    await eventually(async () => {
      const tree = await site.client.getTaskflowDetails(taskflowId);
      const [middle] = nestedOf(tree);
      expect([tree, middle, middle && nestedOf(middle)[0]].map((each) => each?.status)).toEqual(["PAUSED", "PAUSED", "PAUSED"]);
    });
    site.letGo("deep");
    await site.client.cancelTaskflow(taskflowId);
    const tree = await site.client.waitForTaskflow(taskflowId, { timeout: WAIT_MS });
    expect(nestedOf(tree).map(({ status }) => status)).toEqual(["CANCELLED"]);
    expect(site.ran).not.toContain("deeper");
  }, 120_000);

  /** Unfinished taskflows in the care of a coordinator. */
  async function ownedBy({ broker }: WorkerSite, number: number): Promise<unknown> {
    return (await new TaskflowClient(broker, { nodeID: `coordinator-${number}` }).health())["owned"];
  }
});

/**
 * Orders that reach the owner of their taskflow by way of another coordinator, over NATS and on
 * one MongoDB.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { Cluster } from "../chaos/cluster.ts";
import { isTaskflowError, NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer, type NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes, type TestNode } from "../helpers/nodes.ts";
import { Recorder } from "../helpers/recorder.ts";
import { runs } from "../helpers/runs.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

/** Of each kind; four of them. */
const PAIRS = runs(50, 250);
/** Pairs at once. */
const WIDTH = 10;

/** The type of an error of the catalogue, or the answer. */
async function typeOrAnswer<CommandResult>(promise: Promise<CommandResult>): Promise<CommandResult | string> {
  try {
    return await promise;
  } catch (error) {
    if (!isTaskflowError(error)) throw error;
    return error.type;
  }
}

async function forEachPair(body: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < PAIRS) await body(next++);
  };
  await Promise.all(Array.from({ length: WIDTH }, lane));
}

describeOnMongo("two coordinators over NATS", (mongo) => {
  let nats: NatsServer;
  let worker: Recorder;
  let coordinators: readonly TestNode[];
  let caller: TestNode;
  /** Each asks one of the two. */
  let clients: readonly [TaskflowClient, TaskflowClient];

  beforeAll(async () => {
    nats = await startNatsServer({ config: "max_payload: 64KB" });
  });
  afterAll(() => nats.stop());
  beforeEach(async () => {
    const namespace = uniqueNamespace();
    const store = mongo().newUrl();
    worker = new Recorder();
    const node = (nodeID: string, services: ServiceSchema[]) =>
      createNode(new NatsTransporter({ url: nats.url }), { namespace, nodeID, services });
    coordinators = ["c1", "c2"].map((name) => node(name, [TaskflowService({ store, shutdownGrace: 100 })]));
    caller = node("caller", [worker.service]);
    await Promise.all([...coordinators, caller].map(({ broker }) => broker.start()));
    const seesAll = (): void =>
      expect(
        caller.broker.registry.actions
          .get("taskflow.produce")
          ?.endpoints.map(({ id }) => id)
          .toSorted(),
      ).toEqual(["c1", "c2"]);
    await eventually(seesAll);
    await Promise.all(coordinators.map(({ broker }) => broker.waitForServices(["svc", "taskflow"], 10_000, 20)));
    clients = [new TaskflowClient(caller.broker, { nodeID: "c1" }), new TaskflowClient(caller.broker, { nodeID: "c2" })];
  });
  afterEach(async () => {
    for (const action of ["a", "b"]) worker.letGo(action);
    await stopNodes();
  });

  const main = (...calls: string[]) => stageOf("main", calls).tasks;
  /** Who produces alternates, so that orders go both ways and stay at home. */
  const sides = (index: number): readonly [TaskflowClient, TaskflowClient] =>
    index % 2 === 0 ? clients : [clients[1], clients[0]];

  test(`of ${PAIRS} cancellations and completions one wins, and the loser is told`, async () => {
    const seen = { cancelled: 0, completed: 0 };
    await forEachPair(async (index) => {
      const [own, other] = sides(index);
      const { taskflowId } = await own.produce({ stages: [stageOf("s0", ["a"]), stageOf("s1", ["b"])] });
      for (let looks = index % 5; looks > 0; looks--) await other.getTaskflowDetails(taskflowId);
      const told = await typeOrAnswer(other.cancelTaskflow(taskflowId));
      const { status } = await own.waitForTaskflow(taskflowId);
      expect(status).toBe(typeof told === "string" ? "COMPLETED" : "CANCELLED");
      expect(typeof told === "string" ? told : told.status).toBe(
        typeof told === "string" ? "TASKFLOW_ALREADY_FINISHED" : "CANCELLED",
      );
      seen[typeof told === "string" ? "completed" : "cancelled"]++;
    });
    expect(seen.cancelled + seen.completed).toBe(PAIRS);
    expect(seen.cancelled).toBeGreaterThan(0);
  }, 240_000);

  test(`of ${PAIRS} pairs of retries one wins, and the loser is told`, async () => {
    const ids: string[] = [];
    await forEachPair(async (index) => {
      const { taskflowId } = await clients[index % 2 === 0 ? 0 : 1].produce({ tasks: main("a") });
      expect((await clients[0].waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
      ids.push(taskflowId);
    });
    // What runs again does not end before all of them are through.
    worker.hold("a");
    worker.take();
    await forEachPair(async (index) => {
      const taskflowId = ids[index] ?? "";
      const told = await Promise.all(clients.map((client) => typeOrAnswer(client.retryTaskflow(taskflowId))));
      expect(told.filter((one) => typeof one === "object")).toMatchObject([{ retryAttempt: 1 }]);
      expect(told.filter((one) => typeof one === "string")).toEqual(["TASKFLOW_NOT_RETRYABLE"]);
    });
    await eventually(() => expect(worker.calls).toHaveLength(PAIRS));
    worker.letGo("a");
    for (const taskflowId of ids) expect((await clients[0].waitForTaskflow(taskflowId)).retryAttempt).toBe(1);
    expect(worker.calls).toHaveLength(PAIRS);
  }, 240_000);

  test(`${PAIRS} retries of taskflows that run are refused, or find them finished`, async () => {
    await forEachPair(async (index) => {
      const [own, other] = sides(index);
      const { taskflowId } = await own.produce({ tasks: main("a") });
      for (let looks = index % 5; looks > 0; looks--) await other.getTaskflowDetails(taskflowId);
      const told = await typeOrAnswer(other.retryTaskflow(taskflowId));
      const { retryAttempt, status } = await own.waitForTaskflow(taskflowId);
      expect([status, retryAttempt]).toEqual(["COMPLETED", typeof told === "string" ? 0 : 1]);
      expect(typeof told === "string" ? told : told.retryAttempt).toBe(typeof told === "string" ? "TASKFLOW_NOT_RETRYABLE" : 1);
    });
  }, 240_000);

  test(`of ${PAIRS} pairs of decisions about a failed task one wins, and the loser is told`, async () => {
    worker.failing.add("b");
    await forEachPair(async (index) => {
      const [own, other] = sides(index);
      const { taskflowId } = await own.produce({ tasks: main("b"), options: { onFailure: "pause" } });
      await eventually(async () => expect((await own.getTaskflowDetails(taskflowId)).status).toBe("PAUSED"));
      const expected = { expect: { taskId: "b", attempt: 0 } };
      const told = await Promise.all([
        typeOrAnswer(own.resolveTask(taskflowId, "b", { outcome: "SKIPPED", reason: "own", ...expected })),
        typeOrAnswer(
          index % 3 === 0
            ? other.cancelTaskflow(taskflowId, expected)
            : other.resolveTask(taskflowId, "b", { outcome: "SUCCESS", reason: "other", ...expected }),
        ),
      ]);
      const lost = told.filter((one) => typeof one === "string");
      expect(lost).toEqual(["TASKFLOW_CONFLICT"]);
      const { status, stages } = await own.waitForTaskflow(taskflowId);
      const [task] = Object.values(Object.values(stages)[0]?.tasks ?? {});
      const isOthers = typeof told[0] === "string";
      expect(status).toBe(isOthers && index % 3 === 0 ? "CANCELLED" : "COMPLETED");
      expect(task?.status).toBe(isOthers ? (index % 3 === 0 ? "FAILED" : "SUCCESS") : "SKIPPED");
    });
  }, 240_000);

  test("the same command twice at once, by two coordinators, is carried out once and answered alike", async () => {
    const { taskflowId } = await clients[0].produce({ tasks: main("a") });
    await clients[0].waitForTaskflow(taskflowId);
    worker.hold("a");
    worker.take();
    const told = await Promise.all(
      [0, 1, 0, 1].map((side) => clients[side === 0 ? 0 : 1].retryTaskflow(taskflowId, { commandId: "x" })),
    );
    expect(new Set(told.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(told[0]).toMatchObject({ retryAttempt: 1 });
    await eventually(() => expect(worker.calls).toEqual(["a"]));
    worker.letGo("a");
    expect((await clients[1].waitForTaskflow(taskflowId)).retryAttempt).toBe(1);
  });

  test("an answer that does not fit into a message is cut and says so, also on its way between coordinators", async () => {
    const tasks = Array.from({ length: 900 }, (_, index) => ({ ...main("a")[0], name: `t${index}` })) as ReturnType<typeof main>;
    worker.failing.add("a");
    // In its own process: the definition would not fit either.
    const local = new TaskflowClient(coordinators[0]!.broker);
    const { taskflowId } = await local.produce({ tasks, options: { onFailure: "pause", maxConcurrency: 1_000 } });
    await eventually(async () => {
      const { rows } = await clients[0].listTasks(taskflowId, { status: ["WAITING", "QUEUED", "RUNNING"], pageSize: 1 });
      expect(rows).toEqual([]);
    });
    expect((await local.retryTaskflow(taskflowId, { mode: "failed", dryRun: true })).retried).toHaveLength(900);
    for (const client of clients) {
      const { retried, truncated } = await client.retryTaskflow(taskflowId, { mode: "failed", dryRun: true });
      expect(truncated).toBe(true);
      expect(retried.length).toBeGreaterThan(100);
      expect(retried.length).toBeLessThan(900);
    }
  }, 30_000);

  test("a bad command between coordinators is refused", async () => {
    const { taskflowId } = await clients[0].produce({ tasks: main("a") });
    await clients[0].waitForTaskflow(taskflowId);
    const bad = [
      { kind: "explode" },
      { kind: "resolveTask", task: "a", outcome: "SUCCESS", reason: "x", response: "{" },
      { kind: "link" },
    ];
    for (const command of bad) {
      const call = caller.broker.call<unknown, unknown>(
        "taskflow.executeCommand",
        { taskflowId, request: { command } },
        { nodeID: "c1" },
      );
      expect(await rejection(call)).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR" });
    }
  });
});

describeOnMongo("orders for a coordinator that is killed", (mongo) => {
  test("wait for whoever takes over, and are carried out there", async () => {
    const namespace = uniqueNamespace();
    const settings = { folder: tempFolder(), namespace, mongo: mongo(), leaseMs: 2_000, graceMs: 1_000 };
    const cluster = await Cluster.start({ ...settings, coordinators: 2, workers: 1 });
    try {
      const { broker } = createNode(cluster.nats.url, {
        namespace,
        nodeID: "caller",
        heartbeatInterval: 1,
        heartbeatTimeout: 30,
      });
      await broker.start();
      await broker.waitForServices(["taskflow", "plain"], 20_000, 20);
      const [first, second] = ["coordinator-1", "coordinator-2"].map((nodeID) => new TaskflowClient(broker, { nodeID })) as [
        TaskflowClient,
        TaskflowClient,
      ];
      const details = { serviceId: "plain", actionName: "work" };
      const task = { name: "t", type: "ACTION" as const, taskDetails: details, params: { work: 30_000 } };
      const ids = ["cancelled", "paused", "annotated"];
      for (const taskflowId of ids) await first.produce({ taskflowId, tasks: [task] });
      await eventually(async () => {
        for (const id of ids) expect(Object.values((await first.getTaskflowDetails(id)).stages)[0]?.status).toBe("RUNNING");
      });
      cluster.coordinators[0]?.signal("SIGKILL");
      const command = { commandId: "once" };
      const answers = await Promise.all([
        second.cancelTaskflow("cancelled", command),
        second.pauseTaskflow("paused"),
        second.annotateTaskflow("annotated", "note", 1, command),
      ]);
      expect(answers).toMatchObject([{ status: "CANCELLED" }, { status: "PAUSED" }, { type: "note" }]);
      expect(await second.cancelTaskflow("cancelled", command)).toEqual(answers[0]);
      await second.annotateTaskflow("annotated", "note", 1, command);
      expect((await second.getTaskflowDetails("annotated")).annotations).toHaveLength(1);
      expect((await second.getTaskflowDetails("paused")).status).toBe("PAUSED");
      expect(await rejection(second.resumeTaskflow("cancelled"))).toMatchObject({ type: "TASKFLOW_ALREADY_FINISHED" });
    } finally {
      await stopNodes();
      await cluster.close();
    }
  }, 90_000);
});

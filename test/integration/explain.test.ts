/**
 * `explainTaskflow` over real nodes: what each coordinator can tell of a taskflow, and of one
 * that another drives.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { TaskflowWorker } from "../../lib/index.ts";
import type { Explanation, TaskflowContext } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";
import { wrapStore } from "../helpers/store-wrapper.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

function worker(): { service: ServiceSchema; letGo: () => void } {
  let letGo = (): void => {};
  const released = new Promise<void>((resolve) => (letGo = resolve));
  return {
    service: {
      name: "svc",
      mixins: [TaskflowWorker()],
      actions: {
        slow: () => released.then(() => "done"),
        async beating(ctx: TaskflowContext) {
          ctx.taskflow?.heartbeat();
          await released;
        },
        fail() {
          throw new Error("It cannot be done.");
        },
      },
    },
    letGo,
  };
}

const codes = ({ reasons }: Explanation): string[] => reasons.map(({ code }) => code);

test("from no worker over its attempts to its end", async () => {
  const { service, letGo } = worker();
  const { broker, client } = await startLocalNode({ nodeID: "home" });
  const options = { maxRetries: 1, retryDelay: 60_000 };
  const stages = [stageOf("one", ["slow"]), stageOf("two", ["fail"], { options })];
  const { taskflowId } = await client.produce({ name: "order", stages });
  const before = await client.explainTaskflow(taskflowId);
  expect(before).toMatchObject({
    taskflowId,
    status: "RUNNING",
    summary:
      'Taskflow "order" is RUNNING, 0 of 2 tasks are done. Task "slow" of stage "one" waits: no node offers svc.slow; 1 node is connected. (1 more reason)',
    reasons: [{ code: "NO_WORKER", data: { action: "svc.slow", nodes: 1 }, movedBy: "A node that offers svc.slow." }, {}],
  });
  broker.createService(service);
  await eventually(async () => expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["RUNNING", "EARLIER_STAGE"]));
  const [running] = (await client.explainTaskflow(taskflowId)).reasons;
  expect(running?.sentence).toMatch(
    /^Task "slow" of stage "one" has been running on home for .*; it times out in (1 min|59\.\d s)\.$/,
  );
  await client.pauseActions("svc.fail", "broken");
  letGo();
  await eventually(async () => expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["ACTION_PAUSED"]));
  await client.resumeActions("svc.fail");
  await eventually(async () => expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["RETRY_DELAY"]));
  expect((await client.explainTaskflow(taskflowId)).summary).toMatch(/retry 1 of 1 in 59\.\d s after Error on home\.$/);
  expect(await rejection(client.explainTaskflow("none"))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
});

test("an attempt that is stored and just about to be sent counts as running", async () => {
  const { service, letGo } = worker();
  const { client } = await startLocalNode({ services: [service] });
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"])] });
  expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["RUNNING"]);
  letGo();
});

test("a coordinator that starts paused says so", async () => {
  const { service } = worker();
  const { client } = await startLocalNode({ services: [service], taskflow: { paused: true } });
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"])] });
  expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["COORDINATOR_PAUSED"]);
});

test("while the store cannot be used, that is what holds it, whatever else is known", async () => {
  const store = wrapStore(new SqliteStore({ file: ":memory:" }));
  const { service, letGo } = worker();
  const { client } = await startLocalNode({ services: [service], taskflow: { store } });
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["slow"])] });
  await eventually(async () => expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["RUNNING"]));
  store.failCommit = () => "before";
  store.failRead = () => true;
  letGo();
  await eventually(async () =>
    expect(await client.explainTaskflow(taskflowId)).toMatchObject({ status: null, reasons: [{ code: "STORE_UNAVAILABLE" }] }),
  );
  store.failCommit = () => undefined;
  store.failRead = () => false;
  await client.waitForTaskflow(taskflowId);
  expect(codes(await client.explainTaskflow(taskflowId))).toEqual(["COMPLETED"]);
});

test("asked of another coordinator, its owner answers; once that is silent, the store tells what it knows", async () => {
  const { service, letGo } = worker();
  const { a, b } = await startPair(server.url, service);
  const { taskflowId } = await a.client.produce({ stages: [stageOf("one", ["beating"])] });
  await eventually(async () => expect(codes(await b.client.explainTaskflow(taskflowId))).toEqual(["HEARTBEAT"]));
  expect((await b.client.explainTaskflow(taskflowId)).reasons[0]?.sentence).toMatch(
    /^Task "beating" of stage "one" has been running on worker for .*, its last heartbeat was .* ago; it times out in/,
  );
  // Its link is cut, and nobody has noticed yet.
  await a.node.broker.transit?.disconnect();
  await eventually(async () => expect(codes(await b.client.explainTaskflow(taskflowId))[0]).toBe("OWNER_ELSEWHERE"));
  expect(codes(await b.client.explainTaskflow(taskflowId))).toEqual(["OWNER_ELSEWHERE", "RUNNING"]);
  letGo();
});

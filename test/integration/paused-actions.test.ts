/** Actions that are paused for a while, and coordinators that start paused. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { PauseRules } from "../../lib/coordinator/flow-control/pause-rules.ts";
import type { TaskflowDetails } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";
import { wrapStore } from "../helpers/store-wrapper.ts";
import { tempFolder } from "../helpers/temp.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

function workers(): { service: ServiceSchema; calls: string[] } {
  const calls: string[] = [];
  const note = (name: string) => (): string => {
    calls.push(name);
    return name;
  };
  return { service: { name: "svc", actions: { pay: note("pay"), ship: note("ship"), ask: note("ask") } }, calls };
}

const standings = (tree: TaskflowDetails) =>
  Object.values(tree.stages).flatMap(({ tasks }) =>
    Object.values(tasks).map(({ name, status, statusReason }) => [name, status, statusReason]),
  );

test("a task whose action is paused waits, all others run, and it goes on at once when the rule is lifted", async () => {
  const { service, calls } = workers();
  const { client } = await startLocalNode({ services: [service] });
  expect(await client.pauseActions("svc.pa*", "the bank is down")).toMatchObject({
    pattern: "svc.pa*",
    reason: "the bank is down",
    coordinator: null,
  });
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["pay", "ship"]), stageOf("two", ["ask"])] });
  await eventually(async () =>
    expect(standings(await client.getTaskflowDetails(taskflowId))).toEqual([
      ["pay", "WAITING", "PAUSED"],
      ["ship", "SUCCESS", null],
      ["ask", "WAITING", null],
    ]),
  );
  expect(await client.listPausedActions()).toMatchObject({ rows: [{ pattern: "svc.pa*", reason: "the bank is down" }] });
  expect(await client.health()).toMatchObject({ paused: false, pausedActions: ["svc.pa*"] });
  expect(await client.resumeActions("svc.*")).toEqual({ pattern: "svc.*", lifted: 0 });
  expect(calls).toEqual(["ship"]);
  expect(await client.resumeActions("svc.pa*")).toEqual({ pattern: "svc.pa*", lifted: 1 });
  expect((await client.waitForTaskflow(taskflowId, { timeout: 900 })).status).toBe("COMPLETED");
  expect(calls).toEqual(["ship", "pay", "ask"]);
});

test("every coordinator follows, whichever was asked, and goes on when it is lifted at another", async () => {
  const { service, calls } = workers();
  const { a, b } = await startPair(server.url, service);
  await a.client.pauseActions("svc.**");
  await eventually(async () => expect(await b.client.health()).toMatchObject({ pausedActions: ["svc.**"] }), {
    timeoutMs: 1_500,
  });
  const ids = [];
  for (const { client } of [a, b]) ids.push((await client.produce({ stages: [stageOf("one", ["pay"])] })).taskflowId);
  const [first = "", second = ""] = ids;
  await eventually(async () =>
    expect((await a.client.explainTaskflow(second)).reasons).toMatchObject([
      { code: "ACTION_PAUSED", data: { pattern: "svc.**" } },
    ]),
  );
  expect(calls).toEqual([]);
  await b.client.resumeActions("svc.**");
  expect((await a.client.waitForTaskflow(first)).status).toBe("COMPLETED");
  expect((await b.client.waitForTaskflow(second)).status).toBe("COMPLETED");
});

test("a retry that comes due while its action is paused waits too, and the age of its task goes on", async () => {
  const { service } = workers();
  const { client } = await startLocalNode({ services: [service] });
  await client.pauseActions("**");
  const { taskflowId } = await client.produce({ stages: [stageOf("one", ["pay"], { options: { maxAge: 50 } })] });
  expect((await client.waitForTaskflow(taskflowId)).error).toMatchObject({ type: "MAX_AGE_EXCEEDED" });
});

test("rules outlive a restart; a coordinator that starts paused takes work, and sends none until every action is resumed", async () => {
  const store = `sqlite:${tempFolder()}/flow.db`;
  const { service, calls } = workers();
  const start = (paused: boolean) => startLocalNode({ services: [service], taskflow: { store, paused }, nodeID: "home" });
  const first = await start(true);
  await first.client.produce({ taskflowId: "f", stages: [stageOf("one", ["pay"])] });
  expect(await first.client.health()).toMatchObject({ ready: true, paused: true, owned: 1 });
  await first.client.pauseActions("svc.ship");
  await first.stop();
  const second = await start(true);
  expect(await second.client.health()).toMatchObject({ paused: true, owned: 1, pausedActions: ["svc.ship", "**"] });
  expect(await second.client.listPausedActions()).toMatchObject({
    rows: [
      { pattern: "svc.ship", coordinator: null },
      { pattern: "**", reason: "TASKFLOW_PAUSED", coordinator: "home" },
    ],
  });
  expect(calls).toEqual([]);
  await second.client.resumeActions("**");
  expect((await second.client.waitForTaskflow("f", { timeout: 900 })).status).toBe("COMPLETED");
  await second.stop();
  const third = await start(false);
  expect(await third.client.health()).toMatchObject({ paused: false, pausedActions: ["svc.ship"] });
});

test("a pause of one coordinator alone ends with its next start that is not paused, after a crash too", async () => {
  const store = new SqliteStore({ file: ":memory:" });
  await store.open();
  const ports = { store, clock: new SystemClock(), logger: console };
  const [crashed, other, again] = [new PauseRules(ports, "a"), new PauseRules(ports, "b"), new PauseRules(ports, "a")];
  await crashed.start(true);
  await other.start(false);
  expect([crashed.isPaused, other.isPaused]).toEqual([true, false]);
  expect(crashed.ruleFor("svc.pay")).toMatchObject({ coordinator: "a" });
  expect(other.ruleFor("svc.pay")).toBeUndefined();
  await again.start(false);
  expect([again.isPaused, await store.pauseRules()]).toEqual([false, []]);
  for (const rules of [crashed, other, again]) await rules.stop();
  await store.close();
});

test("another coordinator knows of a rule within about a second without being told, and keeps it while the store is away", async () => {
  const memory = new SqliteStore({ file: ":memory:" });
  await memory.open();
  const store = wrapStore(memory);
  let isAway = false;
  const away = {
    pauseRules: () => (isAway ? Promise.reject(new Error("away")) : store.pauseRules()),
    addPauseRule: (rule: Parameters<typeof store.addPauseRule>[0]) => store.addPauseRule(rule),
    removePauseRules: (pattern: string, coordinator?: string) => store.removePauseRules(pattern, coordinator),
  };
  const warnings: unknown[] = [];
  const logger = { info() {}, error() {}, warn: (text: unknown) => void warnings.push(text) };
  const one = new PauseRules({ store, clock: new SystemClock(), logger }, "a");
  const two = new PauseRules({ store: away, clock: new SystemClock(), logger }, "b");
  let changes = 0;
  two.onChanged(() => changes++);
  await Promise.all([one.start(false), two.start(false)]);
  await one.add("payment.*", null);
  await eventually(() => expect(two.ruleFor("payment.charge")).toMatchObject({ pattern: "payment.*" }), { timeoutMs: 1_500 });
  isAway = true;
  await eventually(() => expect(warnings).toHaveLength(1), { timeoutMs: 2_500 });
  expect(two.ruleFor("payment.refund")).toMatchObject({ pattern: "payment.*" });
  expect(changes).toBe(1);
  await one.lift("payment.*");
  isAway = false;
  await eventually(() => expect(two.ruleFor("payment.charge")).toBeUndefined(), { timeoutMs: 2_500 });
  await Promise.all([one.stop(), two.stop()]);
  await memory.close();
});

test("a pattern that is none is refused", async () => {
  const { client, broker } = await startLocalNode();
  for (const pattern of ["", "a b", "a\n", "x".repeat(257), "(a+)+"]) {
    expect(await rejection(client.pauseActions(pattern))).toMatchObject({
      type: "TASKFLOW_VALIDATION_ERROR",
      data: expect.arrayContaining([expect.objectContaining({ path: "/pattern" })]),
    });
  }
  expect(await rejection(broker.call("taskflow.resumeActions", {}))).toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR" });
});

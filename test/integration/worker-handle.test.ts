/**
 * What the worker mixin gives a handler beside its params: signal, heartbeats, the answers before
 * it; and what it does not touch.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { NatsTransporter, TaskflowWorker } from "../../lib/index.ts";
import type { TaskflowContext, TaskflowHandle, TaskflowWorkerOptions } from "../../lib/index.ts";
import { again, ask, callOf, deliver, ranIn } from "../helpers/deliver.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import type { TestNode } from "../helpers/nodes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;
const buses: MoleculerBus[] = [];
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  for (const bus of buses.splice(0)) bus.close();
  await stopNodes();
});
afterAll(() => server.stop());

interface Pair {
  readonly sender: TestNode;
  readonly worker: TestNode;
  readonly bus: MoleculerBus;
  /** The worker's node id. */
  readonly node: string;
}

/**
 * A node that delivers, with what stands for the coordinator's service, and a worker that serves
 * `svc` with the mixin.
 */
async function pair(
  svc: Partial<ServiceSchema>,
  more: { coordinator?: Partial<ServiceSchema>; options?: TaskflowWorkerOptions } = {},
): Promise<Pair> {
  const namespace = uniqueNamespace();
  const schema = { name: "svc", mixins: [TaskflowWorker(more.options)], ...svc };
  const coordinator = more.coordinator ? [{ name: "taskflow", ...more.coordinator }] : [];
  const transporter = (): NatsTransporter => new NatsTransporter({ url: server.url });
  const worker = createNode(transporter(), { nodeID: "worker", namespace, services: [schema] });
  const sender = createNode(transporter(), { nodeID: "sender", namespace, services: coordinator });
  await Promise.all([worker.broker.start(), sender.broker.start()]);
  await sender.broker.waitForServices(svc.version === undefined ? "svc" : `v${String(svc.version)}.svc`);
  if (more.coordinator) await worker.broker.waitForServices("taskflow");
  const bus = new MoleculerBus(sender.broker);
  buses.push(bus);
  return { sender, worker, bus, node: "worker" };
}

/** Ends with the signal's reason. */
const untilAborted =
  (handles: TaskflowHandle[]) =>
  (ctx: TaskflowContext): Promise<never> => {
    const { taskflow } = ctx;
    if (!taskflow) throw new Error("no handle");
    handles.push(taskflow);
    return new Promise((_, reject) => taskflow.signal.addEventListener("abort", () => reject(taskflow.signal.reason as Error)));
  };

describe("the signal", () => {
  test("is aborted by the coordinator's word, for this attempt only", async () => {
    const handles: TaskflowHandle[] = [];
    const { bus, node } = await pair({ actions: { act: untilAborted(handles) } });
    const [one, two] = [callOf("svc.act", { node }), callOf("svc.act", { node })];
    const answers = [deliver(bus, one), deliver(bus, two)] as const;
    await eventually(() => expect(handles).toHaveLength(2));
    bus.abort(node, "somebody:else:0");
    bus.abort(node, one.idempotencyKey);
    expect(await answers[0]).toMatchObject({ kind: "failed", error: { message: "The coordinator has given up the attempt." } });
    expect(handles.filter(({ signal }) => signal.aborted).map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      one.idempotencyKey,
    ]);
    bus.abort(node, two.idempotencyKey);
    await answers[1];
  });

  test("is aborted when the attempt's time is over, but not after a coordinator has asked, which waits longer", async () => {
    const handles: TaskflowHandle[] = [];
    const { bus, node } = await pair({ actions: { act: untilAborted(handles) } });
    const call = callOf("svc.act", { node, timeout: 50, listenMs: 20_000 });
    expect(await deliver(bus, call)).toMatchObject({ kind: "failed", error: { message: "The attempt's time is over." } });
    const asked = callOf("svc.act", { node, timeout: 1_000, listenMs: 20_000 });
    const marker = callOf("svc.act", { node, timeout: 1_200, listenMs: 20_000 });
    const answer = deliver(bus, asked);
    expect(await ask(bus, asked)).toEqual({ kind: "running", quietMs: expect.any(Number) });
    // Its time is over later than that of the other.
    await deliver(bus, marker);
    expect(handles[1]?.signal.aborted).toBe(false);
    bus.abort(node, asked.idempotencyKey);
    expect(await answer).toMatchObject({ kind: "failed" });
  });

  test("is aborted when the node stops, and the answer still leaves", async () => {
    const handles: TaskflowHandle[] = [];
    const { bus, node, worker } = await pair({ actions: { act: untilAborted(handles) } });
    const answer = deliver(bus, callOf("svc.act", { node }));
    await eventually(() => expect(handles).toHaveLength(1));
    await worker.broker.stop();
    expect(await answer).toMatchObject({ kind: "failed", error: { message: "The node stops." } });
  });

  test("is aborted in a process of its own without a bus as well", async () => {
    const handles: TaskflowHandle[] = [];
    const { worker } = await pair({ actions: { act: untilAborted(handles) } });
    const bus = new MoleculerBus(worker.broker);
    buses.push(bus);
    const call = callOf("svc.act", { node: "worker" });
    const answer = deliver(bus, call);
    await eventually(() => expect(handles).toHaveLength(1));
    expect(await ask(bus, call)).toEqual({ kind: "running", quietMs: expect.any(Number) });
    bus.abort("worker", call.idempotencyKey);
    const outcome = await answer;
    expect(outcome).toMatchObject({ kind: "failed" });
    expect(await ask(bus, call)).toMatchObject({ kind: "done", outcome: { kind: "failed" } });
  });
});

test("previousStageRes comes by reference page by page, once, through failures, with the ids of the run", async () => {
  const asked: unknown[] = [];
  const rows = Array.from({ length: 5 }, (_, index) => ({ taskName: `t${index}`, response: "x".repeat(100) }));
  const getPreviousStageRes = (ctx: Context<{ cursor?: string }>): unknown => {
    asked.push(ctx.params);
    if (asked.length === 2) throw new Error("Not now.");
    const from = Number(ctx.params.cursor ?? 0);
    const next = from + 2;
    return { success: true, data: { rows: rows.slice(from, next), ...(next < rows.length ? { nextCursor: String(next) } : {}) } };
  };
  const act = async ({ taskflow }: TaskflowContext): Promise<unknown> => {
    const [first, second] = await Promise.all([taskflow?.previousStageRes(), taskflow?.previousStageRes()]);
    return { isSame: first === second, rows: first };
  };
  const { bus, node } = await pair({ actions: { act } }, { coordinator: { actions: { getPreviousStageRes } } });
  const call = callOf("svc.act", { node, previousStageRes: { $ref: "anything", count: 5, bytes: 600 } });
  const outcome = await deliver(bus, call);
  expect(outcome).toMatchObject({ kind: "answered", response: JSON.stringify({ isSame: true, rows }) });
  const { taskflowId, taskId } = call;
  expect(asked).toEqual([
    { taskflowId, taskId },
    { taskflowId, taskId, cursor: "2" },
    { taskflowId, taskId, cursor: "2" },
    { taskflowId, taskId, cursor: "4" },
  ]);
});

test("heartbeats reach the coordinators once a second at most, the latest last, and never throw", async () => {
  const heard: unknown[] = [];
  const times: number[] = [];
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const act = async ({ taskflow }: TaskflowContext): Promise<string> => {
    taskflow?.heartbeat(cycle);
    for (let index = 0; index <= 100; index++) taskflow?.heartbeat({ index });
    await eventually(() => expect(heard).toHaveLength(1));
    taskflow?.heartbeat();
    taskflow?.heartbeat({ last: true });
    await eventually(() => expect(heard).toHaveLength(2));
    taskflow?.log("Nearly there.", { percent: 99 });
    return "done";
  };
  const events = {
    "taskflow-worker.heartbeat"(ctx: Context) {
      heard.push(ctx.params);
      times.push(performance.now());
    },
  };
  const { bus, node, worker } = await pair({ actions: { act } }, { coordinator: { events } });
  const call = callOf("svc.act", { node });
  expect(await deliver(bus, call)).toMatchObject({ kind: "answered" });
  expect(heard).toEqual([
    { key: call.idempotencyKey, progress: { index: 100 } },
    { key: call.idempotencyKey, progress: { last: true } },
  ]);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900);
  expect(worker.lines.some((line) => line.includes("Nearly there."))).toBe(true);
});

test("calls below a handler, and those of others, are not taken for the task's own, even of the same action", async () => {
  const seen: (string | undefined)[] = [];
  const act = async (ctx: TaskflowContext<{ depth?: number }>): Promise<unknown> => {
    seen.push(ctx.taskflow?.idempotencyKey);
    const { depth = 0 } = ctx.params;
    return depth > 0 ? ctx.call("svc.act", { depth: depth - 1 }) : ctx.call("svc.other");
  };
  const other = ({ taskflow }: TaskflowContext): string => {
    seen.push(taskflow?.idempotencyKey);
    return "end";
  };
  const { bus, node, sender } = await pair({ actions: { act, other } });
  const call = callOf("svc.act", { node, params: { depth: 2 } });
  expect(await deliver(bus, call)).toMatchObject({ response: '"end"' });
  expect(seen).toEqual([call.idempotencyKey, undefined, undefined, undefined]);
  expect(await sender.broker.call("svc.other")).toBe("end");
  // The context of a task at another action, as a handler may hand it on by hand.
  const meta = { taskflowExecutionContext: JSON.parse(call.context) as unknown };
  expect(await sender.broker.call("svc.other", {}, { meta })).toBe("end");
  expect(seen.slice(4)).toEqual([undefined, undefined]);
});

test("hooks and versions are part of what is remembered", async () => {
  let runs = 0;
  const { bus, node } = await pair({
    version: 2,
    hooks: { before: { act: () => void runs++ }, after: { act: (_ctx, answer) => ({ wrapped: answer as unknown }) } },
    actions: { act: { handler: () => "inner", hooks: { after: (_ctx: Context, answer: unknown) => [answer] } } },
  });
  const call = callOf("v2.svc.act", { node });
  const outcome = await deliver(bus, call);
  expect(outcome).toMatchObject({ response: '{"wrapped":["inner"]}' });
  expect(await deliver(bus, again(call))).toEqual(ranIn(outcome));
  expect(await ask(bus, call)).toEqual({ kind: "done", outcome: ranIn(outcome) });
  expect(runs).toBe(1);
});

test("options that are wrong are refused with a sentence, and a ledger that cannot be opened keeps the service from starting", async () => {
  expect(() => TaskflowWorker({ ledger: "redis://x" })).toThrow(/\/ledger must be memory, sqlite:<file>/);
  expect(() => TaskflowWorker({ keepFor: "soon" })).toThrow(/\/keepFor must be a duration from 1 ms/);
  expect(() => TaskflowWorker({ keepFor: 0 })).toThrow(/\/keepFor must be a duration from 1 ms/);
  expect(() => TaskflowWorker({ ledgerLimit: 0.5 })).toThrow(/\/ledgerLimit must be a whole number of at least 1/);
  const node = createNode(new NatsTransporter({ url: server.url }), {
    services: [{ name: "svc", mixins: [TaskflowWorker({ ledger: "sqlite:/dev/null/ledger.db" })] }],
  });
  await expect(node.broker.start()).rejects.toThrow(/The ledger .* cannot be used/);
});

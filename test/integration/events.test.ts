import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { connect } from "nats";
import type { NatsConnection } from "nats";
import { getEventsEndpoint, NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import type { StageDefinition, TaskflowEvent } from "../../lib/index.ts";
import type { TaskflowState } from "../../schemas/taskflow-event.schema.ts";
import { eventually } from "../helpers/eventually.ts";
import { rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;
let spy: NatsConnection;

beforeAll(async () => {
  server = await startNatsServer();
  spy = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
});
afterEach(async () => {
  await stopNodes();
  await stopLocalNodes();
});
afterAll(async () => {
  await spy.close();
  await server.stop();
});

const FLOW = ["flow.running", "stage.running", "task.running", "task.success", "stage.completed", "flow.completed"];

const seqsOf = (events: readonly TaskflowEvent[]): number[] => events.map((event) => event.seq);
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const statusOf = ({ data }: TaskflowEvent): string => String(Object.entries(data).find(([key]) => key.endsWith("Status"))?.[1]);

/** Its action `wait` answers when it is let go. */
function gate(): { service: ServiceSchema; letGo: () => void; calls: () => number } {
  let release = (): void => {};
  let calls = 0;
  const opened = new Promise<void>((resolve) => (release = resolve));
  const wait = async (ctx: Context): Promise<unknown> => {
    calls++;
    await opened;
    return { params: ctx.params };
  };
  return { service: { name: "svc", actions: { ok: () => ({ ok: true }), wait } }, letGo: release, calls: () => calls };
}

/** A coordinator and another node, on NATS. */
async function cluster(worker: ServiceSchema, listeners: ServiceSchema[] = []) {
  const namespace = uniqueNamespace();
  const transporter = () => new NatsTransporter({ url: server.url });
  const coordinator = createNode(transporter(), {
    namespace,
    nodeID: uniqueName("c"),
    services: [TaskflowService({ store: "memory:", shutdownGrace: 100 }), worker],
  });
  const other = createNode(transporter(), { namespace, nodeID: uniqueName("o"), services: listeners });
  await Promise.all([coordinator.broker.start(), other.broker.start()]);
  await other.broker.waitForServices("taskflow");
  for (const { name } of listeners) await coordinator.broker.waitForServices(name);
  return { namespace, coordinator, other, client: new TaskflowClient(other.broker, { timeout: 5_000 }) };
}

const flowOf = (taskflowId: string, stages: StageDefinition[] = [stageOf("one", ["wait"])]) => ({ taskflowId, stages });

describe("events over NATS", () => {
  test("are published on the subject that produce names, complete and in order, for any NATS client", async () => {
    const { service, letGo } = gate();
    const { namespace, client } = await cluster(service);
    const subject = `${namespace}.taskflow.events.f1`;
    expect(getEventsEndpoint("f1", true, namespace)).toBe(subject);
    const events: TaskflowEvent[] = [];
    spy.subscribe(subject, { callback: (_error, message) => void events.push(message.json<TaskflowEvent>()) });
    await spy.flush();
    expect(await client.produce(flowOf("f1"))).toEqual({ taskflowId: "f1", eventSubscription: subject });
    letGo();
    await client.waitForTaskflow("f1");
    await eventually(() => expect(events.length).toBe(7));
    expect(seqsOf(events)).toEqual(upTo(7));
    expect(events.map((event) => `${event.eventType} ${statusOf(event)}`)).toEqual([
      "TASKFLOW WAITING",
      "TASKFLOW RUNNING",
      "STAGE RUNNING",
      "TASK RUNNING",
      "TASK SUCCESS",
      "STAGE COMPLETED",
      "TASKFLOW COMPLETED",
    ]);
    expect(events[4]).toMatchObject({ data: { taskflowId: "f1", attempt: 0, taskResponse: { params: {} } } });
    expect(events[6]?.data.taskflowObject).toMatchObject({ taskflowId: "f1", status: "COMPLETED", progress: 100 });
  });

  test("reach other nodes' services as Moleculer events of the same payload, one instance of a group each", async () => {
    const heard: [string, TaskflowEvent][] = [];
    const listen = (ctx: Context): void => void heard.push([ctx.eventName ?? "", ctx.params as TaskflowEvent]);
    const names = ["flow.waiting", ...FLOW].map((name) => `taskflow.${name}`);
    const listener: ServiceSchema = { name: "listener", events: Object.fromEntries(names.map((name) => [name, listen])) };
    const { service, letGo } = gate();
    const { client } = await cluster(service, [listener]);
    await client.produce(flowOf("f2"));
    letGo();
    await client.waitForTaskflow("f2");
    await eventually(() => expect(heard.length).toBe(7));
    const inOrder = heard.sort(([, a], [, b]) => a.seq - b.seq);
    expect(inOrder.map(([name]) => name)).toEqual(names);
    expect(inOrder[4]?.[1]).toMatchObject({
      eventType: "TASK",
      seq: 5,
      data: { taskStatus: "SUCCESS", taskResponse: { params: {} } },
    });
  });

  test("an answer larger than a message is left out of its event, and the event still comes", async () => {
    const big: ServiceSchema = { name: "svc", actions: { big: () => "x".repeat(3_000_000) } };
    const { namespace, client, coordinator } = await cluster(big);
    const events: TaskflowEvent[] = [];
    spy.subscribe(`${namespace}.taskflow.events.*`, {
      callback: (_error, message) => void events.push(message.json<TaskflowEvent>()),
    });
    await spy.flush();
    for (const eventTree of ["state", "full"] as const) {
      events.length = 0;
      await client.produce({ ...flowOf(`big-${eventTree}`, [stageOf("one", ["big"])]), options: { eventTree } });
      await eventually(() => expect(seqsOf(events)).toEqual(upTo(7)));
      expect(events[4]).toMatchObject({ data: { taskStatus: "SUCCESS", taskResponse: { $omitted: 3_000_002 } } });
      const told: TaskflowEvent[] = [];
      const subscription = await client.subscribeToTaskflowEvents(`big-${eventTree}`, (event) => void told.push(event));
      subscription.unsubscribe();
      expect(seqsOf(told)).toEqual(upTo(7));
    }
    expect(coordinator.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("a subscriber gets each one exactly once and in order: from the beginning, from `since`, and after the end", async () => {
    const { service, letGo } = gate();
    const { client } = await cluster(service);
    const stages = [
      stageOf(
        "one",
        Array.from({ length: 200 }, (_, index) => `t${index}:ok`),
      ),
      stageOf("two", ["wait"]),
    ];
    await client.produce(flowOf("f3", stages));
    const last = 2 + 1 + 200 * 2 + 1 + 1 + 2 + 1 + 1;
    const early: TaskflowEvent[] = [];
    const some: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("f3", (event) => void early.push(event));
    await client.subscribeToTaskflowEvents("f3", async (event) => void some.push(await Promise.resolve(event)), { since: 5 });
    letGo();
    await eventually(() => expect(early.length).toBe(last));
    await eventually(() => expect(some.length).toBe(last - 5));
    expect(seqsOf(early)).toEqual(upTo(last));
    expect(seqsOf(some)).toEqual(upTo(last, 6));
    const late: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("f3", (event) => void late.push(event));
    expect(seqsOf(late)).toEqual(upTo(last));
    expect(late.map(statusOf)).toEqual(early.map(statusOf));
    const none: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("f3", (event) => void none.push(event), { since: last });
    expect(none).toEqual([]);
  });

  test("pages of a long history with large answers fit into messages", async () => {
    const service: ServiceSchema = { name: "svc", actions: { page: () => "x".repeat(20_000) } };
    const { client } = await cluster(service);
    await client.produce(
      flowOf("f4", [
        stageOf(
          "one",
          Array.from({ length: 150 }, (_, index) => `t${index}:page`),
        ),
      ]),
    );
    await client.waitForTaskflow("f4");
    const events: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("f4", (event) => void events.push(event));
    expect(seqsOf(events)).toEqual(upTo(305));
  });

  test("none is missed or doubled across a restart of NATS", async () => {
    const { service, letGo, calls } = gate();
    const { client } = await cluster(service);
    await client.produce(flowOf("f5", [stageOf("one", ["wait"]), stageOf("two", ["ok"])]));
    const events: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("f5", (event) => void events.push(event));
    await eventually(() => expect(calls()).toBe(1));
    await server.kill();
    // All of this happens while nobody can be told.
    letGo();
    await server.restart();
    await eventually(() => expect(seqsOf(events).at(-1)).toBe(11), { timeoutMs: 25_000 });
    expect(seqsOf(events)).toEqual(upTo(11));
    expect(events.map(statusOf).at(-1)).toBe("COMPLETED");
  });

  test("a retry right after the end announces nothing a second time", async () => {
    let isBroken = true;
    const service: ServiceSchema = {
      name: "svc",
      actions: {
        work() {
          if (isBroken) throw new Error("Not yet.");
        },
      },
    };
    const { namespace, client } = await cluster(service);
    const seqs: number[] = [];
    spy.subscribe(getEventsEndpoint("f8", true, namespace), {
      callback: (_error, message) => void seqs.push(message.json<TaskflowEvent>().seq),
    });
    await spy.flush();
    await client.produce(flowOf("f8", [stageOf("one", ["work"])]));
    expect((await client.waitForTaskflow("f8")).status).toBe("FAILED");
    isBroken = false;
    await client.retryTaskflow("f8");
    expect((await client.waitForTaskflow("f8")).status).toBe("COMPLETED");
    const { lastSeq } = await client.getEvents("f8");
    await eventually(() => expect(seqs).toEqual(upTo(lastSeq)));
  });

  test.each([
    ["another node", "other"],
    ["the coordinator's own process", "coordinator"],
  ] as const)(
    "what is no event on the subject is ignored by a subscriber in %s, and its node still answers",
    async (_name, at) => {
      const { service, letGo } = gate();
      const site = await cluster(service);
      const client = new TaskflowClient(site[at].broker);
      const events: TaskflowEvent[] = [];
      await client.produce(flowOf("f9"));
      const subscription = await client.subscribeToTaskflowEvents("f9", (event) => void events.push(event));
      const subject = getEventsEndpoint("f9", true, site.namespace);
      for (const text of [
        "",
        "no JSON",
        "null",
        "7",
        "[]",
        "{}",
        '{"seq":"5"}',
        '{"seq":5}',
        '{"seq":1e300,"data":{}}',
        '{"seq":5,"data":{"createdAt":"x"}}',
      ])
        spy.publish(subject, text);
      spy.publish(subject, new Uint8Array([0xff, 0xfe, 0x00]));
      await spy.flush();
      letGo();
      expect((await client.waitForTaskflow("f9")).status).toBe("COMPLETED");
      await eventually(() => expect(seqsOf(events)).toEqual(upTo(7)));
      expect((await client.getTaskflowDetails("f9")).status).toBe("COMPLETED");
      subscription.unsubscribe();
    },
  );

  test("follow an id that was deleted and produced again as a new taskflow, and say so once", async () => {
    const { service, letGo } = gate();
    const { client, other } = await cluster(service);
    letGo();
    const events: TaskflowEvent[] = [];
    const recreated: number[] = [];
    const subscriber = new TaskflowClient(other.broker);
    await client.produce(flowOf("f10"));
    const first = await client.waitForTaskflow("f10");
    const subscription = await subscriber.subscribeToTaskflowEvents("f10", (event) => void events.push(event), {
      onRecreated: (createdAt) => void recreated.push(createdAt),
    });
    expect(seqsOf(events)).toEqual(upTo(7));
    await client.deleteTaskflow("f10");
    await client.produce(flowOf("f10", [stageOf("one", ["ok"]), stageOf("two", ["ok"])]));
    const second = await client.waitForTaskflow("f10");
    const { lastSeq } = await client.getEvents("f10");
    await eventually(() => expect(seqsOf(events)).toEqual([...upTo(7), ...upTo(lastSeq)]), { timeoutMs: 15_000 });
    expect(recreated).toEqual([second.createdAt]);
    expect(new Set(events.slice(0, 7).map(({ data }) => data.createdAt))).toEqual(new Set([first.createdAt]));
    expect(new Set(events.slice(7).map(({ data }) => data.createdAt))).toEqual(new Set([second.createdAt]));
    subscription.unsubscribe();
  }, 30_000);
});

describe("events in a single process without NATS", () => {
  test("a subscriber gets each one exactly once, even if its handler throws or is slow", async () => {
    const { service, letGo } = gate();
    const { client } = await startLocalNode({ services: [service] });
    const { eventSubscription } = await client.produce(flowOf("l1"));
    expect(eventSubscription).toBe("taskflow.events.l1");
    const thrown: number[] = [];
    const slow: number[] = [];
    await client.subscribeToTaskflowEvents("l1", ({ seq }) => {
      thrown.push(seq);
      throw new Error("A handler's own mistake.");
    });
    await client.subscribeToTaskflowEvents("l1", async ({ seq }) => {
      await new Promise(setImmediate);
      slow.push(seq);
    });
    letGo();
    await eventually(() => expect([thrown.length, slow.length]).toEqual([7, 7]));
    expect([thrown, slow]).toEqual([upTo(7), upTo(7)]);
  });

  test("after unsubscribe none is handed over, not even in the handler's own turn", async () => {
    const { service, letGo } = gate();
    const { client } = await startLocalNode({ services: [service] });
    await client.produce(flowOf("l2"));
    const seqs: number[] = [];
    const subscription = await client.subscribeToTaskflowEvents("l2", ({ seq }) => void seqs.push(seq));
    const before = subscription.lastSeq;
    subscription.unsubscribe();
    letGo();
    await client.waitForTaskflow("l2");
    expect(seqs).toEqual(upTo(before));
    expect(await rejection(client.subscribeToTaskflowEvents("none", () => {}))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
  });

  test("the tree in them is right for one who comes after a time without listeners", async () => {
    const [one, two] = [gate(), gate()];
    const actions = { first: one.service.actions?.["wait"], second: two.service.actions?.["wait"] } as ServiceSchema["actions"] &
      object;
    const { client } = await startLocalNode({ services: [{ name: "svc", actions }] });
    // Who listens for one taskflow has the events of all made.
    await client.produce(flowOf("other", [stageOf("one", ["none"])]));
    const listening = await client.subscribeToTaskflowEvents("other", () => {});
    await client.produce(flowOf("l3", [stageOf("one", ["first"]), stageOf("two", ["second"])]));
    await eventually(() => expect(one.calls()).toBe(1));
    listening.unsubscribe();
    one.letGo();
    await eventually(() => expect(two.calls()).toBe(1));
    const events: TaskflowEvent[] = [];
    await client.subscribeToTaskflowEvents("l3", (event) => void events.push(event), { since: 8 });
    two.letGo();
    await eventually(() => expect(events.at(-1)).toMatchObject({ data: { taskflowStatus: "COMPLETED" } }));
    const tree = events.at(-1)?.data.taskflowObject as TaskflowState;
    const tasks = Object.values(tree.stages ?? {}).flatMap((stage) => Object.values(stage.tasks));
    expect(tasks.map((task) => task.status)).toEqual(["SUCCESS", "SUCCESS"]);
  });
});

/**
 * The first taskflow that anybody runs, `examples/group.json`, unchanged: coordinator, producer
 * and workers are processes and nodes of their own on a real NATS server, and the workers are
 * plain Moleculer services on Moleculer's own transporter.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import type { Context, ServiceBroker, ServiceSchema } from "moleculer";
import { join } from "node:path";
import { TaskflowClient } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { startProcess, startReadyProcess } from "../helpers/processes.ts";
import type { TestProcess } from "../helpers/processes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

jest.setTimeout(60_000);

const GROUP = "createGroup";
const ALPHA = "vions56x";
const BETA = "viosds6456x";

/** One execution of a handler. It answers when the test says so. */
interface Call {
  readonly startedAt: number;
  answeredAt?: number;
  readonly params: unknown;
  readonly answer: () => void;
}

/** The executions, by appliance, or `createGroup`. */
class Calls {
  readonly #calls = new Map<string, Call[]>();
  readonly #free = new Set<string>();

  of(what: string): Call[] {
    return this.#calls.get(what) ?? [];
  }

  /** Lets the calls that wait answer, and those to come. */
  release(...names: string[]): void {
    for (const what of names) {
      this.#free.add(what);
      for (const call of this.of(what)) call.answer();
    }
  }

  async handle(what: string, params: unknown): Promise<{ success: true; what: string }> {
    const released = Promise.withResolvers<undefined>();
    const call: Call = { startedAt: Date.now(), params, answer: () => released.resolve(undefined) };
    this.#calls.set(what, [...this.of(what), call]);
    if (this.#free.has(what)) call.answer();
    await released.promise;
    call.answeredAt = Date.now();
    return { success: true, what };
  }
}

let server: NatsServer;
let calls: Calls;
let namespace: string;
let store: string;
let coordinator: TestProcess;
let client: TaskflowClient;

beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

function startCoordinator(): TestProcess {
  const env = { NATS_URL: server.url, NAMESPACE: namespace, NODE_ID: "coordinator", TASKFLOW_STORE: store, LOG_LEVEL: "warn" };
  return startProcess("bin/start.ts", { env });
}

beforeEach(async () => {
  calls = new Calls();
  namespace = uniqueNamespace();
  store = `sqlite:${join(tempFolder(), "taskflow.db")}`;
  coordinator = startCoordinator();
  const node = (nodeID: string, ...services: ServiceSchema[]): ServiceBroker =>
    createNode(server.url, { namespace, nodeID, services, requestTimeout: 3_000 }).broker;
  const brokers = [
    node("groups", { name: "group-core", actions: { createGroup: (ctx: Context) => calls.handle(GROUP, ctx.params) } }),
    node("appliances", {
      name: "appliance-core",
      actions: {
        AddApplianceToGroup: (ctx: Context<{ applianceId: string }>) => calls.handle(ctx.params.applianceId, ctx.params),
      },
    }),
  ];
  const watching = node("watching");
  await Promise.all([...brokers, watching].map((broker) => broker.start()));
  await watching.waitForServices(["taskflow", "group-core", "appliance-core"], 20_000, 10);
  client = new TaskflowClient(watching);
});

afterEach(async () => {
  calls.release(GROUP, ALPHA, BETA);
  await coordinator.end("SIGKILL");
  await stopNodes();
});

/** What a producer in a process of its own was answered, and when. */
async function produce(): Promise<{ taskflowId: string; answer: unknown; answeredAt: number }> {
  const args = [server.url, namespace, "examples/group.json"];
  const { child, ready } = await startReadyProcess("test/helpers/produce.ts", { args });
  expect((await child.exited).code).toBe(0);
  const { answer, answeredAt } = ready as unknown as { answer: { data: { taskflowId: string } }; answeredAt: number };
  return { taskflowId: answer.data.taskflowId, answer, answeredAt };
}

const isCalled = (what: string, times: number): Promise<void> =>
  eventually(() => expect(calls.of(what)).toHaveLength(times), { timeoutMs: 30_000 });

test("produce is answered with the id and the subject of its events, before any task has ended", async () => {
  // No handler answers before the producer has its answer: if it waited for a task, it would wait
  // for ever.
  const { taskflowId, answer, answeredAt } = await produce();
  expect(answer).toEqual({
    success: true,
    data: { taskflowId: expect.any(String), eventSubscription: `${namespace}.taskflow.events.${taskflowId}` },
  });

  calls.release(GROUP, ALPHA, BETA);
  const details = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });

  expect(details.status).toBe("COMPLETED");
  for (const what of [GROUP, ALPHA, BETA]) {
    expect(calls.of(what)).toHaveLength(1);
    expect(calls.of(what)[0]!.answeredAt).toBeGreaterThanOrEqual(answeredAt);
  }
});

test("the appliances are added only after the group's creation has answered, and then at the same time", async () => {
  const { taskflowId } = await produce();
  await isCalled(GROUP, 1);
  expect([calls.of(ALPHA), calls.of(BETA)]).toEqual([[], []]);
  calls.release(GROUP);
  // Neither has answered while both run.
  await Promise.all([isCalled(ALPHA, 1), isCalled(BETA, 1)]);
  const createdAt = calls.of(GROUP)[0]!.answeredAt!;
  for (const what of [ALPHA, BETA]) expect(calls.of(what)[0]!.startedAt).toBeGreaterThanOrEqual(createdAt);
  expect(calls.of(GROUP)[0]!.params).toEqual({ groupId: "sdvn78", groupType: "room", groupName: "bed-room" });
  expect(calls.of(ALPHA)[0]!.params).toEqual({ groupId: "sdvn78", applianceId: ALPHA });

  calls.release(ALPHA, BETA);
  const details = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
  const tasks = Object.values(details.stages).flatMap((stage) => Object.values(stage.tasks));
  expect(tasks.map(({ name, status, response }) => ({ name, status, response }))).toEqual([
    { name: "createGroup", status: "SUCCESS", response: { success: true, what: GROUP } },
    { name: "addApplianceAlpha", status: "SUCCESS", response: { success: true, what: ALPHA } },
    { name: "addApplianceBeta", status: "SUCCESS", response: { success: true, what: BETA } },
  ]);
});

test("a coordinator killed in the second stage goes on where it was: what had answered is not called again, the rest is", async () => {
  const { taskflowId } = await produce();
  calls.release(GROUP, ALPHA);
  await Promise.all([isCalled(ALPHA, 1), isCalled(BETA, 1)]);
  await eventually(async () => expect((await client.getTask(taskflowId, "addApplianceAlpha")).status).toBe("SUCCESS"));

  expect(await coordinator.end("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
  coordinator = startCoordinator();
  await isCalled(BETA, 2);
  calls.release(BETA);

  const details = await client.waitForTaskflow(taskflowId, { timeout: 30_000 });
  expect(details.status).toBe("COMPLETED");
  expect([calls.of(GROUP), calls.of(ALPHA), calls.of(BETA)].map(({ length }) => length)).toEqual([1, 1, 2]);
  const beta = await client.getTask(taskflowId, "addApplianceBeta");
  expect(beta.attempts).toMatchObject([{ attempt: 0, deliveries: 2, status: "SUCCESS" }]);
});

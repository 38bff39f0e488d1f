/**
 * Requests that a worker turns away: a full bulkhead, a ledger that refuses. Each is tried again,
 * quietly.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import { MemoryLedger } from "../../lib/worker/ledger/memory.ts";
import { TaskflowWorker, type TaskflowEvent } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { startPair } from "../helpers/pair.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopLocalNodes();
  await stopNodes();
});
afterAll(() => server.stop());

const TASKS = 40;
const names = Array.from({ length: TASKS }, (_, index) => `t${index}:work`);
const stages = [stageOf("only", names)];

/** Two run at once, and two wait. */
function narrow(runs: string[], mixins: NonNullable<ServiceSchema["mixins"]> = []): ServiceSchema {
  return {
    name: "svc",
    mixins,
    actions: {
      work: {
        bulkhead: { enabled: true, concurrency: 2, maxQueueSize: 2 },
        handler: async (ctx) => {
          runs.push(ctx.id);
          await delay(20);
        },
      },
    },
  };
}

/** A ledger whose store is down for a while. */
class RefusingLedger extends MemoryLedger {
  isDown = true;
  refusals = 0;

  override async begin(...given: Parameters<MemoryLedger["begin"]>): ReturnType<MemoryLedger["begin"]> {
    if (this.isDown) {
      this.refusals++;
      throw new Error("The ledger's store is down.");
    }
    return super.begin(...given);
  }
}

test.each([
  ["plain", []],
  ["with the mixin", [TaskflowWorker()]],
] as const)(
  "at a full remote worker, %s, a try is neither an event nor an entry of the journal",
  async (_title, mixins) => {
    const runs: string[] = [];
    const { a } = await startPair(server.url, narrow(runs, [...mixins]));
    const events: TaskflowEvent[] = [];
    await a.client.produce({ taskflowId: "f", stages });
    await a.client.subscribeToTaskflowEvents("f", (event) => void events.push(event));
    const { status, revision } = await a.client.waitForTaskflow("f");
    expect(status).toBe("COMPLETED");
    expect(runs).toHaveLength(TASKS);
    await eventually(() => expect(events.at(-1)).toMatchObject({ data: { taskflowStatus: "COMPLETED" } }));
    // WAITING and RUNNING of the taskflow and its stage, RUNNING and SUCCESS of each task, and
    // two ends.
    expect(events.length).toBeLessThanOrEqual(2 * TASKS + 5);
    expect(revision).toBeLessThanOrEqual(3 * TASKS);
  },
  60_000,
);

test("in the coordinator's own process too", async () => {
  const runs: string[] = [];
  const { client } = await startLocalNode({ services: [narrow(runs)] });
  await client.produce({ taskflowId: "f", stages });
  await client.waitForTaskflow("f");
  const { events } = await client.getEvents("f", { since: 0, limit: 1_000 });
  expect(runs).toHaveLength(TASKS);
  expect(events.length).toBeLessThanOrEqual(2 * TASKS + 5);
}, 60_000);

test("a ledger that refuses is asked ever more rarely, the reason is explained, and the work runs once it is back", async () => {
  const runs: string[] = [];
  const ledger = new RefusingLedger({ keepForMs: 60_000, maxRecords: 1_000 });
  const service: ServiceSchema = {
    name: "svc",
    mixins: [TaskflowWorker({ ledger })],
    actions: { work: () => void runs.push("") },
  };
  const { a, b } = await startPair(server.url, service);
  await a.client.produce({ taskflowId: "f", stages });
  await delay(5_000);
  const asked = ledger.refusals;
  // Six tries a task in 5 s: 250 to 500 ms, twice that, …
  expect(asked).toBeLessThanOrEqual(7 * TASKS);
  const details = await a.client.getTaskflowDetails("f");
  const tasks = Object.values(details.stages).flatMap((stage) => Object.values(stage.tasks));
  expect(tasks[0]).toMatchObject({ status: "QUEUED", statusReason: "CONCURRENCY_LIMIT", attempt: 0 });
  expect(details.revision).toBeLessThanOrEqual(3 * TASKS);
  const { reasons } = await a.client.explainTaskflow("f");
  expect(reasons.map(({ code }) => code)).toContain("NOT_SENT");
  // A takeover begins the pauses anew, and stores no try either.
  await a.node.broker.stop();
  await eventually(async () => expect((await b.client.getTaskflowDetails("f")).revision).toBeGreaterThan(details.revision), {
    timeoutMs: 20_000,
  });
  await delay(3_000);
  const { revision } = await b.client.getTaskflowDetails("f");
  await delay(3_000);
  expect((await b.client.getTaskflowDetails("f")).revision).toBe(revision);
  ledger.isDown = false;
  expect(await b.client.waitForTaskflow("f")).toMatchObject({ status: "COMPLETED" });
  expect(runs).toHaveLength(TASKS);
}, 60_000);

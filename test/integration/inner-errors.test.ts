/**
 * A handler that fails with an error of the bus, raised by a call of its own, has failed: the
 * error is not taken for the bus's word about the task, which would be called again without end.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Errors, type Context, type ServiceSchema } from "moleculer";
import { NatsTransporter, TaskflowClient, TaskflowService, TaskflowWorker } from "../../lib/index.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(stopNodes);

const ACTION = "svc.work";

/**
 * Errors that an inner call of the handler's own action may fail with, and errors that only look
 * so.
 */
const INNER: Record<string, (ctx: Context) => unknown> = {
  "a node that is down": (ctx) => ctx.call(ACTION, {}, { nodeID: "gone" }),
  "a full queue at another node": () => {
    throw new Errors.QueueIsFullError({ action: ACTION, nodeID: "other" });
  },
  "a service that is not available": () => {
    throw new Errors.ServiceNotAvailableError({ action: ACTION, nodeID: "other" });
  },
  "a request that timed out": () => {
    throw new Errors.RequestTimeoutError({ action: ACTION, nodeID: "other" });
  },
  "a request that was rejected": () => {
    throw new Errors.RequestRejectedError({ action: ACTION, nodeID: "other" });
  },
  "the fence of another attempt": () => {
    throw new Errors.MoleculerError("No.", 409, "TASKFLOW_FENCED", { action: ACTION, key: "another" });
  },
  "the ledger of another attempt": () => {
    throw new Errors.MoleculerError("No.", 503, "TASK_LEDGER_UNAVAILABLE", { action: ACTION, key: "another" });
  },
  "the unknown outcome of another attempt": () => {
    throw new Errors.MoleculerError("No.", 500, "TASK_OUTCOME_UNKNOWN", { action: ACTION, key: "another" });
  },
  "a full queue at its own node": (ctx) => {
    throw new Errors.QueueIsFullError({ action: ACTION, nodeID: ctx.broker.nodeID });
  },
};

interface Site {
  readonly client: TaskflowClient;
  /** How often the handler ran. */
  runs(): number;
}

async function openSite(hasMixin: boolean, isLocal: boolean, inner: (ctx: Context) => unknown): Promise<Site> {
  const namespace = uniqueNamespace();
  let runs = 0;
  const service: ServiceSchema = {
    name: "svc",
    mixins: hasMixin ? [TaskflowWorker()] : [],
    actions: {
      done: () => 1,
      work(ctx: Context) {
        runs++;
        return inner(ctx);
      },
    },
  };
  const start = async (services: readonly ServiceSchema[]) => {
    const node = createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID: uniqueName("node"), services });
    await node.broker.start();
    return node.broker;
  };
  if (!isLocal) await start([service]);
  const coordinator = await start([TaskflowService({ store: "memory:", shutdownGrace: 50 }), ...(isLocal ? [service] : [])]);
  await coordinator.waitForServices("svc");
  return { client: new TaskflowClient(coordinator), runs: () => runs };
}

const WORK = { type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: "work" } };
const PLACES = [
  ["a plain service in another process", false, false],
  ["a service with the mixin in another process", true, false],
  ["a plain service in the coordinator's process", false, true],
  ["a service with the mixin in the coordinator's process", true, true],
] as const;

describe.each(PLACES)("a handler of %s", (_, hasMixin, isLocal) => {
  // At a plain remote worker this one error is the bus's own, word for word: the node is its own.
  const certain = Object.keys(INNER).filter((name) => name !== "a full queue at its own node" || hasMixin || isLocal);

  test.each(certain)("runs once and fails by its inner call: %s", async (name) => {
    const site = await openSite(hasMixin, isLocal, INNER[name] as (ctx: Context) => unknown);
    for (const exactlyOnceTaskExecution of [false, true]) {
      const before = site.runs();
      const options = { exactlyOnceTaskExecution, maxRetries: 0 };
      const { taskflowId } = await site.client.produce({ options, stages: [{ name: "s", tasks: [{ name: "t", ...WORK }] }] });
      const details = await site.client.waitForTaskflow(taskflowId, { timeout: 10_000 });
      const [task] = Object.values(Object.values(details.stages)[0]?.tasks ?? {});
      expect(details.status).toBe("FAILED");
      expect(task).toMatchObject({ status: "FAILED", attempts: [{ deliveries: 1, status: "FAILED" }] });
      expect(site.runs() - before).toBe(1);
    }
  });

  test("is undone once, whatever its undo fails with", async () => {
    const site = await openSite(hasMixin, isLocal, INNER["a node that is down"] as (ctx: Context) => unknown);
    const done = { type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: "done" } };
    const { taskflowId } = await site.client.produce({
      stages: [
        { name: "s", tasks: [{ name: "t", ...done, compensate: { taskDetails: WORK.taskDetails } }] },
        { name: "e", tasks: [{ name: "f", ...WORK }] },
      ],
      options: { onFailure: "compensate" },
    });
    const details = await site.client.waitForTaskflow(taskflowId, { timeout: 10_000 });
    expect(details).toMatchObject({ status: "FAILED", compensation: { status: "FAILED" } });
    expect(site.runs()).toBe(2);
  });
});

test("a handler's own PAYLOAD_TOO_LARGE keeps its message", async () => {
  for (const [, hasMixin, isLocal] of PLACES) {
    const site = await openSite(hasMixin, isLocal, () => {
      throw new Errors.MoleculerError("The parcel is too large.", 500, "PAYLOAD_TOO_LARGE");
    });
    const { taskflowId } = await site.client.produce({ stages: [{ name: "s", tasks: [{ name: "t", ...WORK }] }] });
    const details = await site.client.waitForTaskflow(taskflowId, { timeout: 10_000 });
    const [task] = Object.values(Object.values(details.stages)[0]?.tasks ?? {});
    expect(task?.error).toMatchObject({ type: "PAYLOAD_TOO_LARGE", message: "The parcel is too large." });
    await stopNodes();
  }
});

test.each([false, true])(
  "a request that a full queue turns away is sent again, uncounted: in the coordinator's process %s",
  async (isLocal) => {
    const namespace = uniqueNamespace();
    let runs = 0;
    const service: ServiceSchema = {
      name: "svc",
      actions: {
        work: {
          bulkhead: { enabled: true, concurrency: 1, maxQueueSize: 1 },
          async handler() {
            runs++;
            await new Promise((resolve) => setTimeout(resolve, 20));
            return runs;
          },
        },
      },
    };
    const start = async (services: readonly ServiceSchema[]) => {
      const node = createNode(new NatsTransporter({ url: server.url }), { namespace, nodeID: uniqueName("node"), services });
      await node.broker.start();
      return node.broker;
    };
    if (!isLocal) await start([service]);
    const coordinator = await start([TaskflowService({ store: "memory:", shutdownGrace: 50 }), ...(isLocal ? [service] : [])]);
    await coordinator.waitForServices("svc");
    const client = new TaskflowClient(coordinator);
    const tasks = Array.from({ length: 6 }, (_, index) => ({ name: `t${index}`, ...WORK }));
    const { taskflowId } = await client.produce({ stages: [{ name: "s", tasks }] });
    const details = await client.waitForTaskflow(taskflowId, { timeout: 20_000 });
    expect(details.status).toBe("COMPLETED");
    expect(runs).toBe(6);
  },
);

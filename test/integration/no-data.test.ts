/**
 * Answers that are no data end their attempt as such, wherever that can be known: everywhere but at
 * a worker without the mixin on Moleculer's own transporter, which sends a Map as `{}`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Context, ServiceSchema } from "moleculer";
import { TaskflowWorker } from "../../lib/index.ts";
import { callOf, deliver } from "../helpers/deliver.ts";
import { type LocalNode, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { type NatsServer, startNatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { closeSites, openSite, type Site, type WorkerNode } from "../helpers/worker-nodes.ts";
import { answerOf, DATA_KINDS, INNER_STREAM, NO_DATA_KINDS, STREAM_KINDS } from "./no-data-answers.ts";

/** By then a stream without a file has failed. */
const ERROR_MS = 50;

const refused = (kind: string): object => ({
  kind: "failed",
  permanent: true,
  error: { type: "RESPONSE_NOT_SERIALIZABLE", message: expect.stringContaining(`got ${kind}`) as unknown },
});

describe.each([
  ["the mixin on NatsTransporter", "svc", false],
  ["the mixin on Moleculer's own transporter", "svc", true],
  ["a plain worker on NatsTransporter", "plain", false],
  ["a plain worker on Moleculer's own transporter", "plain", true],
] as const)("%s", (_, service, stock) => {
  let server: NatsServer;
  let site: Site;
  let worker: WorkerNode;
  beforeAll(async () => {
    server = await startNatsServer();
    site = await openSite(server.url);
    worker = await site.worker({ stock });
  });
  afterAll(async () => {
    await closeSites();
    await stopNodes();
    await server.stop();
  });
  afterEach(() => expect(worker.child.exit).toBeUndefined());

  const answer = (kind: string): ReturnType<typeof deliver> =>
    deliver(site.bus, callOf(`${service}.answer`, { node: worker.nodeID, params: { kind } }));
  const isKnown = !(stock && service === "plain");

  test.each(NO_DATA_KINDS)("answers with %s", async (kind) => {
    expect(await answer(kind)).toMatchObject(isKnown ? refused(kind) : { kind: "answered" });
  });

  test.each(STREAM_KINDS)("answers with a stream %s", async (kind) => {
    expect(await answer(kind)).toMatchObject(refused("a stream"));
    await delay(ERROR_MS);
    expect(await answer("date")).toMatchObject({ kind: "answered" });
  });

  const mixinTest = service === "svc" ? test : undefined;
  mixinTest?.("answers with a stream inside that fails, and lives", async () => {
    expect(await answer(INNER_STREAM)).toMatchObject(refused("a stream at /files/0"));
    await delay(ERROR_MS);
    expect(await answer("date")).toMatchObject({ kind: "answered" });
  });

  test("answers with a cycle", async () => {
    const error = { message: expect.stringContaining("circular") as unknown };
    const outcome = await deliver(site.bus, callOf(`${service}.tell`, { node: worker.nodeID, params: { kind: "cycle" } }));
    expect(outcome).toMatchObject({ kind: "failed", permanent: isKnown, error });
  });

  test.each(DATA_KINDS)("answers with data: %s", async (kind, text) => {
    expect(await answer(kind)).toMatchObject({ kind: "answered", response: text });
  });
});

describe.each([
  ["a plain service", []],
  ["a service with the mixin", [TaskflowWorker()]],
] as const)("%s in the coordinator's process", (_, mixins) => {
  const calls: string[] = [];
  let node: LocalNode;
  beforeAll(async () => {
    const answer = (ctx: Context<{ kind: string }>): unknown => {
      calls.push(ctx.params.kind);
      return answerOf(ctx.params.kind);
    };
    const service = { name: "svc", mixins: [...mixins], actions: { answer } } as unknown as ServiceSchema;
    node = await startLocalNode({ services: [service] });
  });
  afterAll(stopLocalNodes);

  const run = async (kind: string) => {
    const task = {
      name: "t",
      type: "ACTION",
      taskDetails: { serviceId: "svc", actionName: "answer" },
      params: { kind },
    } as const;
    const options = { maxRetries: 2, retryDelay: 1 };
    const { taskflowId } = await node.client.produce({ options, stages: [{ name: "s", tasks: [task] }] });
    await node.client.waitForTaskflow(taskflowId, { timeout: 20_000 });
    return node.client.getTask(taskflowId, "t");
  };

  test.each([
    ...NO_DATA_KINDS.map((kind) => [kind, kind]),
    ...STREAM_KINDS.map((kind) => [kind, "a stream"]),
    [INNER_STREAM, "a stream at /files/0"],
  ])("answers once with %s", async (kind = "", got = "") => {
    calls.length = 0;
    const message = expect.stringContaining(`got ${got}`) as unknown;
    expect(await run(kind)).toMatchObject({ status: "FAILED", error: { type: "RESPONSE_NOT_SERIALIZABLE", message } });
    await delay(ERROR_MS);
    expect(calls).toEqual([kind]);
  });

  test.each(DATA_KINDS)("answers with data: %s", async (kind, text) => {
    const task = await run(kind);
    expect(task).toMatchObject({ status: "SUCCESS" });
    expect(JSON.stringify(task.response)).toBe(text);
  });
});

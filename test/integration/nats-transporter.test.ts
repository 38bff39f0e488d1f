/**
 * The project's transporter on a real NATS server: what is on the wire, and what reaches handlers
 * and callers.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { Context, ServiceSchema } from "moleculer";
import { connect } from "nats";
import type { Msg, NatsConnection } from "nats";
import { NatsTransporter } from "../../lib/adapters/nats/transporter.ts";
import { readExecutionContext, WireContext } from "../../lib/protocol/wire-context.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import type { TestNode } from "../helpers/nodes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

const MAX_PAYLOAD = 256 * 1024;
const HEADERS = {
  taskflowId: "flow-1",
  stageId: "stage-1",
  taskId: "task-1",
  attempt: 2,
  delivery: 1,
  fence: 7,
  idempotencyKey: "flow-1:task-1:2",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
};

type Meta = Record<string, unknown>;

const worker: ServiceSchema = {
  name: "worker",
  actions: {
    readMeta: (ctx: Context) => ({ meta: ctx.meta, headers: ctx.headers }),
    callOn: (ctx: Context) => ctx.call("other.readMeta"),
    writeMeta(ctx: Context<{ bytes: number }>) {
      (ctx.meta as Meta).written = "x".repeat(ctx.params.bytes);
      return true;
    },
    answer: (ctx: Context<{ bytes: number }>) => "x".repeat(ctx.params.bytes),
    fail(ctx: Context<{ bytes: number }>) {
      throw Object.assign(new Error("it broke"), { code: 503, type: "BROKEN", data: { dump: "x".repeat(ctx.params.bytes) } });
    },
    failWithBigInt() {
      throw Object.assign(new Error("it broke"), { data: { size: 1n } });
    },
  },
};
const other: ServiceSchema = { name: "other", actions: { readMeta: (ctx: Context) => ({ meta: ctx.meta }) } };

let server: NatsServer;
let spy: NatsConnection;

beforeAll(async () => {
  server = await startNatsServer({ config: `max_payload: ${MAX_PAYLOAD}` });
  spy = await connect({ servers: server.url });
});
afterEach(stopNodes);
afterAll(async () => {
  await spy.close();
  await server.stop();
});

const ours = (): NatsTransporter => new NatsTransporter({ url: server.url });
const unbuffered = (): NatsTransporter => new NatsTransporter({ url: server.url, writeBuffer: false });
const stock = (): string => server.url;

/**
 * A caller and a worker that know each other, and what a third party saw of their requests and
 * responses.
 */
async function pair(callerTransporter: NatsTransporter | string, workerTransporter: NatsTransporter | string) {
  const namespace = uniqueNamespace();
  const seen: Msg[] = [];
  for (const kind of ["REQ", "RES"]) {
    spy.subscribe(`MOL-${namespace}.${kind}.*`, { callback: (_error, message) => seen.push(message) });
  }
  await spy.flush();
  const caller = createNode(callerTransporter, { namespace, nodeID: "caller" });
  const working = createNode(workerTransporter, { namespace, nodeID: "worker", services: [worker] });
  await Promise.all([caller.broker.start(), working.broker.start()]);
  await caller.broker.waitForServices("worker", 10_000, 10);
  const packets = (kind: string): Msg[] => seen.filter(({ subject }) => subject.startsWith(`MOL-${namespace}.${kind}.`));
  return { caller, working, packets };
}

function callWith(caller: TestNode, action: string, meta: Meta, params: object = {}): Promise<{ meta: Meta }> {
  return caller.broker.call<{ meta: Meta }, object>(action, params, { meta, timeout: 5_000 });
}

describe("between two nodes with the transporter", () => {
  test.each([
    ["", ours],
    [", without the write buffer", unbuffered],
  ])(
    "the execution context travels in a NATS header and not in the payload, with the small headers beside it%s",
    async (_, one) => {
      const { caller, packets } = await pair(one(), one());
      const context = { taskflow: { id: "flow-1" }, previousStageRes: [{ taskName: "größe ✓", response: null }] };
      const meta = { user: "ada", taskflowExecutionContext: new WireContext(JSON.stringify(context), HEADERS) };

      const answer = await callWith(caller, "worker.readMeta", meta);

      expect(answer.meta).toEqual({ user: "ada", taskflowExecutionContext: context });
      expect(meta.taskflowExecutionContext).toBeInstanceOf(WireContext);
      const [request] = await eventually(() => {
        expect(packets("REQ")).toHaveLength(1);
        return packets("REQ");
      });
      const payload = request!.json<{ meta: Meta }>();
      expect(payload.meta).toEqual({ user: "ada" });
      const header = request!.headers!.get("Taskflow-Execution-Context");
      expect(header).toMatch(/^[\x20-\x7e]+$/);
      expect(JSON.parse(header)).toEqual(context);
      const small = Object.fromEntries([...request!.headers!].filter(([name]) => name !== "Taskflow-Execution-Context"));
      expect(small).toEqual({
        "Taskflow-Id": ["flow-1"],
        "Taskflow-Stage-Id": ["stage-1"],
        "Taskflow-Task-Id": ["task-1"],
        "Taskflow-Attempt": ["2"],
        "Taskflow-Delivery": ["1"],
        "Taskflow-Fence": ["7"],
        "Taskflow-Protocol": ["1"],
        "Taskflow-Idempotency-Key": ["flow-1:task-1:2"],
        traceparent: [HEADERS.traceparent],
      });
    },
  );

  test("a nested call hands the context on in a header too, and the answers do not carry it back", async () => {
    const { caller, packets } = await pair(ours(), ours());
    const third = createNode(ours(), { namespace: caller.broker.namespace, nodeID: "third", services: [other] });
    await third.broker.start();
    await caller.broker.waitForServices("other", 10_000, 10);
    const context = { taskflow: { id: "flow-1" } };

    const answer = await eventually(() =>
      callWith(caller, "worker.callOn", { taskflowExecutionContext: new WireContext(JSON.stringify(context), HEADERS) }),
    );

    expect(answer.meta).toEqual({ taskflowExecutionContext: context });
    await eventually(() => expect(packets("RES").length).toBeGreaterThanOrEqual(2));
    const nested = packets("REQ").find(({ subject }) => subject.endsWith(".third"));
    expect(nested!.headers!.get("Taskflow-Execution-Context")).toBe(JSON.stringify(context));
    for (const response of packets("RES")) {
      expect(response.json<{ meta: Meta }>().meta).not.toHaveProperty("taskflowExecutionContext");
    }
  });

  test("any JSON value comes out as it went in, line ends, other scripts and keys like __proto__ included", async () => {
    const { caller } = await pair(ours(), ours());
    const unit = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("\r\n\r\n", "\u2028", "__proto__", "\ud800", "NATS/1.0\r\n", "\u007f"),
    );
    const value = fc.oneof(fc.jsonValue({ stringUnit: "binary" }), unit);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(unit, value), fc.boolean(), async (data, pretty) => {
        const text = JSON.stringify({ data }, null, pretty ? "\r\n\t" : undefined);
        const prepared = await callWith(caller, "worker.readMeta", { taskflowExecutionContext: new WireContext(text, HEADERS) });
        const plain = await callWith(caller, "worker.readMeta", { taskflowExecutionContext: JSON.parse(text) as unknown });
        const expected = JSON.stringify(JSON.parse(text));
        expect(JSON.stringify(prepared.meta.taskflowExecutionContext)).toBe(expected);
        expect(JSON.stringify(plain.meta.taskflowExecutionContext)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("a context that only outgrows the message by being escaped travels in the payload", async () => {
    const { caller, packets } = await pair(ours(), ours());
    const text = JSON.stringify({ note: "é".repeat(MAX_PAYLOAD / 4) });
    await callWith(caller, "worker.answer", { taskflowExecutionContext: new WireContext(text, HEADERS) }, { bytes: 1 });
    await eventually(() => expect(packets("REQ")).toHaveLength(1));
    expect(packets("REQ")[0]!.headers!.has("Taskflow-Execution-Context")).toBe(false);
  });

  test("a small header that could end the header block rejects the call, and nothing is sent", async () => {
    const { caller, packets } = await pair(ours(), ours());
    const context = new WireContext("{}", { ...HEADERS, taskId: "a\r\nTaskflow-Fence: 999" });
    await expect(callWith(caller, "worker.readMeta", { taskflowExecutionContext: context })).rejects.toThrow(
      "cannot travel in a NATS header",
    );
    expect(caller.broker.transit!.pendingRequests.size).toBe(0);
    expect(packets("REQ")).toHaveLength(0);
  });
});

describe("with a node on Moleculer's own transporter", () => {
  test("its handlers read the context from ctx.meta as usual, and the small headers are there", async () => {
    const { caller, packets } = await pair(ours(), stock());
    const context = { taskflow: { id: "flow-1" }, text: 'größe "\r\n' };
    const prepared = new WireContext(JSON.stringify(context), HEADERS);

    expect((await callWith(caller, "worker.readMeta", { user: "ada", taskflowExecutionContext: prepared })).meta).toEqual({
      user: "ada",
      taskflowExecutionContext: context,
    });
    expect((await callWith(caller, "worker.readMeta", { taskflowExecutionContext: prepared })).meta).toEqual({
      taskflowExecutionContext: context,
    });

    const [request] = packets("REQ");
    expect(request!.json<{ meta: Meta }>().meta.taskflowExecutionContext).toEqual(context);
    expect(request!.headers!.has("Taskflow-Execution-Context")).toBe(false);
    expect(request!.headers!.get("Taskflow-Fence")).toBe("7");
  });

  test("it can call a node with the transporter, and neither takes the other for what it is not", async () => {
    const { caller, working } = await pair(stock(), ours());
    const context = { taskflow: { id: "flow-1" } };
    expect((await callWith(caller, "worker.readMeta", { taskflowExecutionContext: context })).meta).toEqual({
      taskflowExecutionContext: context,
    });
    const transporter = working.broker.transit!.tx as NatsTransporter;
    expect(transporter.isHeaderCapable("caller")).toBe(false);
    expect(transporter.isHeaderCapable("worker")).toBe(true);
  });
});

describe("a message that is over max_payload", () => {
  const LIMIT_DATA = expect.objectContaining({ limit: MAX_PAYLOAD });

  test.each([
    ["an answer", "worker.answer", { success: true }],
    ["a meta", "worker.writeMeta", { success: true }],
    ["an error", "worker.fail", { success: false, error: { name: "Error", message: "it broke", code: 503, type: "BROKEN" } }],
  ])("%s reaches the caller as PAYLOAD_TOO_LARGE from a worker that stays alive", async (_what, action, outcome) => {
    const { caller } = await pair(ours(), ours());
    await expect(callWith(caller, action, {}, { bytes: 2_000_000 })).rejects.toMatchObject({
      name: "MoleculerClientError",
      code: 413,
      type: "PAYLOAD_TOO_LARGE",
      nodeID: "worker",
      data: expect.objectContaining({ limit: MAX_PAYLOAD, outcome }),
    });
    await expect(callWith(caller, "worker.answer", {}, { bytes: 3 })).resolves.toBe("xxx");
  });

  test("a request rejects its call, and was not sent", async () => {
    const { caller, packets } = await pair(ours(), ours());
    const call = callWith(caller, "worker.readMeta", {}, { text: "x".repeat(MAX_PAYLOAD) });
    await expect(call).rejects.toMatchObject({ code: 413, type: "PAYLOAD_TOO_LARGE", data: LIMIT_DATA });
    await expect(call).rejects.not.toHaveProperty("nodeID");
    expect(caller.broker.transit!.pendingRequests.size).toBe(0);
    expect(packets("REQ")).toHaveLength(0);
  });

  test("a context that nearly fills the request leaves room for a large answer", async () => {
    const { caller } = await pair(ours(), ours());
    const context = new WireContext(JSON.stringify({ note: "x".repeat(MAX_PAYLOAD - 2_000) }), HEADERS);
    const answer = callWith(caller, "worker.answer", { taskflowExecutionContext: context }, { bytes: MAX_PAYLOAD - 2_000 });
    await expect(answer).resolves.toHaveLength(MAX_PAYLOAD - 2_000);
  });
});

test("an error that JSON cannot hold reaches the caller as a failure instead of ending the worker", async () => {
  const { caller } = await pair(ours(), ours());
  await expect(callWith(caller, "worker.failWithBigInt", {})).rejects.toMatchObject({
    type: "RESPONSE_NOT_SERIALIZABLE",
    nodeID: "worker",
  });
});

test("readExecutionContext finds the context whether it came over the wire or not, and nothing where there is none", () => {
  const context = new WireContext('{"taskflow":{"id":"a"}}', HEADERS);
  expect(readExecutionContext({ taskflowExecutionContext: context })).toEqual({ taskflow: { id: "a" } });
  expect(readExecutionContext({ taskflowExecutionContext: context.value })).toBe(context.value);
  expect([undefined, null, {}, { taskflowExecutionContext: "text" }].map(readExecutionContext)).toEqual(Array(4).fill(undefined));
});

/** Requests of tasks go past `broker.call` where it adds nothing. Nobody but the clock can tell. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { BrokerOptions, Context, Middleware, Service, ServiceBroker } from "moleculer";
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { NatsTransporter } from "../../lib/index.ts";
import { callOf, deliver } from "../helpers/deliver.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueName, uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(stopNodes);
afterAll(() => server.stop());

/** A worker that keeps what it was sent, and a bus of another node. */
async function open(stock: boolean, options: BrokerOptions = {}) {
  const namespace = uniqueNamespace();
  const seen: object[] = [];
  const worker = uniqueName("worker");
  const keep = (ctx: Context): { kept: number } => {
    const { id, requestID, params, meta, headers, level, parentID, caller, tracing, options: given } = ctx;
    seen.push({ isRoot: id === requestID, params, meta, headers, level, parentID, caller, tracing, timeout: given.timeout });
    return { kept: seen.length };
  };
  const never = (): Promise<never> => new Promise(() => {});
  const services = [{ name: "svc", actions: { keep, never } }];
  await createNode(server.url, { namespace, nodeID: worker, services }).broker.start();
  const { broker } = createNode(stock ? server.url : new NatsTransporter({ url: server.url }), { namespace, ...options });
  await broker.start();
  await broker.waitForServices("svc");
  return { seen, broker, bus: new MoleculerBus(broker), node: worker };
}

/** Counts the calls that pass it. */
function watching(): { middleware: Middleware; calls: string[] } {
  const calls: string[] = [];
  const middleware: Middleware = {
    name: "Watching",
    remoteAction(next, action) {
      return function (this: Service, ctx) {
        calls.push(String(action.name));
        return next.call(this, ctx) as unknown;
      };
    },
  };
  return { middleware, calls };
}

test.each([
  ["the project's transporter", false],
  ["Moleculer's", true],
])("a worker is sent the same with and without a middleware in the way, with %s", async (_, stock) => {
  const { middleware, calls } = watching();
  const [direct, watched] = [await open(stock), await open(stock, { middlewares: [middleware] })];
  const given = { taskflowId: "flow", params: { text: "größe 日本語" }, meta: { tenant: "ä" }, timeout: 5_000 };
  for (const { bus, node } of [direct, watched]) {
    expect(await deliver(bus, callOf("svc.keep", { node, ...given }))).toEqual({
      kind: "answered",
      response: '{"kept":1}',
      reportedFailure: false,
    });
  }
  expect(direct.seen).toEqual(watched.seen);
  expect(direct.seen).toMatchObject([{ isRoot: true, level: 1, timeout: 5_000, params: given.params, meta: given.meta }]);
  expect(calls).toEqual(["svc.keep"]);
  expect(direct.broker.transit!.pendingRequests.size).toBe(0);
});

test("what nobody answers ends at its time, what is not offered is told as not sent, and nothing stays pending", async () => {
  const { bus, broker, node } = await open(false);
  expect(await deliver(bus, callOf("svc.never", { node, timeout: 50 }))).toMatchObject({
    kind: "unknown",
    error: { type: "TASK_TIMEOUT" },
  });
  expect(await deliver(bus, callOf("svc.none", { node }))).toMatchObject({ kind: "not-sent" });
  const end = bus.call(callOf("svc.never", { node, timeout: 500 }), () => {
    throw new Error("It was told of.");
  });
  expect(broker.transit!.pendingRequests.size).toBe(1);
  end();
  expect(broker.transit!.pendingRequests.size).toBe(0);
});

/** The calls that a broker makes from now on, by action. */
function callsOf(broker: ServiceBroker): string[] {
  const calls: string[] = [];
  const call = broker.call.bind(broker) as (...args: unknown[]) => unknown;
  broker.call = ((action: string, ...rest: unknown[]) => {
    calls.push(action);
    return call(action, ...rest);
  }) as typeof broker.call;
  return calls;
}

/** The same broker, seen with another version or another transit. */
function seenWith(broker: ServiceBroker, changes: Readonly<Record<string, unknown>>): ServiceBroker {
  return new Proxy(broker, {
    get(target, key): unknown {
      return typeof key === "string" && key in changes ? changes[key] : Reflect.get(target, key);
    },
  });
}

const ANSWERED = { kind: "answered", response: '{"kept":1}', reportedFailure: false };

test("the installed Moleculer is one that is known: a request goes past broker.call", async () => {
  const { broker, bus, node } = await open(false);
  const calls = callsOf(broker);
  expect(await deliver(bus, callOf("svc.keep", { node }))).toEqual(ANSWERED);
  expect(calls).toEqual([]);
});

test.each<[string, (broker: ServiceBroker) => MoleculerBus, RegExp[]]>([
  ["the option turns it off", (broker) => new MoleculerBus(broker, { fastPaths: false }), []],
  [
    "the version is not known",
    (broker) => new MoleculerBus(seenWith(broker, { MOLECULER_VERSION: "0.16.0" })),
    [/^Moleculer 0\.16\.0 has internals that are not known \(0\.15 are\): tasks are sent by broker\.call/],
  ],
  ...["pendingRequests", "publish", "removePendingRequest", "opts"].map(
    (part): [string, (broker: ServiceBroker) => MoleculerBus, RegExp[]] => [
      `the transit has another ${part}`,
      (broker) => new MoleculerBus(seenWith(broker, { transit: Object.create(broker.transit!, { [part]: { value: 1 } }) })),
      [/^Moleculer 0\.15\.\d+ lacks internals that it used to have/],
    ],
  ),
])("a request takes the plain path where %s", async (_, busOf, told) => {
  const { broker, node, seen } = await open(false);
  const lines: string[] = [];
  broker.logger.info = (...args: unknown[]) => void lines.push(String(args[0]));
  const bus = busOf(broker);
  const calls = callsOf(broker);
  expect(await deliver(bus, callOf("svc.keep", { node, params: { n: 1 }, meta: { tenant: "a" } }))).toEqual(ANSWERED);
  expect(calls).toEqual(["svc.keep"]);
  expect(seen).toMatchObject([{ level: 1, params: { n: 1 }, meta: { tenant: "a" } }]);
  expect(lines).toEqual(told.map((line): unknown => expect.stringMatching(line)));
});

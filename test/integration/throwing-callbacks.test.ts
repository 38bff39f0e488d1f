/** Callbacks that throw: neither the connection nor the process ends (docs/callbacks.md). */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Transit } from "moleculer";
import { connect } from "nats";
import { NatsTransporter } from "../../lib/adapters/nats/transporter.ts";
import type { NatsStatus } from "../../lib/adapters/nats/transporter.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

let server: NatsServer;

beforeEach(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopNodes();
  await server.stop();
});

function fail(): never {
  throw new Error("a callback threw");
}

test("a raw subscription goes on after a message that its callback could not handle", async () => {
  const transporter = new NatsTransporter(server.url);
  const node = createNode(transporter);
  await node.broker.start();
  const heard: string[] = [];
  transporter.subscribeRaw("raw.subject", (message) => {
    heard.push(message.string());
    fail();
  });
  const other = await connect({ servers: server.url });
  await transporter.flush();
  for (const text of ["one", "two"]) {
    other.publish("raw.subject", text);
    await other.flush();
  }
  await eventually(() => expect(heard).toEqual(["one", "two"]));
  expect(node.lines).toContain("error A message on raw.subject could not be handled. a callback threw");
  await other.close();
});

test("a listener of onStatus that throws keeps no state from the others, nor the next one from itself", async () => {
  const transporter = new NatsTransporter(server.url);
  const node = createNode(transporter);
  await node.broker.start();
  const seen: NatsStatus["type"][] = [];
  transporter.onStatus(fail);
  transporter.onStatus(({ type }) => seen.push(type));
  await server.restart();
  await eventually(() => expect(seen).toEqual(["disconnected", "reconnected"]), { timeoutMs: 10_000 });
  expect(node.lines).toContain("error A listener for the state of NATS failed. a callback threw");
});

test("a held answer that the server no longer accepts is given up, and the next ones are sent", async () => {
  const namespace = uniqueNamespace();
  const [calling, working] = [new NatsTransporter(server.url), new NatsTransporter(server.url)];
  const told = Promise.withResolvers<void>();
  let begun = 0;
  const answer = async (text: string): Promise<string> => {
    begun++;
    await told.promise;
    return text;
  };
  const actions = { large: () => answer("x".repeat(100_000)), small: () => answer("small") };
  const caller = createNode(calling, { namespace, nodeID: "caller" });
  const worker = createNode(working, { namespace, nodeID: "worker", services: [{ name: "worker", actions }] });
  await Promise.all([caller.broker.start(), worker.broker.start()]);
  await caller.broker.waitForServices("worker", 10_000, 10);
  caller.broker.call("worker.large").catch(() => undefined);
  await eventually(() => expect(begun).toBe(1));
  const small = caller.broker.call("worker.small");
  await eventually(() => expect(begun).toBe(2));
  await server.kill();
  await eventually(() => expect([calling.isOnline, working.isOnline]).toEqual([false, false]));
  told.resolve();
  await server.restart({ config: "max_payload: 65536" });
  await expect(small).resolves.toBe("small");
  expect(worker.lines).toContainEqual(expect.stringContaining("error An answer that was held while NATS was away is lost."));
});

test("a heartbeat between the client's end and its word of it throws nothing", async () => {
  const transporter = new NatsTransporter(server.url);
  const { broker } = createNode(transporter);
  await broker.start();
  const { localNode } = broker.registry.nodes;
  void transporter.client?.close();
  expect(transporter.client?.isClosed()).toBe(true);
  const transit = broker.transit as Transit & { sendHeartbeat(node: unknown): Promise<void> };
  await expect(transit.sendHeartbeat(localNode)).resolves.toBeUndefined();
});

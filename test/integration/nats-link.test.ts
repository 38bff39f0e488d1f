/**
 * The project's transporter and its connection: credentials, servers that are away, frozen or
 * unwilling, and what the node says of it.
 */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Context, ServiceSchema } from "moleculer";
import { connect } from "nats";
import { resolveNatsOptions } from "../../lib/adapters/nats/options.ts";
import { NatsTransporter } from "../../lib/adapters/nats/transporter.ts";
import type { NatsStatus } from "../../lib/adapters/nats/transporter.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { createNode, stopNodes } from "../helpers/nodes.ts";
import { uniqueNamespace } from "../helpers/unique.ts";

const PASSWORD = "p@ss:w/ö%rd";
const CREDENTIALS = `ada:${encodeURIComponent(PASSWORD)}`;
const usersConfig = (password: string, permissions = ""): string =>
  `authorization { users: [ { user: ada, password: "${password}" ${permissions} } ] }`;

let server: NatsServer;

beforeEach(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await stopNodes();
  await server.stop();
});

const withCredentials = (credentials: string): string => server.url.replace("//", `//${credentials}@`);

describe("credentials and options", () => {
  test("a password with percent-encoded characters opens the connection, and is in no line of the log", async () => {
    await server.restart({ config: usersConfig(PASSWORD) });
    const node = createNode(new NatsTransporter(withCredentials(CREDENTIALS)));
    await node.broker.start();
    expect(node.lines.join("\n")).not.toMatch(/p@ss|p%40ss/);
    expect(JSON.stringify(await node.broker.call("$node.options"))).not.toMatch(/p@ss|p%40ss/);
  });

  test("a user without a password is a token", async () => {
    await server.restart({ config: "authorization { token: secret-token }" });
    const node = createNode(new NatsTransporter({ url: withCredentials("secret-token") }));
    await node.broker.start();
    expect(node.broker.transit!.connected).toBe(true);
  });

  test("URLs become servers, credentials and TLS, and an option of its own wins over them", () => {
    const url = "tls://ada:one@first:4333, nats://[::1],third";
    expect(resolveNatsOptions(url)).toMatchObject({
      connection: {
        servers: ["first:4333", "[::1]:4222", "third:4222"],
        user: "ada",
        pass: "one",
        tls: {},
        ignoreAuthErrorAbort: true,
        maxReconnectAttempts: -1,
      },
    });
    const own = resolveNatsOptions({
      url,
      user: "bob",
      pass: "two",
      tls: { caFile: "ca.pem" },
      servers: "other:1",
      maxReconnectAttempts: 3,
    });
    expect(own.connection).toMatchObject({
      servers: ["other:1"],
      user: "bob",
      pass: "two",
      tls: { caFile: "ca.pem" },
      maxReconnectAttempts: 3,
    });
    expect(resolveNatsOptions({ url, token: "t" }).connection).not.toHaveProperty("user");
    expect(() => resolveNatsOptions("nats://a:1,http://ada:secret@b")).toThrow(
      /^(?!.*secret)The options of NatsTransporter are not valid: \/url must be .*: number 2 is none\.$/,
    );
  });

  test("wrong credentials are told in one line and tried again, until the server knows them", async () => {
    await server.restart({ config: usersConfig("old") });
    const node = createNode(new NatsTransporter(withCredentials(CREDENTIALS)));
    const started = node.broker.start();
    await eventually(() => expect(node.lines.join("\n")).toMatch(/warn .*refused the credentials .*trying again every 5 s/));
    await server.restart({ config: usersConfig(PASSWORD) });
    await started;
    expect(node.lines.join("\n")).not.toMatch(/p@ss|p%40ss/);
  });

  test("credentials that the server forgets and learns again while the node runs do not end it", async () => {
    await server.restart({ config: usersConfig(PASSWORD) });
    const transporter = new NatsTransporter(withCredentials(CREDENTIALS));
    const node = createNode(transporter);
    await node.broker.start();
    const seen = follow(transporter);
    await server.restart({ config: usersConfig("another") });
    await eventually(() => expect(seen.filter(({ type }) => type === "error").length).toBeGreaterThan(2));
    await server.restart({ config: usersConfig(PASSWORD) });
    await eventually(() => expect(seen.at(-1)?.type).toBe("reconnected"));
    expect(node.lines.filter((line) => line.includes("refused the credentials"))).toHaveLength(1);
  });

  test("a forbidden subject is told in one clear warning and through onStatus", async () => {
    await server.restart({ config: usersConfig(PASSWORD, ', permissions: { publish: { deny: ["forbidden.*"] } }') });
    const transporter = new NatsTransporter(withCredentials(CREDENTIALS));
    const node = createNode(transporter);
    await node.broker.start();
    const seen = follow(transporter);
    transporter.publishRaw("forbidden.fruit", "x");
    transporter.publishRaw("forbidden.fruit", "x");
    await eventually(() => expect(seen).toHaveLength(2));
    expect(seen[0]).toMatchObject({
      type: "error",
      code: "PERMISSIONS_VIOLATION",
      permission: { operation: "publish", subject: "forbidden.fruit" },
    });
    expect(node.lines.filter((line) => line.startsWith("warn ") && line.includes("publish to 'forbidden.fruit'"))).toHaveLength(
      1,
    );
  });
});

function follow(transporter: NatsTransporter): NatsStatus[] {
  const seen: NatsStatus[] = [];
  transporter.onStatus((status) => seen.push(status));
  return seen;
}

describe("a server that is not there", () => {
  test("is told within 3 s in one line that says what to do, and the node comes up when it comes up", async () => {
    await server.kill();
    const node = createNode(new NatsTransporter(server.url));
    const started = node.broker.start();
    const line = `warn Connection is failed. NATS is not reachable at 127.0.0.1:${server.port} (ECONNREFUSED). Start nats-server or set NATS_URL; trying again every 5 s`;
    await eventually(() => expect(node.lines).toContain(line), { timeoutMs: 3_000 });
    expect(node.lines.filter((each) => /^(warn|error|fatal) /.test(each))).toEqual([line]);
    await server.restart();
    await started;
  });

  test("is told within 3 s too when it takes the connection and says nothing", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const node = createNode(new NatsTransporter(`nats://127.0.0.1:${port}`));
    void node.broker.start();
    await eventually(() => expect(node.lines.join("\n")).toMatch(/NATS is not reachable at .* \(TIMEOUT\)/), {
      timeoutMs: 3_000,
    });
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
});

describe("a connection that is lost", () => {
  const events: string[] = [];
  const told = Promise.withResolvers<void>();
  let begun = 0;
  const worker: ServiceSchema = {
    name: "worker",
    actions: {
      quick: () => "done",
      async whenTold() {
        begun += 1;
        await told.promise;
        return "done while away";
      },
    },
    events: { "$transporter.*": (ctx: Context) => void events.push(ctx.eventName!) },
  };

  test("a call rejects at once as not sent, an answer that got ready meanwhile is delivered, and raw subjects go on", async () => {
    const namespace = uniqueNamespace();
    const [calling, working] = [new NatsTransporter(server.url), new NatsTransporter(server.url)];
    const caller = createNode(calling, { namespace, nodeID: "caller" });
    const second = createNode(working, { namespace, nodeID: "worker", services: [worker] });
    await Promise.all([caller.broker.start(), second.broker.start()]);
    await caller.broker.waitForServices("worker", 10_000, 10);
    const heard: string[] = [];
    calling.subscribeRaw("raw.subject", (message) => heard.push(message.string()));
    const seen = follow(calling);
    events.length = 0;

    const late = caller.broker.call("worker.whenTold");
    await eventually(() => expect(begun).toBe(1));
    await server.kill();
    await eventually(() => expect([calling.isOnline, working.isOnline]).toEqual([false, false]));
    told.resolve();

    await expect(caller.broker.call("worker.quick")).rejects.toMatchObject({ name: "BrokerDisconnectedError" });
    expect(calling.publishRaw("raw.subject", "lost")).toBe(false);
    await expect(calling.rtt()).rejects.toMatchObject({ name: "BrokerDisconnectedError" });

    await server.restart();
    await expect(late).resolves.toBe("done while away");
    await expect(caller.broker.call("worker.quick")).resolves.toBe("done");
    expect(await calling.rtt()).toBeGreaterThan(0);
    expect(calling.publishRaw("raw.subject", "kept")).toBe(true);
    await eventually(() => expect(heard).toEqual(["kept"]));
    expect(seen.map(({ type }) => type)).toEqual(["disconnected", "reconnected"]);
    await eventually(() => expect(events).toEqual(["$transporter.disconnected", "$transporter.connected"]));
  });

  test("unsubscribing a raw subject ends its messages, and publishing over max_payload throws", async () => {
    await server.restart({ config: "max_payload: 8192" });
    const transporter = new NatsTransporter(server.url);
    await createNode(transporter).broker.start();
    const heard: string[] = [];
    const unsubscribe = transporter.subscribeRaw("raw.subject", (message) => heard.push(message.string()));
    const spy = await connect({ servers: server.url });
    await transporter.flush();
    spy.publish("raw.subject", "one");
    await eventually(() => expect(heard).toEqual(["one"]));
    unsubscribe();
    await transporter.flush();
    spy.publish("raw.subject", "two");
    await spy.flush();
    await transporter.flush();
    await spy.close();
    expect(heard).toEqual(["one"]);
    expect(transporter.maxPayload).toBe(8192);
    expect(() => transporter.publishRaw("raw.subject", "x".repeat(8193))).toThrow(
      expect.objectContaining({ type: "PAYLOAD_TOO_LARGE" }),
    );
  });
});

test("stopping a node whose NATS is frozen ends within the deadline", async () => {
  const transporter = new NatsTransporter({ url: server.url, disconnectTimeout: 300 });
  const node = createNode(transporter);
  const seen = follow(transporter);
  await node.broker.start();
  await server.kill("SIGSTOP");
  const start = performance.now();
  await node.broker.stop();
  expect(performance.now() - start).toBeLessThan(1_500);
  await eventually(() => expect(seen.map(({ type }) => type)).toEqual(["closed"]));
});

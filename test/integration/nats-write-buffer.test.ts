/** What leaves for NATS through the one piece of memory arrives as it was given, in its order. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { connect, type NatsConnection } from "nats";
import { writeBufferOf, type WriteBufferOptions } from "../../lib/adapters/nats/write-buffer.ts";
import { CONTEXT_HEADER, encodeHeaders } from "../../lib/adapters/nats/headers.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";

let server: NatsServer;
let client: NatsConnection;
let heard: string[];
let headers: (string | undefined)[];

beforeEach(async () => {
  server = await startNatsServer();
  client = await connect({ servers: server.url });
  heard = [];
  headers = [];
  const decoder = new TextDecoder();
  client.subscribe("s.>", {
    callback: (_error, { subject, data, headers: given }) => {
      heard.push(`${subject} ${decoder.decode(data)}`);
      headers.push(given?.get(CONTEXT_HEADER));
    },
  });
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

test("texts with ends of their own and ends that repeat arrive whole and in order, over many slabs", async () => {
  const outbox = writeBufferOf(client);
  const expected: string[] = [];
  for (let index = 0; index < 3_000; index++) {
    const own = `${index} ${["ascii", "größe", "日本語", "🙂"][index % 4]} `.repeat(1 + (index % 7));
    // The same end for a few at a time, some of them longer in bytes than in characters.
    const shared = `[${"xé"[Math.floor(index / 5) % 2]!.repeat(((index * 13) % 5 < 2 ? 600 : 20) + Math.floor(index / 5))}]`;
    outbox.publishText(`s.${index}`, own, shared);
    expected.push(`s.${index} ${own}${shared}`);
  }
  await eventually(() => expect(heard).toHaveLength(expected.length));
  expect(heard).toEqual(expected);
});

test("messages too large for a slab, with headers, and of the client itself keep their order", async () => {
  const outbox = writeBufferOf(client);
  const large = "z".repeat(200_000);
  outbox.publishText("s.1", "first");
  outbox.publishText("s.2", large, "end");
  outbox.publish("s.3", Buffer.from("third"), encodeHeaders('{"a":1}', undefined));
  outbox.publish("s.4", Buffer.from(large));
  outbox.flush();
  client.publish("s.5", "fifth");
  outbox.publishText("s.6", "", "");
  await eventually(() => expect(heard).toHaveLength(6));
  expect(heard).toEqual(["s.1 first", `s.2 ${large}end`, "s.3 third", `s.4 ${large}`, "s.5 fifth", "s.6 "]);
});

test("a message over the server's limit, or for a closed client, is refused as the client refuses it", async () => {
  expect(() => writeBufferOf(client).publishText("s.1", "x".repeat(2 * 1024 * 1024))).toThrow("MAX_PAYLOAD_EXCEEDED");
  await client.close();
  expect(() => writeBufferOf(client).publishText("s.1", "x")).toThrow("CONNECTION_CLOSED");
});

test("the installed client is one that is known", () => {
  const lines: unknown[] = [];
  expect(writeBufferOf(client, { logger: { info: (line) => lines.push(line) } }).isOn).toBe(true);
  expect(lines).toEqual([]);
});

/** The same client, with another one behind its types. */
function seenWith(protocol: object): NatsConnection {
  return new Proxy(client, {
    get(target, key) {
      if (key === "protocol") return protocol;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

const transport = { version: "2.29.3" };
const sendCommand = (): never => {
  throw new Error("It was reached into.");
};

test.each<[string, object | undefined, WriteBufferOptions, RegExp[]]>([
  ["the option turns it off", undefined, { isOn: false }, []],
  [
    "the version is not known",
    { sendCommand, flushPending: sendCommand, transport: { version: "3.0.0" } },
    {},
    [/nats\.js 3\.0\.0 has/],
  ],
  [
    "the version is not told",
    { sendCommand, flushPending: sendCommand },
    {},
    [/nats\.js undefined has internals that are not known/],
  ],
  ["the client lacks flushPending", { sendCommand, transport }, {}, [/nats\.js 2\.29\.3 lacks internals that it used to have/]],
  ["the client lacks sendCommand", { flushPending: sendCommand, transport }, {}, [/publish, which takes more CPU/]],
])("messages take the plain path, in their order and with their headers, where %s", async (_, protocol, options, told) => {
  const lines: string[] = [];
  const logger = { info: (...args: unknown[]) => lines.push(String(args[0])) };
  const buffer = writeBufferOf(protocol ? seenWith(protocol) : client, { ...options, logger });
  expect(buffer.isOn).toBe(false);
  const context = '{"a":"größe: 日本語"}';
  buffer.publishText("s.1", "own ", "shared");
  buffer.publish("s.2", Buffer.from("second"), encodeHeaders(context, undefined));
  buffer.publishText("s.3", "third 🙂", "", encodeHeaders(context, undefined).toString("latin1"));
  buffer.flush();
  await eventually(() => expect(heard).toHaveLength(3));
  expect(heard).toEqual(["s.1 own shared", "s.2 second", "s.3 third 🙂"]);
  expect(headers[0] ?? "").toBe("");
  for (const header of headers.slice(1)) expect(JSON.parse(header ?? "")).toEqual(JSON.parse(context));
  expect(lines).toEqual(told.map((line): unknown => expect.stringMatching(line)));
});

/** What leaves for NATS through the one piece of memory arrives as it was given, in its order. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { connect, type NatsConnection } from "nats";
import { writeBufferOf } from "../../lib/adapters/nats/write-buffer.ts";
import { encodeHeaders } from "../../lib/adapters/nats/headers.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";

let server: NatsServer;
let client: NatsConnection;
let heard: string[];

beforeEach(async () => {
  server = await startNatsServer();
  client = await connect({ servers: server.url });
  heard = [];
  const decoder = new TextDecoder();
  client.subscribe("s.>", { callback: (_error, { subject, data }) => heard.push(`${subject} ${decoder.decode(data)}`) });
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

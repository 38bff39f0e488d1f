/** What the store on MongoDB says when it cannot be opened, and what it keeps to itself. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { MongoClient } from "mongodb";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { storeOf } from "../../lib/adapters/open-store.ts";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { type MongoProxy, startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { create } from "./store-writes.ts";

const SECRET = "s3cret";

async function messageOfOpening(url: string): Promise<string> {
  const store = storeOf(url);
  try {
    await store.open();
  } catch (error) {
    return (error as Error).message;
  }
  await store.close();
  throw new Error("It opened.");
}

describe("the name of a MongoDB store", () => {
  it.each([
    ["mongodb://localhost", "mongodb://localhost/taskflow"],
    ["mongodb://localhost:27017/?w=1", "mongodb://localhost:27017/taskflow"],
    [`mongodb://me:${SECRET}@a:1,b:2/flows?authSource=admin`, "mongodb://a:1,b:2/flows"],
    [`mongodb+srv://me:${SECRET}@cluster.example/flows`, "mongodb+srv://cluster.example/flows"],
    [`mongodb://me:${SECRET}?@host/flows`, "mongodb://…/taskflow"],
    [`mongodb://me:p@ss/${SECRET}@a/flows`, "mongodb://a/flows"],
  ])("of %s has host and database, and no credentials", (url, name) => {
    expect(storeOf(url).name).toBe(name);
  });

  it.each(["mongodb:", "mongodb://", "mongodb:///db", `mongodb://me:${SECRET}@`, `mongo://me:${SECRET}@host`])(
    "is refused where the URL %s has none",
    (url) => {
      expect(() => storeOf(url)).toThrow(RangeError);
      expect(() => storeOf(url)).toThrow(expect.not.objectContaining({ message: expect.stringContaining(SECRET) }));
    },
  );
});

describe("a server that is not there", () => {
  let deaf: Server;
  beforeEach(async () => {
    deaf = createServer(() => undefined);
    await new Promise<void>((resolve) => {
      deaf.listen(0, "127.0.0.1", resolve);
    });
  });
  afterEach(() => void deaf.close());

  it("is told of within seconds, with its name and what to do", async () => {
    expect(await messageOfOpening(`mongodb://me:${SECRET}@127.0.0.1:1/flows`)).toMatch(
      /^The store mongodb:\/\/127\.0\.0\.1:1\/flows cannot be reached: see that MongoDB runs there and lets this machine in, or correct TASKFLOW_STORE \(.*ECONNREFUSED.*\)\.$/,
    );
  }, 6_000);

  it("is told of within seconds where something listens and never answers", async () => {
    const { port } = deaf.address() as AddressInfo;
    expect(await messageOfOpening(`mongodb://127.0.0.1:${port}/flows`)).toMatch(/cannot be reached/);
  }, 8_000);

  it("is told of when the URL has an option that nobody knows", async () => {
    expect(await messageOfOpening(`mongodb://me:${SECRET}@127.0.0.1:1/flows?nonsense=1`)).toMatch(
      /^The store mongodb:\/\/127\.0\.0\.1:1\/flows cannot be used: correct the URL in TASKFLOW_STORE \(.*nonsense.*\)\.$/,
    );
  });
});

describeOnMongo("a server that refuses", (server) => {
  let proxy: MongoProxy;
  beforeEach(async () => {
    proxy = await startMongoProxy(server().port, server().host);
  });
  afterEach(async () => proxy.close());

  it("is told of by the user and password that were wrong, without showing them", async () => {
    const answer = { ok: 0, code: 18, codeName: "AuthenticationFailed", errmsg: "Authentication failed." };
    proxy.fault = ({ name }) => (name === "saslStart" ? { reply: answer } : undefined);
    const message = await messageOfOpening(`mongodb://me:${SECRET}@127.0.0.1:${proxy.port}/flows?authMechanism=SCRAM-SHA-256`);
    expect(message).toBe(
      `The store mongodb://127.0.0.1:${proxy.port}/flows refuses the user or the password: correct them in TASKFLOW_STORE, and percent-encode special characters (Authentication failed.).`,
    );
  });

  it("is told of by the rights that are missing", async () => {
    const answer = { ok: 0, code: 13, codeName: "Unauthorized", errmsg: "not authorized on flows to execute command" };
    proxy.fault = ({ name }) => (name === "find" ? { reply: answer } : undefined);
    expect(await messageOfOpening(`mongodb://127.0.0.1:${proxy.port}/flows`)).toMatch(
      / does not let this user in: give it the role readWrite/,
    );
  });

  it("is told of while it works already, once its rights are taken away", async () => {
    const store = new MongoStore({ url: `mongodb://127.0.0.1:${proxy.port}/${new URL(server().newUrl()).pathname.slice(1)}` });
    await store.open();
    proxy.fault = ({ name }) => (name === "insert" ? { reply: { ok: 0, code: 13, errmsg: "not authorized" } } : undefined);
    await expect(store.commit([create("f")])).rejects.toMatchObject({ type: "STORE_UNAVAILABLE", code: 503 });
    proxy.fault = () => undefined;
    expect(await store.commit([create("f")])).toEqual(["stored"]);
    await store.close();
  });
});

describeOnMongo("what a MongoDB store finds", (server) => {
  it.each([
    [5, "use the version that wrote it, or a newer one."],
    [1, "delete it, or set another one in TASKFLOW_STORE."],
  ])("is refused if it has format %s, and left as it is", async (format, advice) => {
    const url = server().newUrl();
    const client = new MongoClient(url);
    const meta = client.db().collection<{ _id: string; format: number }>("taskflow_meta");
    await meta.insertOne({ _id: "store", format });
    expect(await messageOfOpening(url)).toMatch(
      new RegExp(`^The store mongodb:\\S+ must have format 4, got ${format} .*: ${advice}$`),
    );
    expect((await client.db().listCollections().toArray()).map(({ name }) => name)).toEqual(["taskflow_meta"]);
    await meta.updateOne({ _id: "store" }, { $set: { format: 4 } });
    const store = storeOf(url);
    await store.open();
    await store.close();
    await client.close();
  });

  it("may be opened by many at once", async () => {
    const url = server().newUrl();
    const stores = Array.from({ length: 8 }, () => new MongoStore({ url }));
    await Promise.all(stores.map(async (store) => store.open()));
    expect(await Promise.all(stores.map(async (store) => store.health()))).toEqual(
      stores.map(() => ({ ok: true, kind: "mongodb" })),
    );
    await Promise.all(stores.map(async (store) => store.close()));
  });
});

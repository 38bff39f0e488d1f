/**
 * What the store on MongoDB owes when answers are lost, late or wrong: nothing that it
 * acknowledged is lost or there twice.
 */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import fc from "fast-check";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import type { Write } from "../../lib/ports/store.ts";
import { type Fault, type MongoProxy, startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

const error = (code: number, codeName: string): object => ({ ok: 0, code, codeName, errmsg: codeName });
const writeConcernError = (answer: object): object => ({
  ...answer,
  writeConcernError: { code: 64, codeName: "WriteConcernTimeout", errmsg: "waiting for replication timed out" },
});

const FAULTS: readonly (readonly [string, Fault])[] = [
  ["the connection is cut before it", "cut before"],
  ["the connection is cut after it", "cut after"],
  ["its answer never comes", "no answer"],
  ["it never arrives", "swallow"],
  ["the server is no primary any more", { reply: error(10_107, "NotWritablePrimary") }],
  ["the server shuts down", { reply: error(91, "ShutdownInProgress") }],
  ["the server was a primary until after it", { change: () => error(11_602, "InterruptedDueToReplStateChange") }],
  ["it is stored, but not known to be with a majority", { change: writeConcernError }],
  ["the disk is full for it", { reply: { ok: 1, n: 0, writeErrors: [{ index: 0, code: 14_031, errmsg: "OutOfDiskSpace" }] } }],
];

describeOnMongo("a MongoDB store with a bad link", (server) => {
  let proxy: MongoProxy;
  let store: MongoStore;
  let direct: MongoStore;
  let said: string[];

  beforeEach(async () => {
    proxy = await startMongoProxy(server().port, server().host);
    said = [];
    const logger = { warn: (text: string) => void said.push(text), info: (text: string) => void said.push(text) };
    const url = server().newUrl();
    const proxied = new URL(url);
    proxied.host = `127.0.0.1:${proxy.port}`;
    store = new MongoStore({ url: proxied.href, attemptMs: 500, patienceMs: 10_000, logger });
    direct = new MongoStore({ url });
    // A server that has just begun takes its time for the first connection.
    await direct.open();
    await store.open();
  });
  afterEach(async () => {
    proxy.fault = () => undefined;
    await store.close();
    await direct.close();
    await proxy.close();
  });

  it.each(FAULTS)("stores each write once and answers for it rightly when %s", async (_, fault) => {
    await store.commit([create("append"), create("taken"), create("finish")]);
    await direct.commit([append("taken", 2)]);
    const faulty = proxy.once("insert", fault);
    const results = await store.commit([
      create("new"),
      append("append", 2),
      { kind: "append", taskflowId: "taken", revision: 2, entry: "too late", row: { progress: 9 } },
      append("finish", 2, { status: "COMPLETED", progress: 100 }),
    ]);
    await faulty;
    expect(results).toEqual(["stored", "stored", "conflict", "stored"]);
    expect(await store.read("new")).toEqual(whole(newRow("new"), ["new 1"]));
    expect((await store.read("append"))?.entries).toEqual(["append 1", "append 2"]);
    expect(await store.read("taken")).toEqual(whole(newRow("taken"), ["taken 1", "taken 2"]));
    expect((await store.read("finish"))?.row).toMatchObject({ status: "COMPLETED", progress: 100 });
    expect((await direct.read("finish"))?.row).toMatchObject({ status: "COMPLETED", progress: 100 });
  });

  it.each(FAULTS)("writes a row's change once and in order when for the update %s", async (_, fault) => {
    await store.commit([create("f")]);
    const faulty = proxy.once("update", fault);
    await store.commit([append("f", 2, { progress: 10, errorType: "E" })]);
    await store.commit([append("f", 3, { progress: 20 })]);
    await faulty;
    await store.list({ pageSize: 1 });
    expect((await direct.read("f"))?.row).toMatchObject({ progress: 20, errorType: "E" });
  });

  it.each(FAULTS)("claims each taskflow for one caller, and knows it, when for the update %s", async (_, fault) => {
    const ids = Array.from({ length: 20 }, (__, index) => `f${index}`);
    await direct.commit(ids.map((id) => create(id, { owner: "dead" })));
    const faulty = proxy.once("update", fault);
    const claim = store.claim("one", ["one", "other"], [], 100, 1);
    await faulty;
    const other = await direct.claim("other", ["one", "other"], [], 100, 1);
    const one = await claim;
    expect([...one, ...other].map(({ taskflowId }) => taskflowId).toSorted()).toEqual(ids.toSorted());
    for (const [owner, claimed] of [
      ["one", one],
      ["other", other],
    ] as const) {
      for (const { taskflowId, fence } of claimed) expect((await direct.read(taskflowId))?.row).toMatchObject({ owner, fence });
    }
  });

  it("says conflict when another store took the number while its own answer was lost", async () => {
    await store.commit([create("f")]);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const seen = proxy.once("insert", { commandAfter: held });
    const commit = store.commit([append("f", 2)]);
    await seen;
    expect(await direct.commit([{ kind: "append", taskflowId: "f", revision: 2, entry: "theirs" }])).toEqual(["stored"]);
    expect(await commit).toEqual(["conflict"]);
    release();
    expect((await store.read("f"))?.entries).toEqual(["f 1", "theirs"]);
  });

  it("is not troubled by a write that was held up and reaches the server after its repetition", async () => {
    await store.commit([create("f")]);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const inserted = proxy.once("insert", { commandAfter: held });
    expect(await store.commit([append("f", 2, { status: "PAUSED" })])).toEqual(["stored"]);
    await inserted;
    const updated = proxy.once("update", { commandAfter: held });
    await store.list({ pageSize: 1 });
    await updated;
    expect(await store.commit([append("f", 3, { status: "RUNNING" })])).toEqual(["stored"]);
    await store.list({ pageSize: 1 });
    const answered = proxy.commands.length;
    release();
    // Whatever comes late is at the server before this is.
    await direct.commit([create("g")]);
    await direct.list({ pageSize: 1 });
    expect(proxy.commands.length).toBe(answered);
    expect(await direct.read("f")).toEqual(whole(newRow("f"), ["f 1", "f 2", "f 3"]));
  });

  it("is not troubled by an answer that comes after that to its repetition", async () => {
    await store.commit([create("f")]);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const seen = proxy.once("insert", { answerAfter: held });
    expect(await store.commit([append("f", 2)])).toEqual(["stored"]);
    await seen;
    release();
    expect(await store.commit([append("f", 3)])).toEqual(["stored"]);
    expect((await direct.read("f"))?.entries).toEqual(["f 1", "f 2", "f 3"]);
  });

  it("waits for an answer that is slow, but comes in time", async () => {
    await store.commit([create("f")]);
    proxy.commands.length = 0;
    const seen = proxy.once("insert", { answerAfter: new Promise((resolve) => setTimeout(resolve, 100)) });
    expect(await store.commit([append("f", 2)])).toEqual(["stored"]);
    await seen;
    expect(proxy.commands.filter(({ name }) => name === "insert")).toHaveLength(1);
  });

  it("takes the server's word that an id was taken, and goes on from what it finds then", async () => {
    await store.commit([create("f")]);
    const taken = { index: 0, code: 11_000, errmsg: "E11000 duplicate key error" };
    const seen = proxy.once("insert", { reply: { ok: 1, n: 0, writeErrors: [taken] } });
    expect(await store.commit([append("f", 2)])).toEqual(["conflict"]);
    await seen;
    expect((await store.read("f"))?.entries).toEqual(["f 1"]);
    expect(await store.commit([append("f", 2)])).toEqual(["stored"]);
  });

  it("gives up when the store is away for too long, and completes what it had stored once it is read back", async () => {
    const impatient = new MongoStore({ url: withPort(server().newUrl(), proxy.port), attemptMs: 100, patienceMs: 400 });
    await impatient.open();
    await impatient.commit([create("f"), create("g")]);
    proxy.fault = ({ name }) => (name === "insert" ? "no answer" : undefined);
    await expect(impatient.commit([append("f", 2, { status: "COMPLETED" })])).rejects.toMatchObject({
      type: "STORE_UNAVAILABLE",
      code: 503,
    });
    proxy.fault = ({ name }) => (name === "insert" ? "swallow" : undefined);
    await expect(impatient.commit([append("g", 2, { status: "COMPLETED" })])).rejects.toMatchObject({
      type: "STORE_UNAVAILABLE",
    });
    proxy.fault = () => undefined;
    expect(await impatient.read("f")).toMatchObject({ row: { status: "COMPLETED" }, entries: ["f 1", "f 2"] });
    expect(await impatient.read("g")).toMatchObject({ row: { status: "RUNNING" }, entries: ["g 1"] });
    expect((await impatient.list({ pageSize: 10 })).counts).toEqual({ COMPLETED: 1, RUNNING: 1 });
    await impatient.close();
  });

  it("tells once that the store fails, and once that it works again", async () => {
    const cuts: Promise<unknown>[] = [proxy.once("insert", "cut before"), proxy.once("insert", "cut before")];
    await store.commit([create("f")]);
    await Promise.all(cuts);
    expect(said).toEqual([
      expect.stringMatching(/^The store mongodb:\/\/127.0.0.1:\d+\/\S+ does not answer as it should: .*\. It is tried again\.$/),
      expect.stringMatching(/^The store \S+ works again\.$/),
    ]);
  });

  it("has every write that it acknowledged exactly once after any faults", async () => {
    const anyFault = fc.option(fc.constantFrom(...FAULTS.map(([, fault]) => fault)), { freq: 2 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyFault, { minLength: 4, maxLength: 12 }), async (faults) => {
        const ids = ["a", "b", "c"].map((name) => `${name}-${run++}`);
        const queue = [...faults];
        proxy.fault = ({ name }) => {
          if (name !== "insert" && name !== "update" && name !== "find") return undefined;
          const fault = queue.shift() ?? undefined;
          // No server answers a query like a write.
          return name === "find" && isOfWrites(fault) ? undefined : fault;
        };
        expect(await store.commit(ids.map((id) => create(id)))).toEqual(["stored", "stored", "stored"]);
        for (let revision = 2; revision <= 5; revision++) {
          const writes: Write[] = ids.map((id) => append(id, revision, revision % 2 === 0 ? { progress: revision } : undefined));
          expect(await store.commit(writes)).toEqual(["stored", "stored", "stored"]);
        }
        await store.list({ pageSize: 1 });
        for (const id of ids) {
          const { row, entries } = (await direct.read(id))!;
          expect(entries).toEqual([1, 2, 3, 4, 5].map((revision) => `${id} ${revision}`));
          expect(row.progress).toBe(4);
        }
      }),
      // To make the example smaller would take longer than a test may.
      { numRuns: 8, endOnFailure: true },
    );
  }, 120_000);
});

function isOfWrites(fault: Fault | undefined): boolean {
  return (
    typeof fault === "object" &&
    (("change" in fault && fault.change === writeConcernError) || ("reply" in fault && "writeErrors" in fault.reply))
  );
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.host = `127.0.0.1:${port}`;
  return changed.href;
}

/**
 * What the store on MongoDB does for the engine: how much it sends for a taskflow, that indexes serve all of it, and what several coordinators
 * on one database may rely on.
 */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { MongoClient } from "mongodb";
import { INDEXES } from "../../lib/adapters/mongo-schema.ts";
import { decodeKey, decodeText, encodeKey, encodeText } from "../../lib/adapters/mongo-text.ts";
import { MongoStore } from "../../lib/adapters/store-mongo.ts";
import type { Write } from "../../lib/ports/store.ts";
import { type Command, type MongoProxy, startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { append, create, newRow } from "./store-writes.ts";

describeOnMongo("stores on one MongoDB", (server) => {
  let proxy: MongoProxy;
  let url: string;
  let store: MongoStore;
  let other: MongoStore;
  beforeEach(async () => {
    proxy = await startMongoProxy(server().port, server().host);
    url = server().newUrl();
    const proxied = new URL(url);
    proxied.host = `127.0.0.1:${proxy.port}`;
    store = new MongoStore({ url: proxied.href });
    other = new MongoStore({ url });
    await store.open();
    await other.open();
    proxy.commands.length = 0;
  });
  afterEach(async () => {
    await store.close();
    await other.close();
    await proxy.close();
  });

  it("need one insert for each commit, and one update for all the rows that end meanwhile", async () => {
    await produceFlows(store, 1);
    await store.list({ pageSize: 1 });
    const alone = tally(proxy.commands);
    expect(alone).toMatchObject({ insert: { commands: 7, operations: 7 }, update: { commands: 1, operations: 1 } });
    proxy.commands.length = 0;
    await produceFlows(store, 100);
    await store.list({ pageSize: 1 });
    const together = tally(proxy.commands);
    expect(together).toMatchObject({ insert: { commands: 7, operations: 700 }, update: { commands: 1, operations: 100 } });
    process.stdout.write(`a taskflow of [1,4,1] alone: ${describeTally(alone, 1)}\n`);
    process.stdout.write(`100 at once, for each: ${describeTally(together, 100)}\n`);
  });

  it("send no query and no update that an index does not serve", async () => {
    await useEverything(store, other);
    const asked = proxy.commands.flatMap(filtersOf);
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(["find", "update", "delete", "aggregate", "findAndModify"]));
    expect(asked.flatMap(({ name, collection, filter, sort }) => whyUnserved(name, collection, filter, sort))).toEqual([]);
    const client = new MongoClient(url);
    const created = await client.db().collection("taskflows").indexes();
    expect(created.map(({ name }) => name).toSorted()).toEqual(["_id_", ...INDEXES.map(({ name }) => name!)].toSorted());
    await client.close();
  });

  it("claim what a dead owner left, each taskflow for one of them", async () => {
    const ids = Array.from({ length: 400 }, (_, index) => `f${index}`);
    await store.commit(
      ids.map((id, index) => create(id, { owner: index % 3 === 0 ? null : `dead-${index % 2}`, fence: 1 + (index % 4) })),
    );
    const alive = ["one", "two", "three", "four"];
    const claims = await Promise.all(
      alive.map(async (owner, index) => (index % 2 === 0 ? store : other).claim(owner, alive, 150, 1)),
    );
    expect(
      claims
        .flat()
        .map(({ taskflowId }) => taskflowId)
        .toSorted(),
    ).toEqual(ids.toSorted());
    for (const [index, claimed] of claims.entries()) {
      const due = await store.due(alive[index]!, 0, 1_000);
      expect(due.toSorted(byId)).toEqual(claimed.toSorted(byId));
    }
  });

  it("leave nothing of a coordinator's row changes once another has its taskflow", async () => {
    await store.commit([create("f"), create("g")]);
    const [claimed] = await other.claim("b", ["b"], 1, 1);
    expect(await other.read(claimed!.taskflowId)).toBeDefined();
    // It does not know yet. The number is free, so this much is stored; its row is not its own any more.
    expect(await store.commit([append(claimed!.taskflowId, 2, { status: "FAILED", progress: 7 })])).toEqual(["stored"]);
    await store.list({ pageSize: 1 });
    expect((await other.read(claimed!.taskflowId))?.row).toMatchObject({ status: "RUNNING", progress: 0, owner: "b", fence: 2 });
    expect(await other.commit([append(claimed!.taskflowId, 3)])).toEqual(["stored"]);
    expect(await store.commit([append(claimed!.taskflowId, 3)])).toEqual(["conflict"]);
  });

  it("find a taskflow whose end was stored, but not in its row, and repair it under the fence they hold", async () => {
    await store.commit([create("f", { owner: "dead" })]);
    proxy.fault = ({ name }) => (name === "update" ? "swallow" : undefined);
    expect(await store.commit([append("f", 2, { status: "COMPLETED", finishedAt: 5, progress: 100 })])).toEqual(["stored"]);
    const [claimed] = await other.claim("b", ["b"], 10, 1);
    expect(claimed).toEqual({ taskflowId: "f", fence: 2, dueAt: 0 });
    expect(await other.read("f")).toMatchObject({ row: { status: "RUNNING" }, entries: ["f 1", "f 2"] });
    await other.repair("f", 1, { status: "FAILED" });
    expect((await other.read("f"))?.row.status).toBe("RUNNING");
    await other.repair("f", 2, { status: "COMPLETED", finishedAt: 5, progress: 100 });
    // The change that was swallowed comes now: too late.
    proxy.fault = () => undefined;
    proxy.cutAll();
    await store.list({ pageSize: 1 });
    expect((await other.read("f"))?.row).toMatchObject({ status: "COMPLETED", progress: 100, fence: 2 });
    expect(await other.due("b", 0, 10)).toEqual([]);
    expect(await other.delete("f")).toBe("deleted");
  });

  it("make a row more urgent before the entry, and less urgent after it", async () => {
    await store.commit([
      create("parked", { dueAt: 500 }),
      create("finished", { status: "FAILED", finishedAt: 3 }),
      create("plain"),
    ]);
    proxy.commands.length = 0;
    const before = proxy.once("insert", { commandAfter: Promise.resolve() });
    const commit = store.commit([
      append("parked", 2, { dueAt: 5 }),
      append("finished", 2, { status: "RUNNING", owner: "node-a", dueAt: 0, finishedAt: null }),
      append("plain", 2, { dueAt: 900 }),
    ]);
    await before;
    expect(proxy.commands.map(({ name }) => name).filter((name) => name !== "find")).toEqual(["update", "insert"]);
    expect((await other.due("node-a", 100, 10)).map(({ taskflowId }) => taskflowId).toSorted()).toEqual([
      "finished",
      "parked",
      "plain",
    ]);
    expect(await commit).toEqual(["stored", "stored", "stored"]);
    await store.list({ pageSize: 1 });
    expect((await other.due("node-a", 100, 10)).map(({ taskflowId }) => taskflowId)).toEqual(["finished", "parked"]);
    expect((await other.read("finished"))?.row).toMatchObject({ status: "RUNNING", finishedAt: null });
  });

  it("let either a deletion or an append to the finished taskflow have its way, never both", async () => {
    let deletions = 0;
    for (let round = 0; round < 30; round++) {
      const id = `f${round}`;
      await store.commit([create(id, { status: "FAILED", owner: null })]);
      await other.read(id);
      const [deleted, [appended]] = await Promise.all([
        store.delete(id),
        other.commit([append(id, 2, { status: "RUNNING", owner: "node-a" })]),
      ]);
      expect([`${deleted} conflict`, "active stored"]).toContain(`${deleted} ${appended}`);
      expect(await store.read(id)).toEqual(
        deleted === "deleted" ? undefined : expect.objectContaining({ entries: [`${id} 1`, `${id} 2`] }),
      );
      if (deleted === "deleted") deletions++;
    }
    expect(deletions).toBeGreaterThan(0);
  });

  it("refuse what the former owner of a deleted taskflow still appends, and mix it with no later one of the same id", async () => {
    await store.commit([create("f")]);
    await store.commit([append("f", 2)]);
    const [claimed] = await other.claim("b", ["b"], 1, 1);
    await other.read("f");
    await other.commit([append("f", 3)]);
    await other.commit([append("f", 4, { status: "COMPLETED" })]);
    expect(claimed?.fence).toBe(2);
    expect(await other.delete("f")).toBe("deleted");
    expect(await store.commit([append("f", 3)])).toEqual(["conflict"]);
    expect(await other.commit([create("f", {}, "new")])).toEqual(["stored"]);
    for (let revision = 2; revision <= 5; revision++) expect(await other.commit([append("f", revision)])).toEqual(["stored"]);
    expect((await store.read("f"))?.entries).toEqual(["new", "f 2", "f 3", "f 4", "f 5"]);
  });

  it("keep entries beyond the size of a document whole, and leave none of their parts behind", async () => {
    // Characters of two units at every place where it could be cut.
    const large = `${"x".repeat(3)}${"😀".repeat(5 * 1024 * 1024)}`;
    await store.commit([create("f", {}, large), create("small")]);
    expect(
      await store.commit([{ kind: "append", taskflowId: "f", revision: 2, entry: large, row: { status: "FAILED" } }]),
    ).toEqual(["stored"]);
    const stored = await other.read("f");
    expect(stored?.entries.map((entry) => entry === large)).toEqual([true, true]);
    expect(await other.delete("small")).toBe("active");
    expect(await store.delete("f")).toBe("deleted");
    const client = new MongoClient(url);
    const left = await client
      .db()
      .collection("taskflows")
      .find({}, { projection: { _id: 1, gone: 1 } })
      .toArray();
    expect(left.map((document) => ("gone" in document ? "tombstone" : document._id)).toSorted()).toEqual(["small", "tombstone"]);
    await client.close();
  }, 60_000);

  it("show one another that they live, and forget who left or has been gone for a day", async () => {
    expect(await store.beat("a")).toEqual([{ owner: "a", beat: 1 }]);
    await other.beat("b");
    expect((await store.beat("a")).toSorted(byOwner)).toEqual([
      { owner: "a", beat: 2 },
      { owner: "b", beat: 1 },
    ]);
    const client = new MongoClient(url);
    const old = { _id: "old", beat: 7, at: new Date(Date.now() - 25 * 3_600_000) };
    await client.db().collection<typeof old>("taskflow_coordinators").insertOne(old);
    expect((await store.beat("a")).map(({ owner }) => owner).toSorted()).toEqual(["a", "b"]);
    expect(await client.db().collection("taskflow_coordinators").countDocuments()).toBe(2);
    await client.close();
    await store.leave("b");
    expect(await other.beat("a")).toEqual([{ owner: "a", beat: 4 }]);
  });

  it("measure the server's clock against their own", async () => {
    expect(Math.abs(await store.timeOffset())).toBeLessThan(1_000);
    const ahead = (answer: Record<string, unknown>): object => ({
      ...answer,
      localTime: new Date(Number(answer["localTime"]) + 3_600_000),
    });
    proxy.fault = ({ name, body }) =>
      (name === "hello" || name === "isMaster") && body["$db"] === "admin" ? { change: ahead } : undefined;
    expect(Math.abs((await store.timeOffset()) - 3_600_000)).toBeLessThan(1_000);
  });
});

describe("texts in MongoDB", () => {
  it("come back as they were, and are found by their parts", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom("\uD800", "\uDC00", "\0", "a", ".", "$", "\u{F0800}", "\u{F0900}") }),
    );
    fc.assert(
      fc.property(anyText, anyText, (text, more) => {
        expect(decodeText(encodeText(text))).toBe(text);
        expect(decodeKey(encodeKey(text))).toBe(text);
        expect(encodeText(text).isWellFormed()).toBe(true);
        expect(encodeKey(text)).toMatch(/^[^\0.$]+$/);
        expect(encodeText(text) === encodeText(more)).toBe(text === more);
      }),
    );
    expect(encodeText("Ünï 😀 $.")).toBe("Ünï 😀 $.");
  });
});

const byId = (a: { taskflowId: string }, b: { taskflowId: string }): number => (a.taskflowId < b.taskflowId ? -1 : 1);
const byOwner = (a: { owner: string }, b: { owner: string }): number => (a.owner < b.owner ? -1 : 1);

/** What the coordinator commits for taskflows of one task, four, then one, all in step: five entries between the first and the last. */
async function produceFlows(store: MongoStore, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `0199c0de-0000-7000-8000-${count}-${String(index).padStart(8, "0")}`);
  const entry = (what: string): string =>
    JSON.stringify({
      at: Date.now(),
      facts: [
        { kind: "task", what },
        { kind: "attempt", what: "x".repeat(150) },
      ],
    });
  const definition = entry("x".repeat(1_000));
  await store.commit(ids.map((id): Write => ({ kind: "create", row: newRow(id), entry: definition })));
  for (let revision = 2; revision <= 6; revision++) {
    await store.commit(ids.map((taskflowId): Write => ({ kind: "append", taskflowId, revision, entry: entry("answered") })));
  }
  const row = {
    status: "COMPLETED",
    dueAt: 0,
    errorType: null,
    startedAt: 1,
    finishedAt: 2,
    retryAttempt: 0,
    progress: 100,
  } as const;
  await store.commit(
    ids.map((taskflowId): Write => ({ kind: "append", taskflowId, revision: 7, entry: entry("completed"), row })),
  );
}

type Tally = Record<string, { commands: number; operations: number; bytes: number }>;

function tally(commands: readonly Command[]): Tally {
  const sums: Tally = {};
  for (const { name, body, bytes } of commands) {
    if (name !== "insert" && name !== "update") continue;
    const sum = (sums[name] ??= { commands: 0, operations: 0, bytes: 0 });
    sum.commands++;
    sum.operations += ((body["documents"] ?? body["updates"]) as unknown[]).length;
    sum.bytes += bytes;
  }
  return sums;
}

function describeTally(sums: Tally, flows: number): string {
  return Object.entries(sums)
    .map(
      ([name, { commands, operations, bytes }]) =>
        `${name}: ${commands / flows} commands, ${operations / flows} operations, ${Math.round(bytes / flows)} bytes`,
    )
    .join("; ");
}

/** Every verb of the port, with every filter of `list`. */
async function useEverything(store: MongoStore, other: MongoStore): Promise<void> {
  await store.commit([create("f", { owner: "dead" }), create("g", { dueAt: 100 }), create("h", { owner: "dead" })]);
  await store.commit([append("f", 2), append("g", 2, { dueAt: 5, status: "PAUSED" })]);
  await other.read("f");
  await other.commit([append("f", 3)]);
  expect(await store.commit([append("f", 3)])).toEqual(["conflict"]);
  await store.commit([{ kind: "append", taskflowId: "f", revision: 4, entry: "x".repeat(5 * 1024 * 1024) }]);
  await store.read("f");
  await Promise.all([store.claim("me", ["me"], 10, 1), other.claim("you", ["me", "you"], 10, 1)]);
  await store.due("me", 5, 10);
  await store.release("me", ["f"]);
  await store.claim("me", ["me"], 10, 1);
  await store.commit([append("h", 2, { status: "FAILED", owner: "me", finishedAt: 8 })]);
  await store.lastFinished("me", 5);
  await store.lastFinished(null, 5);
  await store.repair("f", 9, { progress: 5 });
  await store.delete("h");
  await store.beat("me");
  await store.leave("me");
  const cursor = Buffer.from(JSON.stringify([5, "f"])).toString("base64url");
  const filters = { name: "n", tenant: "t", template: "x", tags: ["a"], attributes: { a: 1 }, errorType: ["E"], text: "x" };
  for (const sort of ["createdAt", "-createdAt"] as const) {
    await store.list({ sort, pageSize: 5 });
    await store.list({
      ...filters,
      status: ["RUNNING"],
      parentTaskflowId: "p",
      createdAfter: 1,
      createdBefore: 9,
      sort,
      pageSize: 5,
      cursor,
    });
  }
}

interface Asked {
  readonly name: string;
  readonly collection: string;
  readonly filter: Record<string, unknown>;
  readonly sort: Record<string, number>;
}

function filtersOf({ name, collection, body }: Command): Asked[] {
  const asked = (filter: unknown, sort?: unknown): Asked => ({
    name,
    collection,
    filter: filter as Asked["filter"],
    sort: (sort ?? {}) as Asked["sort"],
  });
  if (name === "find") return [asked(body["filter"], body["sort"])];
  if (name === "findAndModify") return [asked(body["query"], body["sort"])];
  if (name === "aggregate") return [asked((body["pipeline"] as { $match: unknown }[])[0]!.$match)];
  const statements = body["updates"] ?? body["deletes"];
  return statements === undefined ? [] : (statements as { q: unknown }[]).map(({ q }) => asked(q));
}

/** Empty if the id or an index finds what is asked for, in the order in which it is asked for. The few coordinators are read whole. */
function whyUnserved(name: string, collection: string, filter: Asked["filter"], sort: Asked["sort"]): string[] {
  if (collection === "taskflow_coordinators" && Object.keys(filter).length === 0) return [];
  const conditions = new Map(flatten(filter));
  const order = Object.keys(sort);
  const isById = conditions.has("_id") && order.every((path) => path === "_id");
  const isByIndex = INDEXES.some(({ key, partialFilterExpression }) => {
    const paths = Object.keys(key as object);
    if (!Object.entries(partialFilterExpression ?? {}).every(([path, needed]) => implies(conditions.get(path) ?? [], needed)))
      return false;
    // Equal in front, then what it is sorted by, then ranges.
    const equal = paths.findIndex((path) => !(conditions.get(path) ?? []).some(isEquality));
    const rest = equal < 0 ? [] : paths.slice(equal);
    if (order.length > 0) return order.every((path, index) => rest[index] === path);
    return conditions.has(paths[0]!);
  });
  return isById || isByIndex ? [] : [`${name} ${collection} ${JSON.stringify(filter)} ${JSON.stringify(sort)}`];
}

/** The conditions that must hold, each path with all of its own; alternatives ($or) are left out. */
function flatten(filter: Record<string, unknown>): [string, unknown[]][] {
  const all = new Map<string, unknown[]>();
  const add = (part: Record<string, unknown>): void => {
    for (const [path, condition] of Object.entries(part)) {
      if (path === "$and") (condition as Record<string, unknown>[]).forEach(add);
      else if (!path.startsWith("$")) all.set(path, [...(all.get(path) ?? []), condition]);
    }
  };
  add(filter);
  return [...all];
}

function isEquality(condition: unknown): boolean {
  return condition === null || typeof condition !== "object";
}

/** Does a query with these conditions on a path find only what a partial index holds? */
function implies(conditions: unknown[], needed: unknown): boolean {
  if (isEquality(needed)) return conditions.includes(needed);
  const [[operator, bound]] = Object.entries(needed as object) as [[string, unknown]];
  return conditions.some((condition) => {
    if (operator === "$gt") return isEquality(condition) ? (condition as string) > (bound as string) : false;
    if (operator !== "$gte" || condition === null || typeof condition !== "object") return false;
    const { $gte, $gt } = condition as { $gte?: number; $gt?: number };
    return ($gte ?? $gt ?? -1) >= (bound as number);
  });
}

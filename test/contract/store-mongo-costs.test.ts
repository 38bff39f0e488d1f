/**
 * What the store on MongoDB sends: how much for a taskflow, and that an index serves every query
 * and update.
 */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { MongoClient } from "mongodb";
import { INDEXES } from "../../lib/adapters/mongodb/schema.ts";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import type { Write } from "../../lib/ports/store.ts";
import { type Command, type MongoProxy, startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { append, create, newRow } from "./store-writes.ts";

describeOnMongo("what a MongoDB store sends", (server) => {
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

  it("is one insert for each commit, and one update for all the rows that end meanwhile", async () => {
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

  it("is no query and no update that an index does not serve", async () => {
    await useEverything(store, other);
    const asked = proxy.commands.flatMap(filtersOf);
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(["find", "update", "delete", "aggregate", "findAndModify"]));
    expect(asked.flatMap(({ name, collection, filter, sort }) => whyUnserved(name, collection, filter, sort))).toEqual([]);
    const client = new MongoClient(url);
    const created = await client.db().collection("taskflows").indexes();
    expect(new Set(created.map(({ name }) => name))).toEqual(new Set(["_id_", ...INDEXES.map(({ name }) => name)]));
    await client.close();
  });
});

/**
 * What the coordinator commits for taskflows of one task, four, then one, all in step: five
 * entries between the first and the last.
 */
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
  await Promise.all([store.claim("me", ["me"], [], 10, 1), other.claim("you", ["me", "you"], [], 10, 1)]);
  await store.due("me", 5, 10);
  await store.due("me", 5, 10, { dueAt: 1, taskflowId: "f" });
  await store.readMany(["f", "g", "h"]);
  await store.commit([
    create("root", { owner: "dead" }),
    create("leaf", { owner: "dead", rootId: "root", parentTaskflowId: "root" }),
  ]);
  await store.commit([create("lost", { owner: "dead", rootId: "above", parentTaskflowId: "above" })]);
  expect(await store.claim("me", ["me", "you", "node-a"], [], 10, 1)).toHaveLength(3);
  await store.release("me", ["f"]);
  await store.claim("me", ["me"], [], 10, 1);
  await store.commit([append("h", 2, { status: "FAILED", owner: "me", finishedAt: 8 })]);
  await store.lastFinished("me", 5);
  await store.lastFinished(null, 5);
  await store.repair("f", 9, { progress: 5 });
  await store.delete("h");
  await store.commit([create("past", { status: "FAILED", finishedAt: 3 })]);
  expect(await store.expire(5, 10)).toBe(1);
  await store.renewLease("me");
  await other.renewLease("silent");
  await other.commit([create("behind", { owner: "silent" })]);
  expect(await store.claim("me", ["me", "you", "node-a"], await store.renewLease("me"), 10, 1)).toHaveLength(1);
  await store.confirmOwnership("me");
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

/**
 * Empty if the id or an index finds what is asked for, in the order in which it is asked for. The
 * few coordinators are read whole.
 */
function whyUnserved(name: string, collection: string, filter: Asked["filter"], sort: Asked["sort"]): string[] {
  if (collection === "taskflow_coordinators" && Object.keys(filter).length === 0) return [];
  // Alternatives alone: each is looked for by itself.
  if (Object.keys(filter).join() === "$or")
    return (filter["$or"] as Asked["filter"][]).flatMap((one) => whyUnserved(name, collection, one, sort));
  const conditions = new Map(flatten(filter));
  const order = Object.keys(sort);
  const isById = conditions.has("_id") && order.every((path) => path === "_id");
  const isByIndex = INDEXES.some(({ key, partialFilterExpression }) => {
    const paths = Object.keys(key);
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

/**
 * The conditions that must hold, each path with all of its own; alternatives ($or) are left out.
 */
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
    if (operator === "$gt") return ((condition as { $gt?: string } | null)?.$gt ?? (condition as string)) >= (bound as string);
    if (operator !== "$gte" || condition === null || typeof condition !== "object") return false;
    const { $gte, $gt } = condition as { $gte?: number; $gt?: number };
    return ($gte ?? $gt ?? -1) >= (bound as number);
  });
}

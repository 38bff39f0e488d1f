/** What several coordinators on one MongoDB may rely on. */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { MongoClient } from "mongodb";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { type MongoProxy, startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { append, create } from "./store-writes.ts";

describeOnMongo("stores on one MongoDB", (server) => {
  let proxy: MongoProxy;
  let url: string;
  let store: MongoStore;
  let other: MongoStore;
  function proxied(): string {
    const throughProxy = new URL(url);
    throughProxy.host = `127.0.0.1:${proxy.port}`;
    return throughProxy.href;
  }
  beforeEach(async () => {
    proxy = await startMongoProxy(server().port, server().host);
    url = server().newUrl();
    store = new MongoStore({ url: proxied() });
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

  it("claim what a dead owner left, each taskflow for one of them", async () => {
    const ids = Array.from({ length: 400 }, (_, index) => `f${index}`);
    await store.commit(
      ids.map((id, index) => create(id, { owner: index % 3 === 0 ? null : `dead-${index % 2}`, fence: 1 + (index % 4) })),
    );
    const alive = ["one", "two", "three", "four"];
    const claims = await Promise.all(
      alive.map(async (owner, index) => (index % 2 === 0 ? store : other).claim(owner, alive, [], 150, 1)),
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

  it.each([
    ["has beaten before the beats are looked at", "find", ["renewLease"], []],
    ["has beaten and made sure of what it has before that is taken", "update", ["renewLease", "confirmOwnership"], []],
    ["has beaten, and not yet made sure of what it has, before that is taken", "update", ["renewLease"], ["f"]],
  ] as const)("take from an owner that %s only what it will see is gone", async (_, name, calls, expected) => {
    await other.renewLease("back");
    await other.commit([create("f", { owner: "back" })]);
    const dead = await store.renewLease("me");
    let goOn = (): void => undefined;
    const callsAreDone = new Promise<void>((resolve) => (goOn = resolve));
    const isThere = new Promise<void>((resolve) => {
      proxy.fault = (command) => {
        if (command.name !== name || command.collection !== (name === "find" ? "taskflow_coordinators" : "taskflows"))
          return undefined;
        proxy.fault = () => undefined;
        resolve();
        return { commandAfter: callsAreDone };
      };
    });
    const claim = store.claim("me", ["me"], dead, 10, 1);
    await isThere;
    for (const call of calls) await other[call]("back");
    goOn();
    expect((await claim).map(({ taskflowId }) => taskflowId)).toEqual(expected);
    expect((await other.read("f"))?.row).toMatchObject(
      expected.length > 0 ? { owner: "me", fence: 2 } : { owner: "back", fence: 1 },
    );
  });

  it("claim a thousand with one look at the rows, the beats, and one update, and are sure of them with one", async () => {
    await other.renewLease("silent");
    await other.commit(Array.from({ length: 1_000 }, (_, index) => create(`f${index}`, { owner: "silent" })));
    const dead = await store.renewLease("me");
    proxy.commands.length = 0;
    expect(await store.claim("me", ["me"], dead, 1_000, 1)).toHaveLength(1_000);
    const sent = proxy.commands.map(({ name, collection }) => `${name} ${collection}`);
    // Who is there (two steps), what nobody has, what the dead one has, what is nested in it.
    expect(sent.toSorted()).toEqual([
      "find taskflow_coordinators",
      ...Array.from({ length: 5 }, () => "find taskflows"),
      "update taskflows",
    ]);
    proxy.commands.length = 0;
    await store.confirmOwnership("me");
    expect(proxy.commands.map(({ name }) => name)).toEqual(["update"]);
  });

  it("leave nothing of a coordinator's row changes once another has its taskflow", async () => {
    await store.commit([create("f"), create("g")]);
    const [claimed] = await other.claim("b", ["b"], [], 1, 1);
    expect(await other.read(claimed!.taskflowId)).toBeDefined();
    // It does not know yet. The number is free, so this much is stored; its row is not its own
    // any more.
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
    const [claimed] = await other.claim("b", ["b"], [], 10, 1);
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

  it("refuse an entry that makes a taskflow more urgent once the row is another owner's, who would not see it", async () => {
    await store.commit([create("f", { dueAt: 900 }), create("g", { dueAt: 900 }), create("h")]);
    expect(await other.claim("b", ["b"], [], 1, 1)).toEqual([{ taskflowId: "h", fence: 2, dueAt: 0 }]);
    const [claimed] = await other.claim("b", ["b"], [], 1, 1);
    const left = claimed!.taskflowId === "f" ? "g" : "f";
    // The number is free in each of them.
    expect(
      await store.commit([append("h", 2), append(claimed!.taskflowId, 2, { dueAt: 0 }), append(left, 2, { dueAt: 0 })]),
    ).toEqual(["stored", "conflict", "stored"]);
    expect(await other.read(claimed!.taskflowId)).toMatchObject({
      row: { owner: "b", fence: 2, dueAt: 900 },
      entries: [expect.anything()],
    });
    expect(await store.read(left)).toMatchObject({ row: { dueAt: 0 }, entries: [expect.anything(), `${left} 2`] });
    expect(await other.commit([append(claimed!.taskflowId, 2, { dueAt: 5 })])).toEqual(["stored"]);
    expect((await store.read(claimed!.taskflowId))?.row).toMatchObject({ owner: "b", dueAt: 5 });
  });

  it("let either a deletion or an append to the finished taskflow have its way, never both", async () => {
    let deletions = 0;
    for (let round = 0; round < 30; round++) {
      const id = `f${round}`;
      await store.commit([create(id, { status: "FAILED", owner: null })]);
      await other.read(id);
      // The append begins when the deletion has sent so many of its commands.
      const wanted = round % 6;
      let sent = 0;
      const isThere = new Promise<void>((resolve) => {
        if (wanted === 0) resolve();
        proxy.fault = () => {
          if (++sent === wanted) resolve();
          return undefined;
        };
      });
      const deleting = store.delete(id);
      await isThere;
      const [deleted, [appended]] = await Promise.all([
        deleting,
        other.commit([append(id, 2, { status: "RUNNING", owner: "node-a" })]),
      ]);
      expect([`${deleted} conflict`, "active stored"]).toContain(`${deleted} ${appended}`);
      expect((await store.read(id))?.entries).toEqual(deleted === "deleted" ? undefined : [`${id} 1`, `${id} 2`]);
      if (deleted === "deleted") deletions++;
    }
    expect(deletions).toBeGreaterThan(0);
  });

  it("complete a deletion in whose middle a coordinator died, and take the id for free", async () => {
    for (const [id, fault] of [
      ["f", (name: string) => name === "delete"],
      ["g", (name: string) => name === "delete" || name === "update"],
    ] as const) {
      await store.commit([create(id)]);
      await other.claim("b", ["b"], [], 1, 1);
      await other.read(id);
      await other.commit([append(id, 2, { status: "COMPLETED" })]);
      // Its row says so to other coordinators a little later.
      await other.lastFinished("b", 1);
      const dying = new MongoStore({ url: proxied(), attemptMs: 100, patienceMs: 300 });
      await dying.open();
      proxy.fault = ({ name }) => (fault(name) ? "swallow" : undefined);
      await expect(dying.delete(id)).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
      proxy.fault = () => undefined;
      await dying.close();
      expect((await other.list({ pageSize: 10 })).rows).toHaveLength(1);
      expect(await other.read(id)).toBeUndefined();
      expect((await other.list({ pageSize: 10 })).rows).toEqual([]);
      expect(await store.commit([create(id, {}, "new")])).toEqual(["stored"]);
      expect((await other.read(id))?.entries).toEqual(["new"]);
      await store.commit([append(id, 2, { status: "COMPLETED" })]);
      expect(await store.delete(id)).toBe("deleted");
    }
  });

  it("refuse what the former owner of a deleted taskflow still appends, and mix it with no later one of the same id", async () => {
    await store.commit([create("f")]);
    await store.commit([append("f", 2)]);
    const [claimed] = await other.claim("b", ["b"], [], 1, 1);
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
    expect(new Set(left.map((document) => ("gone" in document ? "tombstone" : document._id)))).toEqual(
      new Set(["small", "tombstone"]),
    );
    expect(left).toHaveLength(2);
    await client.close();
  }, 60_000);

  it("show one another that they live, and forget who left or has been gone for a day", async () => {
    await store.renewLease("a");
    const [b] = (await other.renewLease("b")).filter(({ owner }) => owner === "b");
    expect((await store.renewLease("a")).toSorted(byOwner)).toEqual([{ owner: "a", renewals: expect.any(Number) }, b]);
    const client = new MongoClient(url);
    const old = { _id: "old", renewals: 7, at: new Date(Date.now() - 25 * 3_600_000) };
    await client.db().collection<typeof old>("taskflow_coordinators").insertOne(old);
    expect((await store.renewLease("a")).map(({ owner }) => owner).toSorted()).toEqual(["a", "b"]);
    expect(await client.db().collection("taskflow_coordinators").countDocuments()).toBe(2);
    await client.close();
    await store.leave("b");
    expect((await other.renewLease("a")).map(({ owner }) => owner)).toEqual(["a"]);
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

const byId = (a: { taskflowId: string }, b: { taskflowId: string }): number => (a.taskflowId < b.taskflowId ? -1 : 1);
const byOwner = (a: { owner: string }, b: { owner: string }): number => (a.owner < b.owner ? -1 : 1);

/** What a store owes to owners, on `list` and on `delete`. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { TaskflowRow } from "../../lib/ports/store.ts";
import { anyQuery, anyRows, listOf } from "./store-model.ts";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export function describeOwners(under: OpenStore): void {
  describe("for owners", () => {
    it("gives each taskflow of a dead owner to one caller only, with the next fence", async () => {
      const ids = Array.from({ length: 30 }, (_, index) => `f${index}`);
      await under.store.commit(ids.map((id) => create(id, { owner: "dead", fence: 3 })));
      const claims = await Promise.all(
        ["x", "y", "z"].map(async (owner) => under.store.claim(owner, ["x", "y", "z"], [], 12, 1)),
      );
      const claimed = claims.flat();
      expect(claimed.map(({ taskflowId }) => taskflowId).toSorted()).toEqual(ids.toSorted());
      expect(claimed.every(({ fence }) => fence === 4)).toBe(true);
      const first = claims[0]![0]!;
      expect((await under.store.read(first.taskflowId))?.row).toMatchObject({ owner: "x", fence: 4 });
      expect((await under.store.read(first.taskflowId))?.entries).toHaveLength(1);
      expect(await under.store.claim("w", ["x", "y", "z"], [], 100, 1)).toEqual([]);
    });

    it("claims what belongs to nobody, and of several dead owners what is due first", async () => {
      await under.store.commit([
        create("a", { owner: "dead-1", dueAt: 40 }),
        create("b", { owner: "dead-2", dueAt: 10 }),
        create("c", { owner: null, dueAt: 20 }),
        create("d", { owner: "dead-1", dueAt: 30 }),
        create("e", { owner: "alive", dueAt: 0 }),
      ]);
      expect(await under.store.claim("me", ["me", "alive"], [], 3, 1)).toEqual([
        { taskflowId: "b", fence: 2, dueAt: 10 },
        { taskflowId: "c", fence: 2, dueAt: 20 },
        { taskflowId: "d", fence: 2, dueAt: 30 },
      ]);
      expect(await under.store.claim("me", ["me", "alive"], [], 3, 1)).toEqual([{ taskflowId: "a", fence: 2, dueAt: 40 }]);
      expect((await under.store.read("e"))?.row.owner).toBe("alive");
    });

    it("claims anew what an owner of the same name left, if that is not among the living", async () => {
      await under.store.commit([create("f", { owner: "me" })]);
      expect(await under.store.claim("me", [], [], 10, 1)).toEqual([{ taskflowId: "f", fence: 2, dueAt: 0 }]);
    });

    it("leaves finished taskflows and newer formats alone", async () => {
      await under.store.commit([
        create("done", { owner: "dead", status: "COMPLETED" }),
        create("cancelled", { owner: null, status: "CANCELLED" }),
        create("partial", { owner: null, status: "PARTIAL_COMPLETED" }),
        create("failed", { owner: null, status: "FAILED" }),
        create("newer", { owner: "dead", format: 2 }),
        create("waiting", { owner: "dead", status: "WAITING" }),
        create("paused", { owner: "dead", status: "PAUSED" }),
      ]);
      const claimed = await under.store.claim("me", ["me"], [], 10, 1);
      expect(claimed.map(({ taskflowId }) => taskflowId).toSorted()).toEqual(["paused", "waiting"]);
      expect((await under.store.claim("me", ["me"], [], 10, 2)).map(({ taskflowId }) => taskflowId)).toEqual(["newer"]);
    });

    it("tells what is due of an owner, soonest first", async () => {
      await under.store.commit([
        create("c", { dueAt: 30 }),
        create("a", { dueAt: 10 }),
        create("b", { dueAt: 20, fence: 7 }),
        create("now", { dueAt: 0 }),
        create("later", { dueAt: 31 }),
        create("done", { dueAt: 5, status: "FAILED" }),
        create("other", { dueAt: 5, owner: "node-b" }),
      ]);
      expect((await under.store.due("node-a", 30, 10)).map(({ taskflowId }) => taskflowId)).toEqual(["now", "a", "b", "c"]);
      expect(await under.store.due("node-a", 20, 3)).toContainEqual({ taskflowId: "b", fence: 7, dueAt: 20 });
      expect((await under.store.due("node-a", 30, 2)).map(({ taskflowId }) => taskflowId)).toEqual(["now", "a"]);
      await under.store.commit([append("now", 2, { dueAt: 100 }), append("later", 2, { dueAt: 1 })]);
      expect((await under.store.due("node-a", 30, 2)).map(({ taskflowId }) => taskflowId)).toEqual(["later", "a"]);
    });

    it("tells what is due page by page, from any place on", async () => {
      const ids = Array.from({ length: 25 }, (_, index) => `f${String(index).padStart(2, "0")}`);
      await under.store.commit(ids.map((id, index) => create(id, { dueAt: Math.floor(index / 10) })));
      const found: string[] = [];
      for (
        let page = await under.store.due("node-a", 2, 4);
        page.length > 0;
        page = await under.store.due("node-a", 2, 4, page.at(-1))
      )
        found.push(...page.map(({ taskflowId }) => taskflowId));
      expect(found).toEqual(ids);
      expect((await under.store.due("node-a", 2, 99, { dueAt: 0, taskflowId: "" })).map(({ taskflowId }) => taskflowId)).toEqual(
        ids,
      );
      expect(await under.store.due("node-a", 1, 99, { dueAt: 1, taskflowId: "f19" })).toEqual([]);
    });
  });
  describeTrees(under);
}

const nestedIn = (rootId: string, fields: Partial<TaskflowRow> = {}): Partial<TaskflowRow> => ({
  rootId,
  parentTaskflowId: rootId,
  ...fields,
});

function describeTrees(under: OpenStore): void {
  describe("for trees of nested taskflows", () => {
    it("claims a tree as a whole, beyond the limit, from whichever of it is due first", async () => {
      await under.store.commit([
        create("root", { owner: "dead", dueAt: 50 }),
        create("child", nestedIn("root", { owner: "dead", dueAt: 10 })),
        create("grandchild", nestedIn("root", { owner: null, dueAt: 70, parentTaskflowId: "child" })),
        create("done", nestedIn("root", { owner: "dead", status: "FAILED" })),
        create("other", { owner: "dead", dueAt: 20 }),
      ]);
      const claimed = await under.store.claim("me", ["me"], [], 1, 1);
      expect(claimed.map(({ taskflowId }) => taskflowId).toSorted()).toEqual(["child", "grandchild", "root"]);
      expect(claimed.every(({ fence }) => fence === 2)).toBe(true);
      expect((await under.store.read("grandchild"))?.row).toMatchObject({ owner: "me", fence: 2 });
      expect((await under.store.read("done"))?.row).toMatchObject({ owner: "dead", fence: 1 });
      expect(await under.store.claim("me", ["me"], [], 10, 1)).toEqual([{ taskflowId: "other", fence: 2, dueAt: 20 }]);
    });

    it("claims what is nested in a root that is finished, or its own", async () => {
      await under.store.commit([
        create("over", { owner: "gone", status: "COMPLETED" }),
        create("left", nestedIn("over", { owner: "gone" })),
        create("mine", { owner: "me" }),
        create("its", nestedIn("mine", { owner: "gone" })),
      ]);
      const claimed = await under.store.claim("me", ["me"], [], 10, 1);
      expect(claimed.map(({ taskflowId }) => taskflowId).toSorted()).toEqual(["its", "left"]);
    });
  });
}

export function describeExpire(under: OpenStore): void {
  describe("on expire", () => {
    const finished = (finishedAt: number, fields: Partial<TaskflowRow> = {}): Partial<TaskflowRow> => ({
      status: "COMPLETED",
      finishedAt,
      ...fields,
    });
    const isThere = async (id: string): Promise<boolean> => (await under.store.read(id)) !== undefined;

    it("removes what finished before a time, at most so many at once, and nothing else", async () => {
      await under.store.commit([
        create("a", finished(10)),
        create("b", finished(20, { owner: null, status: "FAILED" })),
        create("c", finished(30, { owner: "node-b", status: "CANCELLED" })),
        create("late", finished(31)),
        create("open"),
        create("again", { status: "RUNNING", startedAt: 5 }),
      ]);
      expect(await under.store.expire(31, 2)).toBe(2);
      expect(await under.store.expire(31, 2)).toBe(1);
      expect(await under.store.expire(31, 2)).toBe(0);
      expect((await under.store.list({ pageSize: 10 })).rows.map(({ taskflowId }) => taskflowId).toSorted()).toEqual([
        "again",
        "late",
        "open",
      ]);
      expect(await isThere("a")).toBe(false);
      expect(await under.store.commit([create("a", { name: "new" }), append("b", 2), append("late", 2)])).toEqual([
        "stored",
        "conflict",
        "stored",
      ]);
    });

    it("removes what is nested with its root, and a root only when all in it is finished", async () => {
      await under.store.commit([
        create("root", finished(10)),
        create("child", nestedIn("root", finished(90))),
        create("grandchild", nestedIn("root", finished(5, { parentTaskflowId: "child" }))),
        create("young", finished(80)),
        create("old", nestedIn("young", finished(1))),
        create("busy", finished(2)),
        create("runs", nestedIn("busy")),
        create("plain", finished(20)),
      ]);
      expect(await under.store.expire(50, 1)).toBe(3);
      expect(await under.store.expire(50, 10)).toBe(1);
      expect(await Promise.all(["root", "child", "grandchild", "plain"].map(isThere))).toEqual([false, false, false, false]);
      expect(await Promise.all(["young", "old", "busy", "runs"].map(isThere))).toEqual([true, true, true, true]);
      await under.store.commit([append("runs", 2, { status: "COMPLETED", finishedAt: 60 })]);
      expect(await under.store.expire(50, 10)).toBe(2);
      expect(await under.store.expire(50, 10)).toBe(0);
    });

    it("may be asked by several at once", async () => {
      await under.store.commit(Array.from({ length: 30 }, (_, index) => create(`f${index}`, finished(index))));
      const removed = await Promise.all([1, 2, 3].map(async () => under.store.expire(100, 20)));
      expect(removed.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(20);
      while ((await under.store.expire(100, 20)) > 0);
      expect((await under.store.list({ pageSize: 1 })).counts).toEqual({});
    });
  });
}

export function describeList(under: OpenStore): void {
  describe("on list", () => {
    it("answers any query as a simple model does, page by page", async () => {
      await fc.assert(
        fc.asyncProperty(anyRows, fc.array(anyQuery, { minLength: 1, maxLength: 8 }), async (rows, queries) => {
          const other = await under.make();
          await other.store.open();
          try {
            await other.store.commit(rows.map((row) => ({ kind: "create", row, entry: "{}" })));
            for (const query of queries) {
              const expected = listOf(rows, query);
              const found: TaskflowRow[] = [];
              let cursor: string | undefined;
              do {
                const page = await other.store.list(cursor === undefined ? query : { ...query, cursor });
                expect(page.counts).toEqual(expected.counts);
                expect(page.rows.length).toBeLessThanOrEqual(query.pageSize);
                found.push(...page.rows);
                cursor = page.nextCursor;
                // No cursor at the end, and none that leads to nothing.
                expect(cursor === undefined).toBe(found.length >= expected.rows.length);
              } while (cursor !== undefined);
              expect(found).toEqual(expected.rows);
            }
          } finally {
            await other.store.close();
          }
        }),
        { numRuns: 25 },
      );
    });

    it("misses nothing and repeats nothing while taskflows come in between two pages", async () => {
      await under.store.commit(Array.from({ length: 10 }, (_, index) => create(`f${index}`, { createdAt: 100 + index })));
      const first = await under.store.list({ pageSize: 5, sort: "-createdAt" });
      await under.store.commit([create("newest", { createdAt: 200 })]);
      const second = await under.store.list({ pageSize: 5, sort: "-createdAt", cursor: first.nextCursor! });
      const ids = [...first.rows, ...second.rows].map(({ taskflowId }) => taskflowId);
      expect(ids).toEqual(Array.from({ length: 10 }, (_, index) => `f${9 - index}`));
      expect(second.nextCursor).toBeUndefined();
    });

    it("takes the characters of a text as they are", async () => {
      await under.store.commit([
        create("a", { name: "100% done" }),
        create("b", { name: "a_b" }),
        create("c", { name: "[x].*\\" }),
        create("d", { name: "ÄÖ" }),
      ]);
      const find = async (text: string): Promise<string[]> =>
        (await under.store.list({ text, pageSize: 10, sort: "createdAt" })).rows.map(({ taskflowId }) => taskflowId);
      expect(await find("%")).toEqual(["a"]);
      expect(await find("_")).toEqual(["b"]);
      expect(await find("].*\\")).toEqual(["c"]);
      expect(await find("äö")).toEqual(["d"]);
    });

    it.each(["", "x", "e30", "bnVsbA", "WzFd", "W251bGwsMV0", "%%%", Buffer.from('[1,"a"] ').toString("base64url")])(
      "refuses the cursor %j with a RangeError",
      async (cursor) => {
        await expect(under.store.list({ pageSize: 10, cursor })).rejects.toMatchObject({ name: "RangeError" });
      },
    );

    it.each([0, -1, 1.5, 1_001, Number.NaN])("refuses the page size %d with a RangeError", async (pageSize) => {
      await expect(under.store.list({ pageSize })).rejects.toMatchObject({ name: "RangeError" });
    });
  });
}

export function describeDelete(under: OpenStore): void {
  describe("on delete", () => {
    it("removes a finished taskflow with its journal, and its id is free again", async () => {
      await under.store.commit([create("f"), create("g")]);
      await under.store.commit([append("f", 2, { status: "COMPLETED", owner: null })]);
      expect(await under.store.delete("f")).toBe("deleted");
      expect(await under.store.read("f")).toBeUndefined();
      expect(await under.store.delete("f")).toBe("missing");
      expect(await under.store.commit([create("f", { name: "new" })])).toEqual(["stored"]);
      expect(await under.store.read("f")).toEqual(whole(newRow("f", { name: "new" }), ["f 1"]));
      expect((await under.store.read("g"))?.entries).toEqual(["g 1"]);
    });

    it.each(["WAITING", "RUNNING", "PAUSED"] as const)("leaves a %s one alone", async (status) => {
      await under.store.commit([create("f", { status })]);
      expect(await under.store.delete("f")).toBe("active");
      expect((await under.store.read("f"))?.entries).toEqual(["f 1"]);
    });

    it("knows nothing of an id that was never there", async () => {
      expect(await under.store.delete("nobody")).toBe("missing");
      expect(await under.store.read("nobody")).toBeUndefined();
    });
  });
}

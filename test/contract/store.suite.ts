/**
 * What every store owes the engine (`lib/ports/store.ts`), as tests. Each adapter runs all of it:
 * `describeStore("sqlite", …)`.
 */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Store } from "../../lib/ports/store.ts";
import { describeCommit } from "./store-commit.suite.ts";
import { describeCompact } from "./store-compact.suite.ts";
import { describeInsert } from "./store-insert.suite.ts";
import { describeJournalCache } from "./journal-cache.suite.ts";
import { describePauses } from "./store-pauses.suite.ts";
import { describeDelete, describeExpire, describeList, describeOwners } from "./store-query.suite.ts";
import { describeReopen } from "./store-reopen.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export interface StoreUnderTest {
  /** New and empty, not open. */
  readonly store: Store;
  /** Another one over what that one has stored; absent where nothing outlives it. */
  readonly again?: () => Store;
}

/** What the tests work with: a store that is open and new for each of them. */
export interface OpenStore {
  readonly store: Store;
  again(): Store | undefined;
  make(): StoreUnderTest | Promise<StoreUnderTest>;
}

export function describeStore(name: string, make: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  describe(`the store ${name}`, () => {
    let made: StoreUnderTest;
    const under: OpenStore = {
      get store() {
        return made.store;
      },
      again: () => made.again?.(),
      make,
    };
    beforeEach(async () => {
      made = await make();
      await made.store.open();
    });
    afterEach(async () => made.store.close());

    describeCommit(under);
    describeOwners(under);
    describeList(under);
    describeDelete(under);
    describeExpire(under);
    describeReopen(under);
    describeValues(under);
    describeInsert(under);
    describeCompact(under);
    describeJournalCache(under);
    describePauses(under);
    describeOpening(under);
  });
}

function describeValues(under: OpenStore): void {
  describe("for values of any kind", () => {
    it.each([1, 16])("keeps entries of %d MiB and more", async (size) => {
      const text = JSON.stringify({ text: "äx😀".repeat((size * 1024 * 1024) / 7 + 1) });
      await under.store.commit([create("f", {}, text), create("g")]);
      await under.store.commit([
        { kind: "append", taskflowId: "f", revision: 2, entry: text, row: { progress: 50 } },
        append("g", 2),
      ]);
      const stored = await under.store.read("f");
      expect(stored?.entries.map((entry) => entry === text)).toEqual([true, true]);
      expect(stored?.row.progress).toBe(50);
    });

    it("keeps every character of entries, tags and attributes, and of well-formed names", async () => {
      let run = 0;
      const wild = fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom(
          "\u0000",
          "a\u0000b",
          "\uD800",
          "\uDC00\uD800",
          "__proto__",
          "constructor",
          "\u2028",
          "😀",
          "$x.y",
          "'\"`",
        ),
      );
      await fc.assert(
        fc.asyncProperty(wild, wild, async (text, other) => {
          const id = `run-${run++}`;
          const entry = JSON.stringify({ text, nested: JSON.parse(`{"__proto__":${JSON.stringify(other)}}`) as unknown });
          const attributes = Object.defineProperty({}, text, {
            value: other,
            enumerable: true,
            configurable: true,
            writable: true,
          });
          const row = newRow(id, { name: text.toWellFormed(), tenant: other.toWellFormed(), tags: [text, other], attributes });
          expect(await under.store.commit([{ kind: "create", row, entry }])).toEqual(["stored"]);
          expect(await under.store.commit([{ kind: "append", taskflowId: id, revision: 2, entry }])).toEqual(["stored"]);
          const stored = await under.store.read(id);
          expect(stored?.entries).toEqual([entry, entry]);
          expect(JSON.stringify(stored?.row)).toBe(JSON.stringify(row));
        }),
        { numRuns: 60 },
      );
    });

    it("takes ids for text and nothing else", async () => {
      const ids = [
        "'; DROP TABLE taskflows; --",
        '"',
        "%",
        "_",
        "\\",
        "a",
        "A",
        "__proto__",
        "constructor",
        "$where",
        "{}",
        "a b",
        "é",
        "1",
        "01",
        "1.0",
        "null",
      ];
      await under.store.commit(ids.map((id) => create(id, { status: "FAILED", owner: null })));
      for (const id of ids) {
        expect(await under.store.commit([append(id, 2)])).toEqual(["stored"]);
        expect((await under.store.read(id))?.entries).toEqual([`${id} 1`, `${id} 2`]);
      }
      expect(await under.store.delete("%")).toBe("deleted");
      expect(await under.store.read("a")).toBeDefined();
      expect((await under.store.list({ pageSize: 1_000 })).counts).toEqual({ FAILED: ids.length - 1 });
    });
  });
}

function describeOpening(under: OpenStore): void {
  describe("when it is opened and closed", () => {
    it("is in good health while it is open, and takes a second open or close for nothing", async () => {
      await under.store.commit([create("f")]);
      await under.store.open();
      expect(await under.store.health()).toMatchObject({ ok: true, kind: expect.any(String) });
      expect(await under.store.read("f")).toBeDefined();
      await under.store.close();
      await under.store.close();
    });

    it("says STORE_UNAVAILABLE to everything once it is closed, and health answers", async () => {
      await under.store.close();
      await expect((async () => under.store.commit([create("f")]))()).rejects.toMatchObject({
        type: "STORE_UNAVAILABLE",
        code: 503,
      });
      for (const call of [
        async () => under.store.read("f"),
        async () => under.store.readMany(["f"]),
        async () => under.store.expire(1, 1),
        async () => under.store.claim("me", [], [], 1, 1),
        async () => under.store.due("me", 1, 1),
        async () => under.store.list({ pageSize: 1 }),
        async () => under.store.delete("f"),
        async () => under.store.reopen("f", "me", 1),
      ]) {
        await expect(call()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
      }
      expect(await under.store.health()).toMatchObject({ ok: false, error: expect.any(String) });
    });

    it("answers a list that is under way before it closes", async () => {
      await under.store.commit([create("f")]);
      const [page] = await Promise.all([under.store.list({ pageSize: 10 }), under.store.close()]);
      expect(page.rows).toEqual([newRow("f")]);
    });

    it("finds everything again, if it outlives its process", async () => {
      await under.store.commit([
        create("f"),
        create("done", { status: "FAILED", owner: null }),
        create("g", { owner: "dead", dueAt: 3 }),
      ]);
      await under.store.commit([append("f", 2, { progress: 50 })]);
      await under.store.delete("done");
      await under.store.close();
      const again = under.again();
      if (again === undefined) return;
      await again.open();
      try {
        expect(await again.read("f")).toEqual(whole(newRow("f", { progress: 50 }), ["f 1", "f 2"]));
        expect(await again.commit([append("f", 2), create("g"), append("g", 2), create("h")])).toEqual([
          "conflict",
          "conflict",
          "stored",
          "stored",
        ]);
        expect(await again.claim("me", ["me", "node-a"], [], 10, 1)).toEqual([{ taskflowId: "g", fence: 2, dueAt: 3 }]);
        expect((await again.list({ pageSize: 10 })).counts).toEqual({ RUNNING: 3 });
      } finally {
        await again.close();
      }
    });
  });
}

/**
 * What every store owes to compaction: a snapshot takes the place of entries, wherever that is
 * cut short.
 */
import { describe, expect, it } from "@jest/globals";
import type { Store } from "../../lib/ports/store.ts";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

const numbered = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => `f ${from + index}`);

async function grow(store: Store, to: number, from = 1): Promise<string> {
  for (let revision = from; revision <= to; revision++) {
    await store.commit([revision === 1 ? create("f") : append("f", revision)]);
  }
  return (await store.read("f"))?.journal ?? "";
}

export function describeCompact(under: OpenStore): void {
  describe("for compaction", () => {
    it("reads the snapshot and what came after it, and goes on from there", async () => {
      const { store } = under;
      const journal = await grow(store, 10);
      expect(await store.compact("f", journal, 7, ["one", "two"])).toBe("stored");
      const entries = ["f 1", "one", "two", ...numbered(8, 10)];
      expect(await store.read("f")).toEqual({ ...whole(newRow("f"), entries), revision: 10 });
      expect(await store.commit([append("f", 5)])).toEqual(["conflict"]);
      expect(await store.commit([append("f", 10)])).toEqual(["conflict"]);
      expect(await store.commit([append("f", 11, { progress: 50 })])).toEqual(["stored"]);
      expect((await store.readMany(["f", "none"]))[0]).toMatchObject({ revision: 11, entries: [...entries, "f 11"] });
    });

    it("replaces a snapshot by a later one, and takes no earlier one", async () => {
      const { store } = under;
      const journal = await grow(store, 10);
      expect(await store.compact("f", journal, 4, ["a", "b", "c"])).toBe("stored");
      expect(await store.compact("f", journal, 4, ["x"])).toBe("conflict");
      expect(await store.compact("f", journal, 3, ["x"])).toBe("conflict");
      expect((await store.read("f"))?.entries).toEqual(["f 1", "a", "b", "c", ...numbered(5, 10)]);
      expect(await store.compact("f", journal, 9, ["d"])).toBe("stored");
      expect((await store.read("f"))?.entries).toEqual(["f 1", "d", "f 10"]);
    });

    it("keeps the last entry, and knows its own journal from another one of the same id", async () => {
      const { store } = under;
      const journal = await grow(store, 3);
      expect(await store.compact("f", journal, 3, ["x"])).toBe("conflict");
      expect(await store.compact("none", journal, 2, ["x"])).toBe("conflict");
      expect(await store.commit([append("f", 4, { status: "FAILED", finishedAt: 1 })])).toEqual(["stored"]);
      expect(await store.delete("f")).toBe("deleted");
      await grow(store, 5);
      expect(await store.compact("f", journal, 2, ["x"])).toBe("conflict");
      expect((await store.read("f"))?.entries).toEqual(numbered(1, 5));
    });

    it("reads on from an entry, until a compaction has gone beyond it", async () => {
      const { store } = under;
      const journal = await grow(store, 6);
      expect(await store.readOn("f", journal, 6)).toEqual({ ...whole(newRow("f"), []), revision: 6 });
      expect(await store.readOn("f", journal, 4)).toEqual({ ...whole(newRow("f"), ["f 5", "f 6"]), revision: 6 });
      await store.compact("f", journal, 5, ["x"]);
      expect((await store.readOn("f", journal, 5))?.entries).toEqual(["f 6"]);
      expect(await store.readOn("f", journal, 4)).toBeUndefined();
      expect(await store.readOn("none", journal, 4)).toBeUndefined();
      expect(await store.readOn("f", `${journal}0`, 4)).toBeUndefined();
    });

    it("keeps snapshots that are larger than a document, and thousands of entries", async () => {
      const { store } = under;
      const entries = Array.from({ length: 5_000 }, (_, index) => `f ${index + 1}`);
      await store.insert(newRow("f"), entries);
      const { journal } = (await store.read("f"))!;
      const texts = Array.from({ length: 40 }, (_, index) => `${index}äx😀`.repeat(60_000));
      expect(await store.compact("f", journal, 4_990, texts)).toBe("stored");
      const stored = await store.read("f");
      expect(stored?.entries.slice(1, 41).map((text, index) => text === texts[index])).toEqual(texts.map(() => true));
      expect(stored?.entries.slice(41)).toEqual(entries.slice(4_990));
      expect(stored?.revision).toBe(5_000);
      expect(await store.compact("f", journal, 4_999, ["small"])).toBe("stored");
      expect((await store.read("f"))?.entries).toEqual(["f 1", "small", "f 5000"]);
    }, 60_000);

    it("goes with its taskflow, and survives a new start", async () => {
      const journal = await grow(under.store, 6);
      await under.store.compact("f", journal, 5, ["x"]);
      const again = under.again();
      if (again) {
        await under.store.close();
        await again.open();
      }
      const store = again ?? under.store;
      try {
        expect((await store.read("f"))?.entries).toEqual(["f 1", "x", "f 6"]);
        expect(await store.commit([append("f", 7, { status: "FAILED", finishedAt: 1 })])).toEqual(["stored"]);
        expect(await store.delete("f")).toBe("deleted");
        expect(await store.read("f")).toBeUndefined();
        await grow(store, 2);
        expect((await store.read("f"))?.entries).toEqual(numbered(1, 2));
      } finally {
        await again?.close();
      }
    });

    it("is read as a whole by others while it is compacted", async () => {
      const { store } = under;
      const journal = await grow(store, 40);
      const reads: Promise<unknown>[] = [];
      for (let revision = 5; revision < 40; revision += 5) {
        const compacted = store.compact("f", journal, revision, [`until ${revision}`]);
        reads.push(...Array.from({ length: 4 }, () => store.read("f")));
        await compacted;
      }
      for (const stored of (await Promise.all(reads)) as Awaited<ReturnType<Store["read"]>>[]) {
        const [first, second = "", ...others] = stored?.entries ?? [];
        const from = Number(/^until (\d+)$/.exec(second)?.[1] ?? 1);
        expect([first, ...(from === 1 ? [second] : []), ...others]).toEqual(["f 1", ...numbered(from + 1, 40)]);
      }
    });
  });
}

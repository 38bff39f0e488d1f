/** What every store owes to copies: a taskflow is stored with all of its journal, or not at all. */
import { describe, expect, it } from "@jest/globals";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export function describeInsert(under: OpenStore): void {
  describe("for whole taskflows", () => {
    const entries = (count: number): string[] => Array.from({ length: count }, (_, index) => `f ${index + 1}`);

    it("stores a row with all of its entries, and goes on from there", async () => {
      const { store } = under;
      const row = newRow("f", { fence: 3, status: "PAUSED", tags: ["t"], progress: 20 });
      expect(await store.insert(row, entries(2_500))).toBe("stored");
      expect(await store.read("f")).toEqual(whole(row, entries(2_500)));
      expect(await store.commit([append("f", 2_500)])).toEqual(["conflict"]);
      expect(await store.commit([append("f", 2_501, { progress: 30 })])).toEqual(["stored"]);
      expect(await store.read("f")).toEqual(whole({ ...row, progress: 30 }, entries(2_501)));
      expect(await store.due("node-a", 10, 10)).toEqual([{ taskflowId: "f", fence: 3, dueAt: 0 }]);
    });

    it("stores a finished one, which nobody claims and which can be deleted", async () => {
      const { store } = under;
      const row = newRow("f", { status: "FAILED", finishedAt: 5, errorType: "E", rootId: "f" });
      expect(await store.insert(row, entries(3))).toBe("stored");
      expect(await store.claim("me", ["me"], [], 10, 1)).toEqual([]);
      expect((await store.list({ pageSize: 10, errorType: ["E"] })).rows).toEqual([row]);
      expect(await store.delete("f")).toBe("deleted");
      expect(await store.insert(row, entries(1))).toBe("stored");
    });

    it("changes nothing where the id is taken", async () => {
      const { store } = under;
      await store.commit([create("f")]);
      expect(await store.insert(newRow("f", { status: "FAILED" }), entries(5))).toBe("conflict");
      expect(await store.read("f")).toEqual(whole(newRow("f"), ["f 1"]));
      const both = ["one", "two"].map((name) => store.insert(newRow("g", { name }), [`${name} 1`, `${name} 2`]));
      const results = await Promise.all(both);
      expect(results.toSorted((a, b) => a.localeCompare(b))).toEqual(["conflict", "stored"]);
      const winner = results[0] === "stored" ? "one" : "two";
      expect(await store.read("g")).toEqual(whole(newRow("g", { name: winner }), [`${winner} 1`, `${winner} 2`]));
    });

    it("keeps large entries, the first one too", async () => {
      const { store } = under;
      const large = [5, 1, 9].map((size) => JSON.stringify("äx😀".repeat((size * 1024 * 1024) / 7)));
      expect(await store.insert(newRow("f"), large)).toBe("stored");
      const stored = await store.read("f");
      expect(stored?.entries.map((entry, index) => entry === large[index])).toEqual([true, true, true]);
    }, 60_000);
  });
}

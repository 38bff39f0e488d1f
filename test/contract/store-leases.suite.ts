/** What every store owes to several coordinators, beside `claim` and `due`. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Store } from "../../lib/ports/store.ts";
import { append, create, newRow } from "./store-writes.ts";

export function describeLeases(name: string, make: () => Store): void {
  describe(`the store ${name}, shared`, () => {
    let store: Store;
    beforeEach(async () => {
      store = make();
      await store.open();
    });
    afterEach(async () => store.close());

    it("repairs the row of a taskflow that still has this fence, and no other", async () => {
      await store.commit([create("f"), create("g")]);
      await store.commit([append("f", 2)]);
      const change = { status: "FAILED", errorType: "E", finishedAt: 9, progress: 40 } as const;
      await store.repair("f", 2, change);
      expect((await store.read("f"))?.row).toEqual(newRow("f"));
      await store.repair("f", 1, change);
      expect(await store.read("f")).toEqual({ row: newRow("f", change), entries: ["f 1", "f 2"] });
      await store.repair("f", 1, change);
      expect(await store.claim("me", ["me"], 10, 1)).toEqual([{ taskflowId: "g", fence: 2, dueAt: 0 }]);
      await store.repair("missing", 1, change);
      expect(await store.read("missing")).toBeUndefined();
    });

    it("appends after a repair as if nothing had been", async () => {
      await store.commit([create("f")]);
      await store.repair("f", 1, { progress: 10 });
      expect(await store.commit([append("f", 2, { progress: 20 })])).toEqual(["stored"]);
      await store.repair("f", 1, { errorType: "E" });
      expect(await store.commit([append("f", 3, { progress: 30 })])).toEqual(["stored"]);
      expect((await store.read("f"))?.row).toEqual(newRow("f", { progress: 30, errorType: "E" }));
    });

    it("counts the beats of coordinators until they leave", async () => {
      expect(await store.beat("a")).toEqual([{ owner: "a", beat: 1 }]);
      await store.beat("b");
      expect(new Map((await store.beat("a")).map(({ owner, beat }) => [owner, beat]))).toEqual(
        new Map([
          ["a", 2],
          ["b", 1],
        ]),
      );
      await store.leave("a");
      await store.leave("nobody");
      expect(await store.beat("b")).toEqual([{ owner: "b", beat: 2 }]);
      expect(await store.beat("a")).toContainEqual({ owner: "a", beat: 1 });
    });

    it("tells its clock's distance", async () => {
      expect(Math.abs(await store.timeOffset())).toBeLessThan(1_000);
    });

    it("gives up taskflows that are its owner's, and no others", async () => {
      await store.commit([
        create("mine", { owner: "a" }),
        create("theirs", { owner: "b" }),
        create("done", { owner: "a", status: "FAILED" }),
      ]);
      await store.release("a", ["mine", "theirs", "done", "missing"]);
      expect((await store.read("mine"))?.row).toMatchObject({ owner: null, fence: 1 });
      expect((await store.read("theirs"))?.row.owner).toBe("b");
      expect((await store.read("done"))?.row.owner).toBe("a");
      expect(await store.claim("c", ["a", "b", "c"], 10, 1)).toEqual([{ taskflowId: "mine", fence: 2, dueAt: 0 }]);
    });

    it("says STORE_UNAVAILABLE once it is closed", async () => {
      await store.close();
      for (const call of [
        async () => store.repair("f", 1, {}),
        async () => store.beat("a"),
        async () => store.leave("a"),
        async () => store.timeOffset(),
      ]) {
        await expect(call()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
      }
    });
  });
}

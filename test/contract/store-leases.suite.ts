/** What every store owes to several coordinators, beside `claim` and `due`. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Store } from "../../lib/ports/store.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export function describeLeases(name: string, make: () => Store): void {
  describe(`the store ${name}, shared`, () => {
    let store: Store;
    beforeEach(async () => {
      store = make();
      await store.open();
    });
    afterEach(async () => store.close());
    const beat = async (owner: string): Promise<number> => {
      const known = await store.renewLease(owner);
      return known.find((one) => one.owner === owner)!.renewals;
    };

    it("repairs the row of a taskflow that still has this fence, and no other", async () => {
      await store.commit([create("f"), create("g")]);
      await store.commit([append("f", 2)]);
      const change = { status: "FAILED", errorType: "E", finishedAt: 9, progress: 40 } as const;
      await store.repair("f", 2, change);
      expect((await store.read("f"))?.row).toEqual(newRow("f"));
      await store.repair("f", 1, change);
      expect(await store.read("f")).toEqual(whole(newRow("f", change), ["f 1", "f 2"]));
      await store.repair("f", 1, change);
      expect(await store.claim("me", ["me"], [], 10, 1)).toEqual([{ taskflowId: "g", fence: 2, dueAt: 0 }]);
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

    it("gives a coordinator another beat each time, and knows it until it leaves", async () => {
      const first = await beat("a");
      await beat("b");
      const second = await beat("a");
      const known = await store.renewLease("b");
      expect(known.map(({ owner }) => owner).toSorted()).toEqual(["a", "b"]);
      expect(known).toContainEqual({ owner: "a", renewals: second });
      await store.leave("a");
      await store.leave("nobody");
      expect((await store.renewLease("b")).map(({ owner }) => owner)).toEqual(["b"]);
      const lives = [first, second, await beat("a"), await beat("a")];
      expect(new Set(lives).size).toBe(lives.length);
    });

    it("takes from an owner that was judged dead at the beat that it still has, and from none that has beaten since or is not known", async () => {
      const judged = await beat("silent");
      const before = await beat("back");
      await beat("back");
      await beat("new");
      await store.commit(["silent", "back", "new"].map((owner) => create(`of ${owner}`, { owner })));
      const dead = [
        { owner: "silent", renewals: judged },
        { owner: "back", renewals: before },
      ];
      expect(await store.claim("me", ["me"], dead, 10, 1)).toEqual([{ taskflowId: "of silent", fence: 2, dueAt: 0 }]);
      expect((await store.read("of back"))?.row).toEqual(newRow("of back", { owner: "back" }));
      await store.leave("back");
      expect(await store.claim("me", ["me"], [], 10, 1)).toEqual([{ taskflowId: "of back", fence: 2, dueAt: 0 }]);
    });

    it("finds what is left behind what those have who came back, however much that is", async () => {
      const before = await beat("back");
      await beat("back");
      await store.commit([
        ...[1, 2, 3].map((dueAt) => create(`kept ${dueAt}`, { owner: "back", dueAt })),
        create("left", { owner: "gone", dueAt: 9 }),
      ]);
      expect(await store.claim("me", ["me"], [{ owner: "back", renewals: before }], 2, 1)).toEqual([
        { taskflowId: "left", fence: 2, dueAt: 9 },
      ]);
    });

    it("changes nothing that can be seen when an owner makes sure of what it has", async () => {
      await store.commit([create("f", { owner: "a" }), create("g", { owner: "b" })]);
      await store.confirmOwnership("a");
      await store.confirmOwnership("a");
      expect(await store.read("f")).toEqual(whole(newRow("f", { owner: "a" }), ["f 1"]));
      expect(await store.commit([append("f", 2, { progress: 5 })])).toEqual(["stored"]);
      expect((await store.read("f"))?.row).toEqual(newRow("f", { owner: "a", progress: 5 }));
      expect(await store.claim("b", ["b"], [], 10, 1)).toEqual([{ taskflowId: "f", fence: 2, dueAt: 0 }]);
      expect(await store.claim("c", ["c"], [], 10, 1)).toHaveLength(2);
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
      expect(await store.claim("c", ["a", "b", "c"], [], 10, 1)).toEqual([{ taskflowId: "mine", fence: 2, dueAt: 0 }]);
    });

    it("says STORE_UNAVAILABLE once it is closed", async () => {
      await store.close();
      for (const call of [
        async () => store.repair("f", 1, {}),
        async () => store.renewLease("a"),
        async () => store.leave("a"),
        async () => store.confirmOwnership("a"),
        async () => store.timeOffset(),
      ]) {
        await expect(call()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
      }
    });
  });
}

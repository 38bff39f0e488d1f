/** What every store owes to whoever goes on with a finished taskflow. */
import { describe, expect, it } from "@jest/globals";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export function describeReopen(under: OpenStore): void {
  describe("on reopen", () => {
    it.each(["COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"] as const)(
      "gives a %s one a new owner and fence",
      async (status) => {
        await under.store.commit([create("f", { fence: 3, owner: "before" })]);
        await under.store.commit([append("f", 2, { status, finishedAt: 9, progress: 100 })]);
        expect(await under.store.reopen("f", "me", 3)).toBe(true);
        const row = newRow("f", { owner: "me", fence: 4, status: "RUNNING", finishedAt: null, progress: 100 });
        expect(await under.store.read("f")).toEqual(whole(row, ["f 1", "f 2"]));
        expect(await under.store.due("me", 0, 10)).toEqual([{ taskflowId: "f", fence: 4, dueAt: 0 }]);
      },
    );

    it.each(["WAITING", "RUNNING", "PAUSED"] as const)("leaves a %s one alone", async (status) => {
      await under.store.commit([create("f", { status })]);
      expect(await under.store.reopen("f", "me", 1)).toBe(false);
      expect((await under.store.read("f"))?.row).toEqual(newRow("f", { status }));
    });

    it("leaves alone what is of another fence, and what is not there", async () => {
      await under.store.commit([create("f", { status: "FAILED", fence: 2 })]);
      expect(await under.store.reopen("f", "me", 1)).toBe(false);
      expect(await under.store.reopen("f", "me", 3)).toBe(false);
      expect(await under.store.reopen("nobody", "me", 1)).toBe(false);
      expect((await under.store.read("f"))?.row).toEqual(newRow("f", { status: "FAILED", fence: 2 }));
    });

    it("is for one of several callers only", async () => {
      const ids = Array.from({ length: 20 }, (_, index) => `f${index}`);
      await under.store.commit(ids.map((id) => create(id, { status: "FAILED" })));
      for (const id of ids) {
        const owners = ["x", "y", "z"];
        const taken = await Promise.all(owners.map((owner) => under.store.reopen(id, owner, 1)));
        expect(taken.filter(Boolean)).toHaveLength(1);
        expect((await under.store.read(id))?.row).toMatchObject({ owner: owners[taken.indexOf(true)], fence: 2 });
      }
    });

    it("is claimed like any other unfinished one, deleted by nobody, and over again with an entry that says so", async () => {
      await under.store.commit([create("f", { owner: "a" }), create("g", { owner: "a", status: "FAILED" })]);
      await under.store.commit([append("f", 2, { status: "COMPLETED", finishedAt: 9 })]);
      expect(await under.store.reopen("f", "b", 1)).toBe(true);
      expect(await under.store.reopen("g", "b", 1)).toBe(true);
      expect(await under.store.delete("f")).toBe("active");
      expect(await under.store.commit([append("f", 3, { status: "COMPLETED", finishedAt: 12 })])).toEqual(["stored"]);
      expect((await under.store.read("f"))?.row).toEqual(
        newRow("f", { owner: "b", fence: 2, status: "COMPLETED", finishedAt: 12 }),
      );
      expect(await under.store.claim("c", ["a", "c"], [], 10, 1)).toEqual([{ taskflowId: "g", fence: 3, dueAt: 0 }]);
      expect(await under.store.reopen("f", "c", 2)).toBe(true);
      expect(await under.store.commit([append("f", 4, { status: "RUNNING" })])).toEqual(["stored"]);
      expect((await under.store.read("f"))?.row).toMatchObject({ owner: "c", fence: 3, status: "RUNNING" });
    });
  });
}

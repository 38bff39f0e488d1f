/** What a store owes on `commit`. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Write } from "../../lib/ports/store.ts";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow, whole } from "./store-writes.ts";

export function describeCommit(under: OpenStore): void {
  describe("on commit", () => {
    it("gives back the row and the entry that a create stored", async () => {
      const row = newRow("f", {
        name: "name",
        tenant: "tenant",
        template: "default/x@1.0.0",
        tags: ["a", "b"],
        attributes: { text: "x", number: 1.5, yes: true, no: false },
        rootId: "r",
        parentTaskflowId: "p",
        errorType: "E",
        startedAt: 5,
        finishedAt: 6,
        retryAttempt: 2,
        progress: 33.3,
        fence: 4,
        dueAt: 7,
        format: 3,
      });
      expect(await under.store.commit([{ kind: "create", row, entry: '{"a":1}' }])).toEqual(["stored"]);
      expect(await under.store.read("f")).toEqual(whole(row, ['{"a":1}']));
      await under.store.commit([create("plain")]);
      expect(await under.store.read("plain")).toEqual(whole(newRow("plain"), ["plain 1"]));
    });

    it("answers an empty batch with no results", async () => {
      expect(await under.store.commit([])).toEqual([]);
    });

    it("keeps the entries in the order of their revisions", async () => {
      await under.store.commit([create("f"), create("g")]);
      for (let revision = 2; revision <= 12; revision++) await under.store.commit([append("g", revision), append("f", revision)]);
      expect((await under.store.read("f"))?.entries).toEqual(Array.from({ length: 12 }, (_, index) => `f ${index + 1}`));
    });

    it("is read back taskflow by taskflow, or many at once, whichever of them there are", async () => {
      expect(await under.store.readMany(["f"])).toEqual([]);
      const ids = Array.from({ length: 120 }, (_, index) => `f${index}`);
      await under.store.commit(ids.map((id) => create(id)));
      await under.store.commit([append("f1", 2, { progress: 5 }), append("f2", 2)]);
      await under.store.commit([append("f2", 3)]);
      const found = await under.store.readMany(["f2", "missing", "f1", "f7"]);
      expect(found.toSorted((a, b) => (a.row.taskflowId < b.row.taskflowId ? -1 : 1))).toEqual([
        whole(newRow("f1", { progress: 5 }), ["f1 1", "f1 2"]),
        whole(newRow("f2"), ["f2 1", "f2 2", "f2 3"]),
        whole(newRow("f7"), ["f7 1"]),
      ]);
      const all = await under.store.readMany(ids);
      expect(all.map(({ row }) => row.taskflowId).toSorted()).toEqual(ids.toSorted());
      expect(await under.store.readMany([])).toEqual([]);
      // What is appended next follows on what was read.
      expect(await under.store.commit([append("f7", 2), append("f2", 4), append("f1", 2)])).toEqual([
        "stored",
        "stored",
        "conflict",
      ]);
    });

    it("refuses a second create of an id and keeps the first", async () => {
      await under.store.commit([create("f"), append("g", 2)]);
      expect(await under.store.commit([create("f", { name: "other" }, "other")])).toEqual(["conflict"]);
      expect(await under.store.read("f")).toEqual(whole(newRow("f"), ["f 1"]));
    });

    it("refuses an append at a number that is taken", async () => {
      await under.store.commit([create("f")]);
      expect(await under.store.commit([append("f", 2)])).toEqual(["stored"]);
      expect(
        await under.store.commit([{ kind: "append", taskflowId: "f", revision: 2, entry: "late", row: { progress: 9 } }]),
      ).toEqual(["conflict"]);
      expect(await under.store.read("f")).toEqual(whole(newRow("f"), ["f 1", "f 2"]));
    });

    it("refuses an append that would leave a gap, or stand before the first", async () => {
      await under.store.commit([create("f")]);
      for (const revision of [-1, 0, 1, 3, 1_000])
        expect(await under.store.commit([append("f", revision)])).toEqual(["conflict"]);
      expect((await under.store.read("f"))?.entries).toEqual(["f 1"]);
    });

    it("refuses an append to a taskflow that is not there, or is no more", async () => {
      expect(await under.store.commit([append("f", 1)])).toEqual(["conflict"]);
      expect(await under.store.commit([append("f", 2)])).toEqual(["conflict"]);
      await under.store.commit([create("f", { status: "COMPLETED", owner: null })]);
      await under.store.delete("f");
      expect(await under.store.commit([append("f", 2)])).toEqual(["conflict"]);
      expect(await under.store.read("f")).toBeUndefined();
    });

    it("lets a conflict in the middle of a batch undo nothing else", async () => {
      await under.store.commit([create("a"), create("b"), create("c")]);
      const results = await under.store.commit([
        append("a", 2),
        create("b", { name: "other" }),
        append("c", 2, { progress: 50 }),
        append("a-missing", 2),
        create("d"),
        append("b", 3, { status: "FAILED" }),
      ]);
      expect(results).toEqual(["stored", "conflict", "stored", "conflict", "stored", "conflict"]);
      expect((await under.store.read("a"))?.entries).toEqual(["a 1", "a 2"]);
      expect(await under.store.read("b")).toEqual(whole(newRow("b"), ["b 1"]));
      expect(await under.store.read("c")).toEqual(whole(newRow("c", { progress: 50 }), ["c 1", "c 2"]));
      expect((await under.store.read("d"))?.entries).toEqual(["d 1"]);
    });

    it("changes the row together with the entry: the fields that are given, null and 0 too", async () => {
      await under.store.commit([create("f", { errorType: "E", startedAt: 1, dueAt: 9, progress: 7 })]);
      await under.store.commit([append("f", 2, { errorType: null, dueAt: 0, progress: 0 })]);
      expect((await under.store.read("f"))?.row).toEqual(newRow("f", { startedAt: 1 }));
      const all = {
        status: "FAILED",
        owner: null,
        dueAt: 5,
        errorType: "X",
        startedAt: 2,
        finishedAt: 3,
        retryAttempt: 4,
        progress: 5,
      } as const;
      await under.store.commit([append("f", 3, all)]);
      expect((await under.store.read("f"))?.row).toEqual(newRow("f", all));
      await under.store.commit([append("f", 4, {})]);
      expect(await under.store.read("f")).toEqual(whole(newRow("f", all), ["f 1", "f 2", "f 3", "f 4"]));
    });

    it("stores one of many appends at the same number", async () => {
      await under.store.commit([create("f")]);
      const tries = Array.from({ length: 10 }, async (_, index) =>
        under.store.commit([{ kind: "append", taskflowId: "f", revision: 2, entry: `try ${index}` }]),
      );
      const results = (await Promise.all(tries)).flat();
      expect(results.filter((result) => result === "stored")).toHaveLength(1);
      expect((await under.store.read("f"))?.entries).toEqual(["f 1", `try ${results.indexOf("stored")}`]);
    });

    it("goes on with a finished taskflow that is retried", async () => {
      await under.store.commit([create("f")]);
      await under.store.commit([append("f", 2, { status: "FAILED", owner: null, finishedAt: 8 })]);
      expect(
        await under.store.commit([append("f", 3, { status: "RUNNING", owner: "node-b", finishedAt: null, retryAttempt: 1 })]),
      ).toEqual(["stored"]);
      expect(await under.store.due("node-b", 0, 10)).toEqual([{ taskflowId: "f", fence: 1, dueAt: 0 }]);
    });

    it("answers any history as a simple model does", async () => {
      const step = fc.record({
        id: fc.integer({ min: 0, max: 4 }),
        revision: fc.integer({ min: 1, max: 6 }),
        finish: fc.boolean(),
      });
      // At most one write of a taskflow is in a batch.
      const batches = fc.array(fc.uniqueArray(step, { selector: ({ id }) => id, maxLength: 5 }), { maxLength: 12 });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(batches, async (history) => {
          const prefix = `run-${run++}-`;
          const model = new Map<string, { entries: string[]; finished: boolean }>();
          for (const batch of history) {
            const writes: Write[] = batch.map(({ id, revision, finish }) =>
              revision === 1
                ? create(prefix + id)
                : append(prefix + id, revision, finish ? { status: "COMPLETED", owner: null } : undefined),
            );
            const expected = writes.map((write) => applyToModel(model, write));
            expect(await under.store.commit(writes)).toEqual(expected);
          }
          for (const [id, { entries, finished }] of model) {
            expect((await under.store.read(id))?.entries).toEqual(entries);
            expect(await under.store.delete(id)).toBe(finished ? "deleted" : "active");
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}

function applyToModel(model: Map<string, { entries: string[]; finished: boolean }>, write: Write): "stored" | "conflict" {
  if (write.kind === "create") {
    if (model.has(write.row.taskflowId)) return "conflict";
    model.set(write.row.taskflowId, { entries: [write.entry], finished: false });
    return "stored";
  }
  const flow = model.get(write.taskflowId);
  if (flow === undefined || write.revision !== flow.entries.length + 1) return "conflict";
  flow.entries.push(write.entry);
  if (write.row?.status !== undefined) flow.finished = true;
  return "stored";
}

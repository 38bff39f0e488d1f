/**
 * What only the store on SQLite owes: durability in its file, and an engine that does not wait
 * for lists.
 */
import { describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DUE, INDEXES, NEXT_OWNER, OWNED_BY, SCHEMA } from "../../lib/adapters/sqlite/schema.ts";
import { isFinished } from "../../lib/core/model/flow.ts";
import type { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { isTaskflowError } from "../../lib/errors/errors.ts";
import type { Write } from "../../lib/ports/store.ts";
import { TASKFLOW_STATUSES } from "../../schemas/statuses.ts";
import { eventually } from "../helpers/eventually.ts";
import { startReadyProcess } from "../helpers/processes.ts";
import { smallDisk } from "../helpers/small-disk.ts";
import { newFile, openStore } from "./open-store.ts";
import { create } from "./store-writes.ts";

const ENTRY = "x".repeat(20_000);
const WRITER = join(import.meta.dirname, "sqlite-writer.ts");

describe("when its process is killed", () => {
  it("has every entry that it acknowledged, time after time", async () => {
    const file = newFile();
    const acknowledged = new Map<string, number>();
    for (const lines of [1, 30, 400, 1_500, 4_000, 9_000]) {
      const { child } = await startReadyProcess(WRITER, { args: [file] });
      await eventually(() => expect(child.stdout.length).toBeGreaterThan(lines * 10), { intervalMs: 1 });
      await child.end("SIGKILL");
      expect(child.stderr).toBe("");
      for (const [, id, revision] of child.stdout.matchAll(/^(\d+-\d+) (\d+)$/gm)) acknowledged.set(id!, Number(revision));
      const store = await openStore(file);
      for (const [id, revision] of acknowledged) {
        const stored = await store.read(id);
        // What was not acknowledged may be there as well: one batch at the most.
        expect(stored!.entries.length - revision).toBeGreaterThanOrEqual(0);
        expect(stored!.entries.length - revision).toBeLessThanOrEqual(1);
        expect(stored!.row.progress).toBe(stored!.entries.length);
        expect(stored!.entries.every((entry, index) => entry === `${id} ${index + 1} ${"x".repeat((index + 1) * 20)}`)).toBe(
          true,
        );
      }
      await store.close();
      expect(check(file)).toBe("ok");
    }
    expect(acknowledged.size).toBeGreaterThan(30);
  });
});

describe("when the disk is full", () => {
  it("says STORE_UNAVAILABLE, loses nothing that it acknowledged, and works again once there is room", async () => {
    const disk = smallDisk();
    const said: string[] = [];
    const logger = {
      warn: (message: string) => said.push(`warn ${message}`),
      info: (message: string) => said.push(`info ${message}`),
    };
    const store = await openStore(join(disk.folder, "taskflow.db"), logger);
    try {
      disk.fill();
      const stored = commitUntilItFails(store);
      expect(stored).toBeGreaterThan(5);
      const next: Write = { kind: "append", taskflowId: "f", revision: stored + 1, entry: ENTRY };
      expect(() => store.commit([next])).toThrow(expect.objectContaining({ type: "STORE_UNAVAILABLE", code: 503 }));
      expect((await store.read("f"))?.entries).toHaveLength(stored);
      disk.makeRoom();
      expect(store.commit([next])).toEqual(["stored"]);
      expect((await store.read("f"))?.entries).toHaveLength(stored + 1);
      expect(said).toEqual([
        expect.stringMatching(/^warn The store .* failed: .*full/),
        expect.stringMatching(/^info .* works again/),
      ]);
    } finally {
      await store.close();
      expect(check(join(disk.folder, "taskflow.db"))).toBe("ok");
      disk.remove();
    }
    process.stdout.write(`disk full was tried with ${disk.kind}\n`);
  });
});

describe("beside the engine", () => {
  it("lists in another thread, while commits go on in this one", async () => {
    const store = await openStore(newFile());
    for (let batch = 0; batch < 20; batch++) {
      store.commit(
        Array.from({ length: 500 }, (_, index) => create(`f${batch}-${index}`, { tags: ["some tag"], status: "PAUSED" })),
      );
    }
    const state = { answered: false };
    const page = store.list({ text: "no such text", pageSize: 10 }).finally(() => (state.answered = true));
    let commits = 0;
    while (!state.answered) {
      store.commit([create(`during-${commits++}`)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // In this thread it would have been answered before the first of them.
    expect(commits).toBeGreaterThan(1);
    expect((await page).counts).toEqual({});
    expect((await store.list({ pageSize: 1 })).counts).toEqual({ PAUSED: 10_000, RUNNING: commits });
  });

  it.each([
    ["the next owner", NEXT_OWNER, ["a"], "(owner>?)"],
    ["what an owner has", OWNED_BY, ["a", 1, 1], "(owner=?)"],
    ["what belongs to nobody", OWNED_BY, [null, 1, 1], "(owner=?)"],
    ["what is due", DUE, ["a", 1, 1], "(owner=? AND due_at<?)"],
  ] as const)("finds %s by searching an index, without a sort", (_, sql, values, search) => {
    const database = new DatabaseSync(":memory:");
    database.exec(SCHEMA + INDEXES);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    expect(plan.map(({ detail }) => detail)).toEqual([`SEARCH taskflows USING INDEX unfinished ${search}`]);
    database.close();
  });

  it("agrees with its index on what is finished", () => {
    expect(TASKFLOW_STATUSES.filter((status) => !isFinished(status))).toEqual(["WAITING", "RUNNING", "PAUSED"]);
    for (const status of ["WAITING", "RUNNING", "PAUSED"]) expect(DUE).toContain(`'${status}'`);
  });
});

function check(file: string): unknown {
  const database = new DatabaseSync(file);
  try {
    return Object.values(database.prepare("PRAGMA integrity_check").get()!)[0];
  } finally {
    database.close();
  }
}

/** Commits an entry of 20 kB after another; answers how many were stored. */
function commitUntilItFails(store: SqliteStore): number {
  store.commit([create("f", {}, ENTRY)]);
  for (let revision = 2; revision < 10_000; revision++) {
    try {
      store.commit([{ kind: "append", taskflowId: "f", revision, entry: ENTRY }]);
    } catch (error) {
      if (isTaskflowError(error, "STORE_UNAVAILABLE")) return revision - 1;
      throw error;
    }
  }
  throw new Error("The disk did not become full.");
}

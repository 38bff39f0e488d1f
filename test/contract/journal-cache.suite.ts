/** The cache of journals over a store: readers see each write, at the cost of what it stored. */
import { describe, expect, it } from "@jest/globals";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { type ReadTaskflow, JournalCache } from "../../lib/coordinator/queries/journal-cache.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { snapshotOf } from "../../lib/core/journal/snapshot.ts";
import { historyOf } from "../../lib/core/views/history.ts";
import type { Store } from "../../lib/ports/store.ts";
import { answered, CoreRun, failed, picture, written } from "../helpers/core-run.ts";
import type { OpenStore } from "./store.suite.ts";
import { append, create, newRow } from "./store-writes.ts";

const ID = "flow-1";
const LIMIT = 4_096;

/** The entries of a taskflow of which one task is tried 30 times. */
function entriesOf(): string[] {
  const run = new CoreRun([{ a: { maxRetries: 40, retryDelay: 0 } }, { b: {} }]).begin();
  run.send();
  for (let attempt = 0; attempt < 30; attempt++) {
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
  }
  run.answer("a", answered(1));
  run.send();
  run.answer("b", answered(2));
  return written(run);
}

async function store(to: Store, texts: readonly string[], from: number, until: number): Promise<void> {
  for (let revision = from; revision <= until; revision++) {
    const entry = texts[revision - 1] ?? "";
    const write = revision === 1 ? create(ID, {}, entry) : ({ ...append(ID, revision), entry } as const);
    expect(await to.commit([write])).toEqual(["stored"]);
  }
}

/** The same store, with its reads counted. */
function counted(inner: Store): { store: Store; reads: string[] } {
  const reads: string[] = [];
  const counting = new Set<string | symbol>(["read", "readOn", "readMany"]);
  const proxy = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): unknown => {
        if (counting.has(name)) reads.push(String(name));
        return value.apply(target, given) as unknown;
      };
    },
  });
  return { store: proxy, reads };
}

const same = (read: ReadTaskflow | undefined, texts: readonly string[], revision = texts.length): void => {
  const entries = texts.map(decodeEntry);
  const flow = replay(entries, revision);
  expect(picture(read!.flow)).toEqual(picture(flow));
  for (const since of [0, 1, 7, flow.seq - 1]) {
    const told = read!.history.page(since, 10, LIMIT);
    const right = historyOf(entries, flow, since, 10, LIMIT);
    expect(told.lastSeq).toBe(right.lastSeq);
    expect(told.events.map(({ text }) => text)).toEqual(right.events.map(({ text }) => text));
  }
};

export function describeJournalCache(under: OpenStore): void {
  describe("a cache of its journals", () => {
    const texts = entriesOf();

    it("has after each write the state and the events that a replay has", async () => {
      const { store: inner, reads } = counted(under.store);
      const cache = new JournalCache(inner, new SystemClock());
      expect(await cache.read(ID)).toBeUndefined();
      for (let revision = 1; revision <= texts.length; revision++) {
        await store(under.store, texts, revision, revision);
        same(await cache.read(ID), texts.slice(0, revision));
      }
      expect(reads.filter((name) => name === "read")).toHaveLength(2);
      cache.stop();
    });

    it("reads a journal anew that was compacted beyond what it knows, deleted, or produced again", async () => {
      const cache = new JournalCache(under.store, new SystemClock());
      await store(under.store, texts, 1, 10);
      same(await cache.read(ID), texts.slice(0, 10));
      await store(under.store, texts, 11, 40);
      const { journal } = (await under.store.read(ID))!;
      const flow = replay(texts.slice(0, 30).map(decodeEntry));
      const { at } = decodeEntry(texts[29] ?? "");
      const created = decodeEntry(texts[0] ?? "").facts[0] as CoreRun["created"];
      const snapshot = [...snapshotOf(flow, created)].map((fact) => encodeEntry(at, [fact]));
      expect(await under.store.compact(ID, journal, 30, snapshot)).toBe("stored");
      same(await cache.read(ID), [texts[0] ?? "", ...snapshot, ...texts.slice(30, 40)], 40);
      await store(under.store, texts, 41, texts.length);
      expect((await cache.read(ID))?.flow.revision).toBe(texts.length);
      const row = { status: "COMPLETED", finishedAt: 1 } as const;
      const done = { kind: "append", taskflowId: ID, revision: texts.length + 1, row, entry: texts[1] ?? "" } as const;
      expect(await under.store.commit([done])).toEqual(["stored"]);
      expect(await under.store.delete(ID)).toBe("deleted");
      expect(await cache.read(ID)).toBeUndefined();
      await store(under.store, texts, 1, 3).catch(() => under.store.insert(newRow(ID), texts.slice(0, 3)));
      same(await cache.read(ID), texts.slice(0, 3));
      cache.stop();
    });

    it("serves a thousand readers with two reads, each with what was stored before its call", async () => {
      const { store: inner, reads } = counted(under.store);
      const cache = new JournalCache(inner, new SystemClock());
      await store(under.store, texts, 1, 5);
      const early = cache.read(ID);
      await store(under.store, texts, 6, 6);
      const late = Array.from({ length: 1_000 }, () => cache.read(ID));
      for (const read of await Promise.all(late)) expect(read?.flow.revision).toBeGreaterThanOrEqual(6);
      await early;
      // The early one is a third, where it was over before they came.
      expect(reads.length).toBeLessThanOrEqual(3);
      cache.stop();
    });

    it("reads many at once, those that are damaged apart", async () => {
      const { store: inner, reads } = counted(under.store);
      const cache = new JournalCache(inner, new SystemClock());
      const ids = ["a", "b", "c"];
      for (const id of ids) await under.store.insert(newRow(id), texts.slice(0, 3));
      await under.store.insert(newRow("damaged"), ["{}"]);
      const found = await cache.readMany([...ids, "damaged", "none"]);
      expect([...found.keys()]).toEqual([...ids, "damaged"]);
      expect(found.get("damaged")).toMatchObject({ type: "TASKFLOW_UNREADABLE" });
      expect(reads.filter((name) => name === "readMany")).toHaveLength(1);
      cache.stop();
    });
  });
}

import { describe, expect, test } from "@jest/globals";
import { copyJournal } from "../../lib/core/commands/import.ts";
import type { Entry } from "../../lib/core/journal/facts.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { snapshotOf } from "../../lib/core/journal/snapshot.ts";
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { History, historyOf } from "../../lib/core/views/history.ts";
import { answered, CoreRun, failed, picture, written } from "../helpers/core-run.ts";
import { NestedRun } from "../helpers/nested-run.ts";

/** The journal with a snapshot in place of the entries up to a number. */
function compacted(run: CoreRun, revision: number): Entry[] {
  const all = written(run).map(decodeEntry);
  const flow = replay(all.slice(0, revision));
  const { at } = all[revision - 1] as Entry;
  const facts = [...snapshotOf(flow, run.created)];
  const snapshot = facts.map((fact) => decodeEntry(encodeEntry(at, [fact])));
  return [all[0] as Entry, ...snapshot, ...all.slice(revision)];
}

/** A taskflow of everything that a state can hold. */
function eventful(): NestedRun {
  const parent = { a: { maxRetries: 200, retryDelay: 0 }, b: { exactlyOnceTaskExecution: true }, c: {} };
  const run = new NestedRun([parent, ["d"]], { options: { onFailure: "pause" } }).begin();
  run.send();
  run.link("c", "child", { isChosen: true });
  run.link("c", "second");
  run.join("child", "COMPLETED", 3);
  run.answer("c", answered({ quote: '"', deep: [1, null] }));
  for (let attempt = 0; attempt < 120; attempt++) {
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
  }
  run.answer("b", failed({ permanent: true }));
  run.handleCommand({ kind: "annotate", type: "note", value: { a: 1 } }, { id: "command-1" });
  run.answer("a", answered(0));
  return run;
}

describe("a snapshot", () => {
  test("and the facts since give the state that all facts give, at every place of a journal", () => {
    const run = eventful();
    const whole = replay(written(run).map(decodeEntry));
    for (let revision = 1; revision <= run.entries.length; revision += 3) {
      const entries = compacted(run, revision);
      const flow = replay(entries, run.entries.length);
      expect(picture(flow)).toEqual(picture(whole));
      expect([...flow.due]).toEqual([...whole.due]);
      assertFlow(flow);
      const history = new History(entries[0], (index) => entries[index] as Entry);
      for (const entry of entries) history.add(entry);
      history.flow.revision = run.entries.length;
      expect(picture(history.flow)).toEqual(picture(whole));
    }
  });

  test("has the size of the state, whatever the taskflow has been through", () => {
    const run = new CoreRun([{ a: { maxRetries: -1, retryDelay: 0 } }]).begin();
    run.send();
    const size = (): number => Array.from(snapshotOf(run.flow, run.created), (fact) => JSON.stringify(fact)).join("").length;
    const fail = (times: number): void => {
      for (let attempt = 0; attempt < times; attempt++) {
        run.answer("a", failed());
        run.endDelay("a");
        run.send();
      }
    };
    fail(200);
    const early = size();
    fail(2_000);
    expect(size()).toBeLessThan(early * 1.1);
    expect(run.flow.tasks[0]?.attemptsOmitted).toBe(2_101);
    expect(replay(compacted(run, run.entries.length)).tasks[0]?.attemptsOmitted).toBe(2_101);
  });

  test("is one SNAPSHOT event for those who ask for events before it; later ones are told apart", () => {
    const run = eventful();
    const all = historyOf(run.entries, run.flow, 0, 10_000, 4_096).events.map(({ text }) => text);
    const revision = run.entries.length - 10;
    const entries = compacted(run, revision);
    const base = replay(run.entries.slice(0, revision)).seq;
    for (const since of [0, 1, base - 1]) {
      const { events, lastSeq } = historyOf(entries, run.flow, since, 10_000, 4_096);
      const [snapshot, ...later] = events.map(({ text }) => text);
      expect(JSON.parse(snapshot ?? "")).toMatchObject({
        eventType: "SNAPSHOT",
        seq: base,
        data: { taskflowId: "flow-1", taskflowObject: { status: run.flow.status } },
      });
      expect(later).toEqual(all.slice(base));
      expect(lastSeq).toBe(run.flow.seq);
    }
    for (const since of [base, base + 3]) {
      const { events } = historyOf(entries, run.flow, since, 2, 4_096);
      expect(events.map(({ text }) => text)).toEqual(all.slice(since, since + 2));
    }
  });

  test("is part of an export, and of the copy that is made of it", () => {
    const run = eventful();
    const identity = { taskflowId: "copy", idBase: "fedcba98-7654-8210-8fed-" };
    const plain = copyJournal(written(run).map(decodeEntry), identity, run.now);
    const copy = copyJournal(compacted(run, run.entries.length - 3), identity, run.now);
    const told = (flow: typeof copy.flow): unknown => ({ ...(picture(flow) as object), revision: 0, annotations: [] });
    expect(told(copy.flow)).toEqual(told(plain.flow));
    expect(told(replay(copy.entries))).toEqual(told(copy.flow));
    expect(copy.entries[0]?.facts[0]).toMatchObject({ kind: "created", taskflowId: "copy" });
    expect(copy.flow.commands.size).toBe(0);
  });
});

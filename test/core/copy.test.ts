/** Copies of taskflows under their own ids: which parts continue, and which end. */
import { describe, expect, test } from "@jest/globals";
import { copyJournal, JournalError } from "../../lib/core/commands/import.ts";
import type { Entry, Fact } from "../../lib/core/journal/facts.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { answered, CoreRun, error, failed, ID_BASE, START } from "../helpers/core-run.ts";
import { command, produce, undoing } from "./explain/case.ts";

const IDENTITY = { taskflowId: "copy-1", idBase: "fedcba98-7654-8321-8fed-" };

const NOW = START + 1_000_000;

function copyOf(run: CoreRun): CoreRun {
  const stored = run.entries.map(({ at, facts }) => decodeEntry(encodeEntry(at, facts)));
  const { entries, flow } = copyJournal(stored, IDENTITY, NOW);
  expect(replay(entries.map(({ at, facts }) => decodeEntry(encodeEntry(at, facts))))).toEqual(flow);
  const copy = new CoreRun(run.created.definition);
  copy.entries.push(...entries);
  copy.flow = flow;
  copy.now = NOW;
  return copy;
}

const started = (options = {}): CoreRun => {
  const run = new CoreRun([{ a: options, b: options }, ["c"]]).begin();
  run.send();
  run.answer("b", answered(1));
  return run;
};

/** A coordinator loads it. Outcome queries about the original are answered at once. */
function recovered(copy: CoreRun): unknown[] {
  const { effects } = copy.give({ kind: "recover", fence: 1 });
  expect(effects.filter(({ kind }) => kind === "query-outcome")).toEqual([]);
  const inputs = effects.flatMap((effect) => (effect.kind === "timer" && effect.at <= copy.now ? [effect.input] : []));
  copy.give(...inputs);
  return inputs;
}

/** No attempt of the copy may be sent. */
const sendable = (copy: CoreRun): number => copy.send(1_000, "w").length;

test("a finished one is unchanged, under its own ids, and names its origin", () => {
  const run = new CoreRun([["a"], ["b"]], { context: { x: 1 }, meta: { user: "u" } }).begin();
  run.send();
  run.answer("a", failed());
  const copy = copyOf(run);
  expect(copy.status()).toEqual(run.status());
  expect(copy.flow).toMatchObject({
    ...IDENTITY,
    rootId: "copy-1",
    meta: { user: "u" },
    createdAt: START,
    seq: run.flow.seq,
    error: { type: "BROKEN", data: { taskId: taskId(IDENTITY.idBase, 0) } },
    annotations: [{ type: "imported", value: { taskflowId: "flow-1", revision: run.entries.length }, at: NOW }],
  });
  expect(JSON.stringify(copy.entries)).not.toContain(ID_BASE);
  expect(run.flow.error?.data).toMatchObject({ taskId: taskId(ID_BASE, 0) });
});

test("an unfinished one is paused, and continues from the same point once it is resumed", () => {
  const copy = copyOf(started());
  expect(copy.flow).toMatchObject({ status: "PAUSED", statusReason: "PAUSED", pause: { reason: "imported", by: null, at: NOW } });
  expect(copy.status().tasks).toEqual({ a: "RUNNING", b: "SUCCESS", c: "WAITING" });
  // No worker is asked: it would reply that it has never seen such a key.
  const { startedAt } = copy.task("a").attempts[0] ?? {};
  const latest = { task: 0, attempt: 0, delivery: 1, node: "w1", startedAt };
  expect(recovered(copy)).toEqual([{ kind: "outcome-reply", ...latest, reply: { kind: "silent" } }]);
  expect(sendable(copy)).toBe(0);
  command(copy, { kind: "resume" });
  expect(copy.send()).toEqual(["a"]);
  expect(copy.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2 }]);
  copy.answer("a", answered(2));
  expect(copy.send()).toEqual(["c"]);
  copy.answer("c", answered(3));
  expect(copy.flow.status).toBe("COMPLETED");
});

test("a person must decide about an attempt that must not be repeated; resuming alone sends nothing", () => {
  const copy = copyOf(started({ exactlyOnceTaskExecution: true }));
  expect(copy.flow).toMatchObject({ status: "PAUSED", statusReason: "AWAITING_DECISION", pause: { reason: "imported" } });
  expect(copy.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
  expect(recovered(copy)).toEqual([]);
  command(copy, { kind: "resume" });
  expect(sendable(copy)).toBe(0);
  command(copy, { kind: "resolveTask", task: "a", outcome: "SUCCESS", reason: "It was done." });
  expect(copy.send()).toEqual(["c"]);
});

describe("with an attempt that must not be repeated", () => {
  test("an allowed failure lets the copy continue after it, once it is resumed", () => {
    const copy = copyOf(started({ exactlyOnceTaskExecution: true, continueOnTaskFailure: true }));
    expect(copy.flow).toMatchObject({ status: "PAUSED", statusReason: "PAUSED" });
    expect(copy.status().stages).toEqual(["PARTIAL_COMPLETED", "RUNNING"]);
    expect(sendable(copy)).toBe(0);
    command(copy, { kind: "resume" });
    expect(copy.send()).toEqual(["c"]);
  });

  test("no decision is needed in a taskflow that a handler has ended", () => {
    const run = new CoreRun([["a", "x"]], { options: { exactlyOnceTaskExecution: true } }).begin();
    run.send();
    run.answer("x", failed({ permanent: true, abort: "workflow" }));
    expect(copyOf(run).flow.status).toBe("FAILED");
  });
});

test("a retry of the copy asks no worker about the original's attempts, and repeats none that must not be repeated", () => {
  const run = new CoreRun([{ a: { exactlyOnceTaskExecution: true }, b: {} }]).begin();
  run.send();
  command(run, { kind: "cancel" });
  const copy = copyOf(run);
  const { effects } = copy.give({ kind: "command", correlationId: 1, command: { kind: "retry" } });
  expect(effects.map(({ kind }) => kind)).toEqual(["timer", "timer"]);
  copy.give(...effects.flatMap((effect) => (effect.kind === "timer" ? [effect.input] : [])));
  expect(copy.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
  expect(copy.send()).toEqual(["b"]);
});

test("a task in a retry delay keeps its time", () => {
  const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
  run.send();
  run.answer("a", failed());
  const copy = copyOf(run);
  expect(copy.task("a").retryAt).toBe(START + 1_000);
  copy.endDelay("a");
  expect(sendable(copy)).toBe(0);
  command(copy, { kind: "resume" });
  expect(copy.send()).toEqual(["a"]);
});

test("a pause or a decision of the original stays", () => {
  const held = new CoreRun([["a"]]).begin();
  command(held, { kind: "pause", reason: "mine" });
  expect(copyOf(held).flow.pause).toMatchObject({ reason: "mine", by: null });
  const below = new CoreRun([["a"]]).begin();
  command(below, { kind: "pause", by: "parent" });
  expect(copyOf(below).flow.pause).toMatchObject({ reason: "imported", by: null });
  const awaiting = new CoreRun([{ a: { onFailure: "pause" } as never }]).begin();
  awaiting.send();
  awaiting.answer("a", failed());
  expect(copyOf(awaiting).flow).toMatchObject({ statusReason: "AWAITING_DECISION", awaiting: new Set([0]) });
});

test("one that was stored but not started begins paused", () => {
  const run = new CoreRun([["a"]]);
  const { entries, flow } = copyJournal([{ at: START, facts: [run.created] }], IDENTITY, NOW);
  expect(flow).toMatchObject({ status: "PAUSED", stages: [{ status: "RUNNING" }] });
  expect(entries).toHaveLength(2);
});

test("nested taskflows stay the original's: the copy never reaches them", () => {
  const run = started();
  produce(run, "child-1");
  run.answer("a", answered("held"));
  expect(run.task("a").pendingResponse).not.toBeNull();
  const copy = copyOf(run);
  expect(copy.flow.childCount).toEqual({ active: 0, abandoned: 0 });
  expect(copy.task("a")).toMatchObject({ status: "WAITING", pendingResponse: null });
  command(copy, { kind: "resume" });
  command(copy, { kind: "cancel" });
  expect(copy.effects.filter(({ kind }) => kind === "send-command")).toEqual([]);
});

test("a copy of a nested taskflow is a root", () => {
  const run = started();
  const [first, ...others] = run.entries;
  const parent = { taskflowId: "p", stageId: "s", taskId: "t", attempt: 0 };
  const nested = { parent, rootId: "r", depth: 3, context: { secret: 1 } };
  const journal = [{ at: START, facts: [{ ...run.created, nested }, ...(first?.facts.slice(1) ?? [])] }, ...others];
  const { flow, entries } = copyJournal(journal, IDENTITY, NOW);
  expect(flow).toMatchObject({ parent: null, parentContext: null, rootId: "copy-1", depth: 0 });
  expect(JSON.stringify(entries)).not.toContain("secret");
});

test("a running compensation has failed, because its progress is unknown", () => {
  const copy = copyOf(undoing());
  expect(copy.flow).toMatchObject({ status: "FAILED", undo: { status: "FAILED" } });
  expect(copy.flow.tasks[0]?.undo).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
  expect(sendable(copy)).toBe(0);
});

test("command ids belong to the original: the copy accepts the same ones again", () => {
  const run = started();
  run.give({ kind: "command", correlationId: 1, id: "c1", command: { kind: "annotate", type: "t", value: 1 } });
  const copy = copyOf(run);
  expect(copy.flow.commands.size).toBe(0);
  expect(copy.flow.annotations.map(({ type }) => type)).toEqual(["t", "imported"]);
});

describe("an inconsistent journal is refused, with the entry", () => {
  const journal = (...facts: Fact[]): Entry[] => {
    const run = started();
    return [...run.entries, { at: START, facts }];
  };
  test.each<[string, Entry[]]>([
    ["a task that does not exist", journal({ kind: "undelivered", task: 99 })],
    ["a stage that does not exist", journal({ kind: "stage", stage: 7, status: "RUNNING" })],
    ["an attempt that does not exist", journal({ kind: "redelivered", task: 2, node: "w" })],
    ["a nested taskflow that does not exist", journal({ kind: "child-abandoned", child: "x" })],
    ["two stages at once", journal({ kind: "stage", stage: 1, status: "RUNNING" })],
    ["inconsistent counts", journal({ kind: "withdrawn", task: 2, attempt: 0 })],
    ["completed with work left", journal({ kind: "flow", status: "COMPLETED" })],
    ["an attempt with a used number", journal({ kind: "started", task: 1, attempt: 0, node: "w" })],
    ["running without work left", [{ at: START, facts: [new CoreRun([["a"]]).created, { kind: "flow", status: "RUNNING" }] }]],
    [
      "running, with a stage that is finished",
      journal(
        { kind: "settled", task: 0, status: "FAILED", error: error("E") },
        { kind: "late-response", task: 0, delivery: 1, status: "SUCCESS" },
      ),
    ],
  ])("%s", (_title, entries) => {
    const copy = (): unknown => copyJournal(entries, IDENTITY, NOW);
    expect(copy).toThrow(JournalError);
    expect(copy).toThrow(expect.objectContaining({ entry: entries.length - 1 }));
  });
});

test("any taskflow can be copied at any point, and the copy sends nothing", () => {
  const run = new CoreRun([{ a: { maxRetries: 2 }, b: { exactlyOnceTaskExecution: true } }, ["c"]]).begin();
  const copies: CoreRun[] = [];
  const snap = (): void => void copies.push(copyOf(run));
  snap();
  run.send();
  snap();
  run.answer("a", failed());
  snap();
  run.timeOut("b");
  snap();
  run.endDelay("a");
  run.send();
  run.answer("b", answered(1));
  snap();
  run.answer("a", answered(1));
  snap();
  run.send();
  run.answer("c", answered(1));
  snap();
  expect(copies.map(({ flow }) => flow.status)).toEqual([...Array.from({ length: 6 }, () => "PAUSED"), "COMPLETED"]);
  expect(copies.map(sendable)).toEqual(copies.map(() => 0));
});

test("a delivery that was taken back more often than it was made contradicts the journal", () => {
  const run = started();
  const entries = [...run.entries, { at: START, facts: [{ kind: "undelivered", task: 0 } as const] }];
  expect(() => copyJournal(entries, IDENTITY, NOW)).toThrow(JournalError);
});

import { describe, expect, test } from "@jest/globals";
import { describe as tell, EventWriter } from "../../lib/core/views/events.ts";
import { isOver } from "../../lib/core/model/flow.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, done, error, failed, ID_BASE, INTERRUPTED, json, NEVER, SILENT, START } from "../helpers/core-run.ts";
import { compensationsOf, details, failing, undoable, UndoRun } from "../helpers/undo-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };
const UNKNOWN = { kind: "unknown", error: error("WORKER_LOST") } as const;

describe("a crash during the compensation", () => {
  test.each([
    ["between two: the next one is sent, nothing before it", (run: UndoRun) => void run.answer("undo c", answered(1)), []],
    ["in an attempt: its worker is asked", () => {}, ["undo c"]],
  ])("%s", (_title, before, asks) => {
    const run = failing();
    run.send();
    before(run);
    run.crash();
    const decision = run.give({ kind: "recover", fence: 2 });
    expect(decision.effects.filter(({ kind }) => kind === "query-outcome")).toHaveLength(asks.length);
    const called = asks.length > 0 ? run.send() : [];
    for (const name of asks) run.reply(name, done(answered(1)));
    for (const name of ["a", "b"]) {
      called.push(...run.send());
      run.answer(`undo ${name}`, answered(1));
    }
    expect(called).toEqual(["undo.a", "undo.b"]);
    expect(isOver(run.flow)).toBe(true);
    expect(details(run).compensation).toEqual({ status: "SUCCESS", attempts: 3 });
  });

  test("in a retry delay: the timer is restored", () => {
    const run = failing({ maxRetries: 1, retryDelay: 700 });
    run.endDelay("d");
    run.send();
    run.answer("d", failed());
    run.send();
    run.answer("undo c", failed());
    run.crash();
    const { effects } = run.give({ kind: "recover", fence: 2 });
    const input = { kind: "retry-due", task: run.task("undo c").ordinal, attempt: 0, retryAt: run.now + 700 };
    expect(effects).toContainEqual({ kind: "timer", at: run.now + 700, input });
  });

  test("in an attempt that never started or has an unknown outcome: the same attempt is delivered again", () => {
    for (const reply of [NEVER, INTERRUPTED]) {
      const run = failing();
      run.send();
      run.crash();
      run.give({ kind: "recover", fence: 2 });
      run.reply("undo c", reply);
      expect(run.send()).toEqual(["undo.c"]);
      expect(run.task("undo c").attempts).toMatchObject([{ attempt: 0, deliveries: 2 }]);
    }
  });
});

/** Answers "undo …" for each that is sent until nothing is. */
function undoAll(run: UndoRun): string[] {
  const called: string[] = [];
  for (let sent = run.send(); sent.length > 0; sent = run.send()) {
    called.push(...sent);
    for (const action of sent) run.answer(action.replace(".", " "), answered(1));
  }
  return called;
}

describe("a retry after the compensation", () => {
  test.each([
    ["in the default mode", {}],
    ["under exactlyOnce, for its work does not stand any more", ONCE],
  ])("runs the undone tasks again: %s", (_title, options: Options) => {
    const run = failing(options);
    undoAll(run);
    run.handleCommand({ kind: "retry" });
    expect(details(run).compensation).toBeUndefined();
    expect(compensationsOf(run)).toEqual({});
    expect(run.send()).toEqual(["svc.a", "svc.b"]);
    run.answer("a", answered(1));
    run.answer("b", answered(1));
    run.send();
    run.answer("c", answered(1));
    run.send();
    run.answer("d", failed());
    expect(undoAll(run)).toEqual(["undo.c", "undo.b", "undo.a"]);
    expect(run.task("undo c").attempts.map(({ attempt }) => attempt)).toEqual([0, 1]);
  });

  test("leaves tasks undone that are not selected, and does not undo them twice", () => {
    const run = failing();
    undoAll(run);
    run.handleCommand({ kind: "retry", selection: [{ tasks: ["d"] }] });
    run.send();
    run.answer("d", failed());
    expect(undoAll(run)).toEqual([]);
    expect(isOver(run.flow)).toBe(true);
  });

  test("retries a failed compensation, and queries first if its outcome is unknown", () => {
    const run = failing();
    run.send();
    run.answer("undo c", failed());
    run.send();
    run.answer("undo a", answered(1));
    run.send();
    run.give({ kind: "answer", task: run.task("undo b").ordinal, attempt: 0, outcome: UNKNOWN });
    run.handleCommand({ kind: "retry", selection: [{ tasks: ["d"] }] });
    run.send();
    run.answer("d", failed());
    expect(undoAll(run)).toEqual(["undo.c", "undo.b"]);
    const once = failing(ONCE);
    once.send();
    once.timeOut("undo c");
    once.reply("undo c", SILENT);
    undoAll(once);
    once.handleCommand({ kind: "retry", selection: [{ tasks: ["d"] }] });
    once.send();
    once.answer("d", failed());
    expect(once.send()).toEqual([]);
    once.reply("undo c", done(answered("it was")));
    expect(once.task("undo c").status).toBe("SUCCESS");
    expect(isOver(once.flow)).toBe(true);
  });
});

describe("callers and subscribers see the compensation", () => {
  test("in the details: its tasks, attempts and end", () => {
    const run = failing();
    expect(details(run).compensation).toEqual({ status: "RUNNING", attempts: 0 });
    expect(compensationsOf(run)).toEqual({
      a: { status: "RUNNING", attempts: 0 },
      b: { status: "RUNNING", attempts: 0 },
      c: { status: "RUNNING", attempts: 0 },
      d: undefined,
    });
    undoAll(run);
    expect(details(run).compensation).toEqual({ status: "SUCCESS", attempts: 3 });
    expect(details(run).progress).toBe(100);
  });

  test("in events of the compensating tasks, which name the task they undo", () => {
    const run = failing();
    run.send();
    const { facts } = run.answer("undo c", answered(1));
    const [event] = facts.flatMap((fact) => tell(run.flow, fact) ?? []);
    const data = JSON.parse(`{${event?.data ?? ""}}`) as Record<string, unknown>;
    const { ordinal } = run.task("undo c");
    expect(data).toMatchObject({ taskId: taskId(ID_BASE, ordinal), compensates: taskId(ID_BASE, 2), taskStatus: "SUCCESS" });
  });

  test("in the tree of each event, as of that moment", () => {
    const run = new UndoRun(undoable([["a"], ["b"]])).begin();
    const writer = new EventWriter(run.flow, 4_096);
    run.send();
    run.answer("a", answered(1));
    run.send();
    expect(writer.tree()).not.toContain("compensation");
    const { facts } = run.answer("b", failed());
    writer.write(facts, run.now, 1);
    expect(writer.tree().split('"compensation":{"status":"RUNNING","attempts":0}')).toHaveLength(3);
    const sent = run.facts.length;
    run.send();
    writer.write(run.facts.slice(sent), run.now, 1);
    const ended = run.answer("undo a", answered(1));
    writer.write(ended.facts, START, 1);
    expect(writer.tree().split('"compensation":{"status":"SUCCESS","attempts":1}')).toHaveLength(3);
  });

  test("without its answers: the task keeps its own", () => {
    const run = failing();
    run.send();
    run.answer("undo c", answered("undone"));
    expect(run.task("c").response).toBe(json({ id: "C" }));
  });
});

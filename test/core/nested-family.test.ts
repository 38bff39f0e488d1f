import { describe, expect, test } from "@jest/globals";
import { build } from "../../lib/core/journal/build.ts";
import { executionContext } from "../../lib/core/views/execution-context.ts";
import { decide } from "../../lib/core/decide.ts";
import { taskflowDetails } from "../../lib/core/views/details.ts";
import type { Nested } from "../../lib/core/journal/facts.ts";
import { isOver } from "../../lib/core/model/flow.ts";
import { DEFAULT_OPTIONS } from "../../lib/core/model/options.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, done, failed, ID_BASE, json, sketch } from "../helpers/core-run.ts";
import { NestedRun, orders, producing, taskDetails } from "../helpers/nested-run.ts";
import { undoable } from "../helpers/undo-run.ts";

const FOLLOW_MS = 30_000;

describe("reports of a nested taskflow", () => {
  test("count once, in any order and number; those of an unknown taskflow are ignored", () => {
    const run = producing(["n1"]);
    run.answer("a", answered(1));
    expect(run.join("n1", "RUNNING").facts).toEqual([]);
    expect(run.join("other", "FAILED").facts).toEqual([]);
    run.join("n1", "COMPLETED", 5);
    expect(run.join("n1", "COMPLETED", 5).facts).toEqual([]);
    expect(run.join("n1", "FAILED", 4).facts).toEqual([]);
    expect(run.task("a").status).toBe("SUCCESS");
  });

  test("that it was never stored remove the link", () => {
    const run = producing(["n1"]);
    run.answer("a", answered(1));
    run.join("n1", null);
    expect(run.task("a").status).toBe("SUCCESS");
    expect(taskDetails(run).nestedTaskflows).toEqual([]);
  });

  test("that it runs again count while the task waits for others, and are ignored afterwards", () => {
    const run = producing(["n1", "n2"]);
    run.answer("a", answered(1));
    run.join("n1", "FAILED", 5);
    run.join("n1", "RUNNING", 6);
    run.join("n2", "COMPLETED");
    expect(run.task("a").status).toBe("RUNNING");
    run.join("n1", "COMPLETED", 9);
    expect(run.task("a").status).toBe("SUCCESS");
    expect(run.join("n1", "RUNNING", 10).facts).toEqual([]);
    expect(run.stateOf("n1")).toBe("ended");
  });

  test("to a finished taskflow change only the child's recorded status", () => {
    const run = producing(["n1"]);
    run.answer("a", failed());
    expect(isOver(run.flow)).toBe(true);
    const { facts } = run.join("n1", "COMPLETED");
    expect(facts).toEqual([{ kind: "child-ended", child: "n1", status: "COMPLETED" }]);
    expect(run.flow.status).toBe("FAILED");
  });
});

describe("cancelling", () => {
  test("reaches every running nested taskflow, and the taskflow is over when they are", () => {
    const run = producing(["n1", "n2", "n3"]);
    run.join("n3", "COMPLETED");
    const { effects } = run.command({ kind: "cancel" });
    expect(orders(effects)).toEqual([
      ["n1", "cancel"],
      ["n2", "cancel"],
    ]);
    expect([run.flow.status, isOver(run.flow)]).toEqual(["CANCELLED", false]);
    run.join("n1", "CANCELLED");
    run.join("n2", "COMPLETED");
    expect(isOver(run.flow)).toBe(true);
  });

  test("of a task reaches only its own", () => {
    const run = new NestedRun([["a", "b"]]).begin();
    run.send();
    run.link("a", "n1", { isChosen: true });
    run.link("b", "n2");
    const { effects } = run.command({ kind: "cancelTask", task: "a" });
    expect(orders(effects)).toEqual([["n1", "cancel"]]);
    expect(run.flow.status).toBe("RUNNING");
  });

  test("is repeated by a new owner until they are known to have ended", () => {
    const run = producing(["n1", "n2"]);
    run.command({ kind: "cancel" });
    run.join("n1", "CANCELLED");
    run.crash();
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(orders(effects)).toEqual([["n2", "cancel"]]);
    expect(effects).toContainEqual({ kind: "follow", children: ["n2"] });
  });
});

describe("pausing", () => {
  test("and resuming reach the running nested taskflows, in the name of this one", () => {
    const run = producing(["n1", "n2"]);
    run.join("n2", "COMPLETED");
    const by = "flow-1";
    expect(run.command({ kind: "pause" }).effects).toEqual([{ kind: "send-command", to: "n1", command: { kind: "pause", by } }]);
    expect(run.link("a", "n3")).toMatchObject({ data: { isHeld: true } });
    const { effects } = run.command({ kind: "resume" });
    expect(effects).toEqual(["n1", "n3"].map((to) => ({ kind: "send-command", to, command: { kind: "resume", by } })));
  });

  test("from the parent ends from the parent, and leaves a person's own pause alone", () => {
    const run = producing(["n1"]);
    run.handleCommand({ kind: "pause", by: "up" });
    expect([run.flow.status, run.flow.pause?.by]).toEqual(["PAUSED", "up"]);
    run.handleCommand({ kind: "resume", by: "elsewhere" });
    expect(run.flow.status).toBe("PAUSED");
    expect(orders(run.command({ kind: "resume", by: "up" }).effects)).toEqual([["n1", "resume"]]);
    expect(run.flow.status).toBe("RUNNING");
    run.handleCommand({ kind: "pause" });
    run.handleCommand({ kind: "pause", by: "up" });
    run.handleCommand({ kind: "resume", by: "up" });
    expect(run.flow.status).toBe("PAUSED");
  });

  test("ends with the taskflow: children of one that fails while it is paused continue", () => {
    const run = producing(["n1"]);
    run.handleCommand({ kind: "pause" });
    const { effects } = run.answer("a", failed());
    expect([run.flow.status, orders(effects)]).toEqual(["FAILED", [["n1", "resume"]]]);
  });

  test("lets a task end that waits for nested taskflows", () => {
    const run = producing(["n1"]);
    run.answer("a", answered(1));
    run.handleCommand({ kind: "pause" });
    run.join("n1", "COMPLETED");
    expect([run.task("a").status, run.flow.status]).toEqual(["SUCCESS", "PAUSED"]);
    expect(run.send()).toEqual([]);
  });
});

describe("a new owner of the parent", () => {
  test.each([
    ["runs", false, "resume"],
    ["is paused", true, "pause"],
  ] as const)("that %s tells its children, and looks them up", (_title, isPaused, kind) => {
    const run = producing(["n1"]);
    if (isPaused) run.handleCommand({ kind: "pause" });
    run.crash();
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(effects).toContainEqual({ kind: "send-command", to: "n1", command: { kind, by: "flow-1" } });
    expect(effects).toContainEqual({ kind: "follow", children: ["n1"] });
  });

  test("continues to wait, with the answer it has", () => {
    const run = producing(["n1"]);
    run.answer("a", answered("before"));
    run.crash();
    run.takeOver(2);
    run.join("n1", "COMPLETED");
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: json("before") });
  });

  test("accepts an answer from the worker's ledger, and then waits", () => {
    const run = producing(["n1"]);
    run.crash();
    run.takeOver(2, done(answered("remembered")));
    expect(taskDetails(run).statusReason).toBe("AWAITING_NESTED");
  });
});

describe("looking up children", () => {
  test("is repeated while one runs, by a single timer, and ends with the last", () => {
    const run = producing(["n1"]);
    for (let n = 2; n < 6; n++) {
      run.join(`n${n - 1}`, "COMPLETED");
      run.link("a", `n${n}`);
    }
    expect(run.timers("follow")).toEqual([run.now + FOLLOW_MS]);
    run.now += FOLLOW_MS;
    const { effects } = run.give({ kind: "follow" });
    const timer = { kind: "timer", at: run.now + FOLLOW_MS, input: { kind: "follow" } };
    const resume = { kind: "send-command", to: "n5", command: { kind: "resume", by: "flow-1" } };
    expect(effects).toEqual([resume, { kind: "follow", children: ["n5"] }, timer]);
    run.join("n5", "COMPLETED");
    expect(run.give({ kind: "follow" }).effects).toEqual([]);
    run.link("a", "n6");
    expect(run.timers("follow")).toHaveLength(3);
  });
});

describe("a nested taskflow", () => {
  const nested: Nested = {
    parent: { taskflowId: "up", stageId: "stage", taskId: "task", attempt: 2 },
    rootId: "root",
    depth: 1,
    context: { taskflow: { id: "up" } },
  };
  const nestedRun = (options: Options = {}): NestedRun => {
    const run = new NestedRun(undoable([["a"], ["b"]], options), { nested }).begin();
    run.send();
    return run;
  };
  const reportsOf = (run: NestedRun): unknown[] =>
    run.effects.flatMap((effect) => (effect.kind === "send-command" && effect.to === "up" ? [effect.command] : []));

  test("knows its parent, and shows it to handlers and callers", () => {
    const run = nestedRun();
    expect(taskflowDetails(run.flow)).toMatchObject({ rootId: "root", parentTaskflowDetails: nested.parent });
    const context = JSON.parse(executionContext(run.flow, run.task("a"), () => true)) as object;
    expect(context).toMatchObject({ taskflow: { taskInfo: { meta: { taskflowExecutionContext: nested.context } } } });
  });

  test("reports to its parent once it is over, including compensation, and whenever that changes", () => {
    const run = nestedRun();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", failed());
    expect(run.flow.status).toBe("FAILED");
    expect(reportsOf(run)).toEqual([]);
    run.send();
    run.answer("undo a", answered(1));
    const child = "flow-1";
    expect(reportsOf(run)).toEqual([{ kind: "join", child, status: "FAILED", seq: run.flow.seq }]);
    run.handleCommand({ kind: "retry" });
    expect(reportsOf(run).at(-1)).toEqual({ kind: "join", child, status: "RUNNING", seq: run.flow.seq });
    run.handleCommand({ kind: "cancel" });
    expect(reportsOf(run).at(-1)).toEqual({ kind: "join", child, status: "CANCELLED", seq: run.flow.seq });
  });

  test("that was reopened and ended within one commit reports, too", () => {
    const run = new NestedRun(sketch([["a"]]), { nested }).begin();
    run.send();
    run.answer("a", failed());
    run.handleCommand({ kind: "resolveTask", task: "a", outcome: "SUCCESS", reason: "done by hand" });
    expect(reportsOf(run).map((command) => (command as { status: string }).status)).toEqual(["FAILED", "COMPLETED"]);
  });

  test("a taskflow without a parent in its first fact is a root", () => {
    const definition = sketch([["a"]]);
    const flow = build(
      { kind: "created", taskflowId: "old", idBase: ID_BASE, defaults: DEFAULT_OPTIONS, meta: {}, definition },
      0,
    );
    expect([flow.rootId, flow.parent, flow.depth]).toEqual(["old", null, 0]);
    const { effects } = decide(flow, [{ kind: "begin" }, { kind: "command", correlationId: 1, command: { kind: "cancel" } }], 0);
    expect(orders(effects)).toEqual([]);
  });
});

import { describe, expect, test } from "@jest/globals";
import { executionContext } from "../../lib/core/views/execution-context.ts";
import type { Nested } from "../../lib/core/journal/facts.ts";
import { isOver } from "../../lib/core/model/flow.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import { answered, failed, ID_BASE, json, NEVER, sketch } from "../helpers/core-run.ts";
import { NestedRun, orders, producing, taskDetails } from "../helpers/nested-run.ts";

describe("a task whose handler produced taskflows", () => {
  test("lists them, and waits for them once it has answered itself", () => {
    const run = producing(["n1", "n2"]);
    expect(taskDetails(run)).toMatchObject({
      status: "RUNNING",
      statusReason: null,
      nestedTaskflows: ["n1", "n2"],
      nestedActiveRunningTaskFlowIds: ["n1", "n2"],
    });
    run.join("n1", "COMPLETED");
    run.answer("a", answered("mine"));
    expect(taskDetails(run)).toMatchObject({
      status: "RUNNING",
      statusReason: "AWAITING_NESTED",
      nestedTaskflows: ["n1", "n2"],
      nestedActiveRunningTaskFlowIds: ["n2"],
    });
    run.join("n2", "PARTIAL_COMPLETED");
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: json("mine") });
    expect(taskDetails(run)).toMatchObject({ nestedTaskflows: ["n1", "n2"], nestedActiveRunningTaskFlowIds: [] });
    expect(run.send()).toEqual(["svc.b"]);
  });

  test("does not wait if its options say so, or if its attempt failed", () => {
    const run = producing(["n1"], { waitForNested: false });
    run.answer("a", answered(1));
    expect(run.task("a").status).toBe("SUCCESS");
    const broken = producing(["n1"]);
    broken.answer("a", failed());
    expect(broken.task("a")).toMatchObject({ status: "FAILED", error: { type: "BROKEN" } });
    expect(isOver(broken.flow)).toBe(true);
  });

  test("has no timeout while it waits, and is neither queried nor sent again", () => {
    const run = producing(["n1"]);
    run.answer("a", answered(1));
    for (const kind of ["timeout", "requery"] as const) {
      const { facts, effects } = run.give({ kind, task: 0, attempt: 0 });
      expect([facts, effects]).toEqual([[], []]);
    }
    expect(run.give({ kind: "link-lost", tasks: [0] }).effects).toEqual([]);
    run.answer("a", answered(2));
    run.answer("a", failed());
    expect(run.takeOver(2)).toEqual([]);
    expect(run.send()).toEqual([]);
    run.join("n1", "COMPLETED");
    expect(run.task("a").response).toBe(json(1));
  });

  test("is not redelivered if it answers before that", () => {
    const run = producing(["n1"]);
    run.takeOver(2, NEVER);
    run.answer("a", answered(1));
    expect(run.send()).toEqual([]);
    expect(run.stateOf("n1")).toBe("active");
  });

  test("may still produce while it waits", () => {
    const run = producing(["n1"]);
    run.answer("a", answered(1));
    expect(run.link("a", "n2").ok).toBe(true);
    run.join("n1", "COMPLETED");
    expect(run.task("a").status).toBe("RUNNING");
    run.join("n2", "COMPLETED");
    expect(run.task("a").status).toBe("SUCCESS");
  });

  test("lists them in the context of a redelivery", () => {
    const run = producing(["n1"], {}, { isChosen: true });
    run.takeOver(2, NEVER);
    run.send();
    const context = JSON.parse(executionContext(run.flow, run.task("a"), () => true)) as {
      taskflow: { taskInfo: { nestedTaskflows: string[]; nestedActiveRunningTaskFlowIds: string[] } };
    };
    const { nestedTaskflows, nestedActiveRunningTaskFlowIds } = context.taskflow.taskInfo;
    expect([nestedTaskflows, nestedActiveRunningTaskFlowIds]).toEqual([["n1"], ["n1"]]);
  });
});

describe("a nested taskflow that failed or was cancelled", () => {
  test("fails the task that waits for it; the error names it, and the answer is kept", () => {
    const run = producing(["n1", "n2", "n3"]);
    run.answer("a", answered("mine"));
    run.join("n1", "FAILED");
    run.join("n2", "COMPLETED");
    expect(run.task("a").status).toBe("RUNNING");
    run.join("n3", "CANCELLED");
    const taskflows = [
      { taskflowId: "n1", status: "FAILED" },
      { taskflowId: "n3", status: "CANCELLED" },
    ];
    const error = { type: "NESTED_TASKFLOW_FAILED", data: { taskflows } };
    expect(run.task("a")).toMatchObject({ status: "FAILED", response: json("mine"), error });
    expect(run.flow.status).toBe("FAILED");
  });

  test("leads to another attempt, if one is left; that cancels what the first still runs, which does not count", () => {
    const run = producing(["n1", "n2"], { maxRetries: 1, retryDelay: 100 });
    run.answer("a", answered(1));
    run.join("n2", "COMPLETED");
    run.join("n1", "FAILED");
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "NESTED_TASKFLOW_FAILED" } });
    run.endDelay("a");
    run.send();
    run.answer("a", answered(2));
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: json(2) });
  });

  test("in an attempt that fails while others run: the next attempt cancels them", () => {
    const run = producing(["n1", "n2"], { maxRetries: 1 });
    run.join("n1", "FAILED");
    run.answer("a", failed());
    const before = run.effects.length;
    run.endDelay("a");
    run.send();
    expect(orders(run.effects.slice(before))).toEqual([["n2", "cancel"]]);
    run.link("a", "n3");
    run.answer("a", answered(1));
    run.join("n2", "CANCELLED");
    expect([run.stateOf("n1"), run.stateOf("n2"), run.task("a").status]).toEqual(["ended", "gone", "RUNNING"]);
    run.join("n3", "COMPLETED");
    expect(run.task("a").status).toBe("SUCCESS");
  });
});

describe("a later attempt that produces the same id again", () => {
  test.each([
    ["COMPLETED", "SUCCESS"],
    ["FAILED", "FAILED"],
  ] as const)("adopts the ended child: %s", (status, expected) => {
    const run = producing(["mine"], { maxRetries: 1 }, { isChosen: true });
    run.join("mine", status, 7);
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
    run.handleCommand({
      kind: "link",
      taskId: taskId(ID_BASE, 0),
      attempt: 1,
      delivery: 1,
      child: "mine",
      isChosen: true,
      maxDepth: 16,
      ended: { status, seq: 7 },
    });
    run.answer("a", answered(1));
    expect(run.task("a").status).toBe(expected);
  });

  test("waits for one that is being retried, and ignores its earlier reports", () => {
    const run = producing(["mine"], { maxRetries: 1 }, { isChosen: true });
    run.join("mine", "FAILED", 7);
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
    run.link("a", "mine", { isChosen: true });
    run.join("mine", "RUNNING", 9);
    run.answer("a", answered(1));
    run.join("mine", "COMPLETED", 20);
    expect(run.task("a").status).toBe("SUCCESS");
    const other = producing(["mine"]);
    other.join("mine", "FAILED", 7);
    other.join("mine", "RUNNING", 9);
    other.join("mine", "FAILED", 7);
    expect(other.stateOf("mine")).toBe("active");
  });

  test("spares children of the previous attempt that still run, and joins them if it adopts them", () => {
    const retried = (): NestedRun => {
      const run = producing(["mine"], { maxRetries: 1 }, { isChosen: true });
      run.answer("a", failed());
      run.endDelay("a");
      run.send();
      return run;
    };
    const leaving = retried();
    leaving.answer("a", answered(1));
    expect([leaving.stateOf("mine"), leaving.task("a").status]).toEqual(["spared", "SUCCESS"]);
    const adopting = retried();
    adopting.link("a", "mine", { isChosen: true });
    adopting.answer("a", answered(1));
    expect(adopting.task("a").status).toBe("RUNNING");
    adopting.join("mine", "FAILED");
    expect(adopting.task("a")).toMatchObject({ status: "FAILED", error: { type: "NESTED_TASKFLOW_FAILED" } });
  });
});

test("a spared child that has to end with its parent is looked up: its own report may be lost", () => {
  const run = producing(["mine"], { maxRetries: 1 }, { isChosen: true });
  run.answer("a", failed());
  run.endDelay("a");
  run.send();
  expect([run.stateOf("mine"), run.give({ kind: "follow" }).effects]).toEqual(["spared", []]);
  const { effects } = run.command({ kind: "cancel" });
  expect(effects).toContainEqual(expect.objectContaining({ kind: "timer", input: { kind: "follow" } }));
});

describe("a link is refused", () => {
  test("if the task is not running, is at another attempt, or belongs to another taskflow", () => {
    const run = new NestedRun([{ a: { maxRetries: 1 } }, ["b"]]).begin();
    const command = { kind: "link", attempt: 0, delivery: 1, child: "n1", isChosen: false, maxDepth: 16 } as const;
    const refusal = (id: string, attempt = 0): string => run.refusal({ ...command, taskId: id, attempt });
    const first = taskId(ID_BASE, 0);
    expect(refusal(first)).toBe("PARENT_TASK_NOT_RUNNING");
    run.send();
    expect(refusal(first, 1)).toBe("PARENT_TASK_NOT_RUNNING");
    for (const id of [taskId(ID_BASE, 99), stageId(ID_BASE, 0), "a", ""]) expect(refusal(id)).toBe("PARENT_TASK_NOT_RUNNING");
    run.answer("a", failed());
    expect(refusal(first)).toBe("PARENT_TASK_NOT_RUNNING");
    run.endDelay("a");
    run.send();
    run.answer("a", answered(1));
    expect(refusal(first, 1)).toBe("PARENT_TASK_NOT_RUNNING");
  });

  test("below a taskflow at the maximum depth, and not one level above", () => {
    for (const [depth, expected] of [
      [16, { ok: false, type: "NESTING_TOO_DEEP" }],
      [15, { ok: true, data: { depth: 16, rootId: "root", isHeld: false, isLinked: true } }],
    ] as const) {
      const nested: Nested = {
        parent: { taskflowId: "up", stageId: "s", taskId: "t", attempt: 0 },
        rootId: "root",
        depth,
        context: null,
      };
      const run = new NestedRun(sketch([["a"]]), { nested });
      run.begin();
      run.send();
      expect(run.link("a", "n1")).toMatchObject(expected);
    }
  });

  test("without an error, if the child is linked to another task", () => {
    const run = new NestedRun([["a", "b"]]).begin();
    run.send();
    run.link("a", "mine", { isChosen: true });
    expect(run.link("b", "mine", { isChosen: true })).toMatchObject({ ok: true, data: { isLinked: false } });
    run.answer("b", answered(1));
    expect(run.task("b").status).toBe("SUCCESS");
    expect(run.flow.children.get("mine")?.task).toBe(run.task("a"));
  });
});

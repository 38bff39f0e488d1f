import { describe, expect, test } from "@jest/globals";
import { executionContext } from "../../lib/core/views/execution-context.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { ASK, cancelTask, ended, GO_ON, retry } from "../helpers/commands.ts";
import { answered, CoreRun, failed, written, routerTo } from "../helpers/core-run.ts";

describe("a cancelled task", () => {
  test.each([
    [{}, "FAILED", []],
    [GO_ON, "RUNNING", ["c"]],
  ] as const)("counts like a failure under %j", (options, status, next) => {
    const run = new CoreRun([{ a: options, b: options }, ["c"]]).begin();
    run.send();
    const { effects } = run.command(cancelTask("a"));
    expect(effects).toEqual([{ kind: "abort", task: 0, attempt: 0, node: "w1" }]);
    run.answer("b", answered(1));
    expect(run.flow.status).toBe(status);
    expect(run.send()).toEqual(next);
  });

  test("has its late answer recorded, which changes no status", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send();
    run.command(cancelTask("a"));
    expect(run.answer("a", answered(5)).facts).toEqual([
      { kind: "late-response", task: 0, delivery: 1, status: "SUCCESS", response: "5" },
    ]);
    expect(run.task("a")).toMatchObject({ status: "CANCELLED", response: "5", attempts: [{ status: "SUCCESS" }] });
    expect(run.timeOut("a")).toMatchObject({ facts: [], effects: [] });
  });

  test("before its stage was reached does not run, while the others of its stage do", () => {
    const run = new CoreRun([["a"], ["b", "c"], ["d"]]).begin();
    run.handleCommand(cancelTask("b"));
    run.send();
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["c"]);
    run.answer("c", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["COMPLETED", "PARTIAL_COMPLETED", "WAITING"] });
  });

  test("in a retry delay gets no other attempt, and needs no decision", () => {
    const run = new CoreRun([{ a: { maxRetries: 3, ...ASK } }]).begin();
    run.send();
    run.answer("a", failed());
    expect(run.handleCommand(cancelTask("a"))).toMatchObject({ status: "FAILED", taskStatus: "CANCELLED" });
    expect(run.endDelay("a").facts).toEqual([]);
  });

  test("is refused if it is settled", () => {
    const run = ended([["a", "b"], ["c"]], ["a"], ASK);
    expect(run.refusal(cancelTask("a"))).toBe("TASK_NOT_ACTIVE");
    expect(run.refusal(cancelTask("b"))).toBe("TASK_NOT_ACTIVE");
    run.handleCommand({ kind: "cancel" });
    expect(run.refusal(cancelTask("c"))).toBe("TASKFLOW_ALREADY_FINISHED");
  });
});

describe("a cancelled taskflow", () => {
  test("sends nothing and ignores timers; stages that were never reached are cancelled", () => {
    const run = new CoreRun([{ a: { maxRetries: 3 }, b: {}, c: { maxConcurrency: 1 } }, ["d"]]).begin();
    run.send(2);
    run.answer("a", failed());
    const { effects } = run.command({ kind: "cancel", reason: "enough" });
    expect(effects).toEqual([{ kind: "abort", task: 1, attempt: 0, node: "w1" }]);
    expect(run.status()).toEqual({
      flow: "CANCELLED",
      stages: ["CANCELLED", "CANCELLED"],
      tasks: { a: "CANCELLED", b: "CANCELLED", c: "CANCELLED", d: "CANCELLED" },
    });
    expect(run.flow.statusReason).toBe("enough");
    run.now += 1_000_000;
    expect(run.endDelay("a").facts).toEqual([]);
    expect(run.timeOut("b").facts).toEqual([]);
    expect(run.give({ kind: "age" }).facts).toEqual([]);
    expect(run.give({ kind: "begin" }).facts).toEqual([]);
    expect(run.send()).toEqual([]);
    expect(run.decide([], routerTo("w1")).facts).toEqual([]);
  });

  test("stays cancelled: a second cancel succeeds and changes nothing; a finished one is not cancelled", () => {
    const run = new CoreRun([["a"]]).begin();
    run.handleCommand({ kind: "cancel" });
    const again = run.command({ kind: "cancel" });
    expect(again).toMatchObject({ facts: [], answer: { ok: true, data: { status: "CANCELLED", alreadyFinished: true } } });
    expect(ended([["a"]], []).refusal({ kind: "cancel" })).toBe("TASKFLOW_ALREADY_FINISHED");
    expect(ended([["a"]], ["a"]).refusal({ kind: "cancel" })).toBe("TASKFLOW_ALREADY_FINISHED");
  });

  test("has its events in order: tasks, their stage, the taskflow", () => {
    const run = new CoreRun([["a", "b"], ["c"]]).begin();
    const { facts } = run.command({ kind: "cancel" });
    expect(facts.map((fact) => ("status" in fact ? `${fact.kind} ${fact.status}` : fact.kind))).toEqual([
      "settled CANCELLED",
      "settled CANCELLED",
      "stage CANCELLED",
      "settled CANCELLED",
      "stage CANCELLED",
      "flow CANCELLED",
    ]);
  });
});

describe("an updated task", () => {
  test("has its new params and options in the next attempt, also after a restart", () => {
    const run = ended([{ a: { retryDelay: 5 }, b: {} }], ["a"], { timeout: 70 });
    run.handleCommand({ kind: "updateTask", task: "a", params: { fixed: true }, options: { maxRetries: 2, timeout: "2s" } });
    run.flow = replay(written(run).map(decodeEntry));
    run.handleCommand(retry("a"));
    run.send();
    const { definition, options } = run.task("a");
    expect(definition).toMatchObject({ params: { fixed: true }, options: { retryDelay: 5, maxRetries: 2, timeout: "2s" } });
    expect(options).toMatchObject({ timeout: 2_000, maxRetries: 2, retryDelay: 5 });
    expect(JSON.parse(executionContext(run.flow, run.task("a"), () => true))).toMatchObject({
      taskflow: { taskInfo: { params: { fixed: true }, options: { timeout: 2_000, maxRetries: 2 } } },
    });
    expect(run.task("b").options).toMatchObject({ timeout: 70, maxRetries: 0 });
    run.answer("a", failed());
    expect(run.task("a").status).toBe("WAITING");
  });

  test("keeps its params if only its options change, and accepts null as params", () => {
    const run = new CoreRun([["a"]]).begin();
    run.handleCommand({ kind: "updateTask", task: "a", params: null });
    run.handleCommand({ kind: "updateTask", task: "a", options: { timeout: 5 } });
    expect(run.task("a").definition).toMatchObject({ params: null, options: { timeout: 5 } });
  });

  test("that waits gets a timer for its new maxAge", () => {
    const run = new CoreRun([["a"]]).begin();
    run.handleCommand({ kind: "updateTask", task: "a", options: { maxAge: 50 } });
    expect(run.timers("age")).toEqual([run.now + 50]);
    run.now += 50;
    run.give({ kind: "age", task: 0 });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
  });

  test("is refused while it runs", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    expect(run.refusal({ kind: "updateTask", task: "a", params: {} })).toBe("TASK_RUNNING");
  });
});

import { describe, expect, test } from "@jest/globals";
import type { Fact } from "../../lib/core/journal/facts.ts";
import { answered, CoreRun, failed, type StageSketch, routerTo } from "../helpers/core-run.ts";

const short = (facts: readonly Fact[]): string[] =>
  facts.map((fact) => {
    const where = "task" in fact ? ` t${fact.task}` : "stage" in fact ? ` s${fact.stage}` : "";
    return `${fact.kind}${where}${"status" in fact ? ` ${fact.status}` : ""}`;
  });

describe("stages", () => {
  test("a taskflow of one task goes from WAITING to COMPLETED, with one fact per change", () => {
    const run = new CoreRun([["a"]]);
    expect(run.status()).toEqual({ flow: "WAITING", stages: ["WAITING"], tasks: { a: "WAITING" } });
    expect(short(run.give({ kind: "begin" }).facts)).toEqual(["flow RUNNING", "stage s0 RUNNING"]);
    expect(run.send()).toEqual(["a"]);
    expect(short(run.answer("a", answered({ x: 1 })).facts)).toEqual([
      "settled t0 SUCCESS",
      "stage s0 COMPLETED",
      "flow COMPLETED",
    ]);
    expect(run.flow).toMatchObject({ startedAt: run.now, finishedAt: run.now, error: null, settled: 1 });
    expect(run.task("a")).toMatchObject({
      response: '{"x":1}',
      attempt: 0,
      attempts: [{ attempt: 0, deliveries: 1, nodeID: "w1" }],
    });
  });

  test("each attempt is a fact before it is a call, which has its number, delivery and node", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    const { facts, effects } = run.decide(
      [],
      routerTo(({ ordinal }) => `w${ordinal + 1}`),
    );
    expect(short(facts)).toEqual(["started t0", "started t1"]);
    expect(effects).toEqual([
      { kind: "call", task: 0, attempt: 0, delivery: 1, node: "w1" },
      { kind: "call", task: 1, attempt: 0, delivery: 1, node: "w2" },
    ]);
  });

  test("tasks of a stage run in parallel, and the next stage waits for the last of them", () => {
    const run = new CoreRun([["a", "b", "c"], ["d"]]).begin();
    expect(run.send()).toEqual(["a", "b", "c"]);
    run.answer("c", answered(1));
    run.answer("a", answered(1));
    expect(run.send()).toEqual([]);
    expect(run.flow.stages[1]?.status).toBe("WAITING");
    expect(short(run.answer("b", answered(1)).facts)).toEqual(["settled t1 SUCCESS", "stage s0 COMPLETED", "stage s1 RUNNING"]);
    expect(run.send()).toEqual(["d"]);
  });

  test("a second begin, send or answer changes nothing", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    expect(run.give({ kind: "begin" }).facts).toEqual([]);
    run.send();
    expect(run.decide([], routerTo("w1"))).toMatchObject({ facts: [], effects: [] });
    run.answer("a", answered(1));
    expect(run.answer("a", answered(2)).facts).toEqual([]);
    expect(run.answer("a", failed()).facts).toEqual([]);
    expect(run.task("a").response).toBe("1");
  });

  test("inputs of tasks that do not exist change nothing", () => {
    const run = new CoreRun([["a"]]).begin();
    for (const task of [-1, 1, 99, 0.5]) {
      const outcome = answered(1);
      expect(run.give({ kind: "answer", task, attempt: 0, outcome }, { kind: "timeout", task, attempt: 0 }).facts).toEqual([]);
      expect(run.give({ kind: "retry-due", task, attempt: 0 }, { kind: "age", task }).facts).toEqual([]);
    }
    expect(run.answer("a", answered(1)).facts).toEqual([]);
  });

  test("no input changes a finished taskflow", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.answer("a", answered(1));
    const before = JSON.stringify(run.entries);
    run.decide([{ kind: "begin" }, { kind: "age" }, { kind: "age", task: 0 }], routerTo("w1"));
    run.give({ kind: "recover", fence: 1 }, { kind: "retry-due", task: 0, attempt: 0 }, { kind: "timeout", task: 0, attempt: 0 });
    expect(JSON.stringify(run.entries)).toBe(before);
  });
});

const go = { continueOnTaskFailure: true };

describe("statuses of stages and taskflows", () => {
  // Tasks whose names begin with "bad" fail. Stages that are never reached stay WAITING.
  const table: [string, StageSketch[], { flow: string; stages: string[] }][] = [
    ["all succeed", [["a", "b"], ["c"]], { flow: "COMPLETED", stages: ["COMPLETED", "COMPLETED"] }],
    ["one of one fails", [["bad"]], { flow: "FAILED", stages: ["FAILED"] }],
    ["one of two fails and blocks", [["a", "bad"], ["c"]], { flow: "FAILED", stages: ["PARTIAL_COMPLETED", "WAITING"] }],
    ["all fail and one blocks", [{ bad1: go, bad2: {} }, { c: {} }], { flow: "FAILED", stages: ["FAILED", "WAITING"] }],
    [
      "one fails and lets go on",
      [{ a: {}, bad: go }, { c: {} }],
      { flow: "PARTIAL_COMPLETED", stages: ["PARTIAL_COMPLETED", "COMPLETED"] },
    ],
    [
      "a whole stage fails and lets go on",
      [{ bad1: go, bad2: go }, { c: {} }],
      { flow: "PARTIAL_COMPLETED", stages: ["FAILED", "COMPLETED"] },
    ],
    [
      "two fail, one of them blocks",
      [{ a: {}, bad1: go, bad2: {} }, { c: {} }],
      { flow: "FAILED", stages: ["PARTIAL_COMPLETED", "WAITING"] },
    ],
    ["the last stage fails and lets go on", [["a"], { bad: go }], { flow: "PARTIAL_COMPLETED", stages: ["COMPLETED", "FAILED"] }],
    ["the last stage fails and blocks", [["a"], ["bad"]], { flow: "FAILED", stages: ["COMPLETED", "FAILED"] }],
    ["nothing succeeds, although all let go on", [{ bad1: go }, { bad2: go }], { flow: "FAILED", stages: ["FAILED", "FAILED"] }],
  ];
  test.each(table)("when %s", (_, stages, expected) => {
    const run = new CoreRun(stages).begin();
    for (let sent = run.send(); sent.length > 0; sent = run.send()) {
      for (const name of sent) run.answer(name, name.startsWith("bad") ? failed() : answered(null));
    }
    const { flow, stages: statuses } = run.status();
    expect({ flow, stages: statuses }).toEqual(expected);
    const unreached = run.flow.stages.filter((stage) => stage.status === "WAITING").flatMap((stage) => stage.tasks);
    expect(unreached.filter((task) => task.status !== "WAITING")).toEqual([]);
  });

  test("a blocking stage still waits for its other tasks", () => {
    const run = new CoreRun([["bad", "slow"], ["c"]]).begin();
    run.send();
    run.answer("bad", failed());
    expect(run.flow.status).toBe("RUNNING");
    run.answer("slow", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["PARTIAL_COMPLETED", "WAITING"] });
  });

  test("the taskflow's error is that of the task that stopped it, with its ids", () => {
    const run = new CoreRun([{ bad1: go, bad2: {} }, { c: {} }]).begin();
    run.send();
    run.answer("bad1", failed({ error: { type: "FIRST", name: "E", message: "first" } }));
    run.answer("bad2", failed({ error: { type: "SECOND", name: "E", message: "second" } }));
    const { error } = run.flow;
    expect(error?.message).toMatch(/Task "bad2" of stage "s0" failed: second/);
    expect(error?.type).toBe("SECOND");
  });
});

describe("ExpectedError", () => {
  test("with task it fails the task without another attempt, and the taskflow continues", () => {
    const run = new CoreRun([{ a: { maxRetries: 5 }, b: {} }, { c: {} }]).begin();
    run.send();
    run.answer("a", failed({ abort: "task", permanent: true }));
    run.answer("b", answered(1));
    expect(run.status()).toMatchObject({ stages: ["PARTIAL_COMPLETED", "RUNNING"], tasks: { a: "FAILED" } });
    run.send();
    run.answer("c", answered(1));
    expect(run.flow.status).toBe("PARTIAL_COMPLETED");
  });

  test("with workflow it ends the taskflow once running attempts have answered; tasks that never ran stay WAITING", () => {
    const run = new CoreRun([{ a: {}, b: {}, c: {} }, { d: {} }]).begin();
    run.send(2);
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.send()).toEqual([]);
    expect(run.flow.status).toBe("RUNNING");
    run.answer("b", answered(1));
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["PARTIAL_COMPLETED", "WAITING"],
      tasks: { a: "FAILED", b: "SUCCESS", c: "WAITING", d: "WAITING" },
    });
  });

  test("with workflow it ends the taskflow even with continueOnTaskFailure, at once if nothing else runs", () => {
    const run = new CoreRun([{ a: go }, { b: {} }]).begin();
    run.send();
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["FAILED", "WAITING"] });
  });

  test("with workflow it ends other tasks that wait for another attempt, due or not", () => {
    const run = new CoreRun([{ a: {}, b: { maxRetries: 3 }, c: { maxRetries: 3 } }]).begin();
    run.send();
    run.answer("b", failed());
    run.answer("c", failed());
    run.endDelay("c");
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { a: "FAILED", b: "FAILED", c: "FAILED" } });
    expect(run.endDelay("b").facts).toEqual([]);
  });

  test("with workflow it waits for an attempt that a new owner still has to redeliver", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send();
    run.takeOver(2);
    expect(run.send(1)).toEqual(["a"]);
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.flow.status).toBe("RUNNING");
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "SUCCESS" } });
  });

  test("with workflow it also ends a task whose second attempt was rejected", () => {
    const run = new CoreRun([{ a: {}, b: { maxRetries: 3 } }]).begin();
    run.send();
    run.answer("b", failed());
    run.endDelay("b");
    expect(run.send()).toEqual(["b"]);
    run.answer("b", { kind: "not-sent" });
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "FAILED" } });
    expect(run.task("b").error?.type).toBe("BROKEN");
  });
});

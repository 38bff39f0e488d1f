import { describe, expect, test } from "@jest/globals";
import type { RetryCommand } from "../../lib/core/model/command.ts";
import { ended, finish, GO_ON, ONCE } from "../helpers/commands.ts";
import { answered, CoreRun, failed, json } from "../helpers/core-run.ts";
import { RETRY, retried, stages, tasks, tried } from "../helpers/retries.ts";

describe("under exactlyOnceTaskExecution a retry of a success", () => {
  test.each<[RetryCommand]>([
    [tasks("a")],
    [tasks("b", "a")],
    [{ kind: "retry", mode: "all" }],
    [{ ...stages("s0"), mode: "all" }],
  ])("is refused: %j", (command) => {
    const run = ended([["a", "b"]], ["b"], ONCE);
    expect(run.refusal(command)).toBe("TASKFLOW_EXACTLY_ONCE");
  });

  test.each<[RetryCommand, string[]]>([
    [tasks("a"), ["a"]],
    [{ kind: "retry", mode: "all" }, ["a", "b"]],
    [stages("s0"), ["a", "b"]],
  ])("runs with force: %j", (command, names) => {
    const run = ended([["a", "b"]], ["b"], ONCE);
    expect(tried(run, { ...command, force: true })).toEqual({ retried: names, sent: [names] });
  });

  test("counts by task", () => {
    const run = ended([{ a: ONCE, b: {}, c: {} }], ["c"]);
    expect(run.refusal(tasks("a"))).toBe("TASKFLOW_EXACTLY_ONCE");
    expect(tried(run, RETRY).retried).toEqual(["b", "c"]);
  });

  test("of a COMPLETED taskflow is refused even with force; without the option it is accepted", () => {
    const run = ended([["a"]], [], ONCE);
    for (const command of [RETRY, tasks("a"), { ...RETRY, force: true }, { ...RETRY, mode: "all" as const }])
      expect(run.refusal(command)).toBe("TASKFLOW_NOT_RETRYABLE");
    expect(tried(ended([["a"]]), tasks("a")).sent).toEqual([["a"]]);
  });
});

describe("a retried task", () => {
  test("continues counting its attempts, and has its retries anew", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    for (const round of [0, 1]) {
      expect(run.send()).toEqual(["a"]);
      run.answer("a", failed());
      run.endDelay("a");
      expect(run.send()).toEqual(["a"]);
      run.answer("a", failed());
      expect(run.flow.status).toBe("FAILED");
      expect(run.task("a").attempt).toBe(2 * round + 1);
      if (round === 0) run.handleCommand(RETRY);
    }
    expect(run.task("a").attempts.map(({ attempt }) => attempt)).toEqual([0, 1, 2, 3]);
    expect(run.flow).toMatchObject({ retryAttempt: 1 });
  });

  test("loses its answer and error; other tasks keep theirs", () => {
    const run = ended([["a", "b"]], ["b"]);
    run.handleCommand(tasks("b"));
    expect(run.task("b")).toMatchObject({ status: "WAITING", response: null, error: null });
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: json("a") });
  });

  test("ignores an answer to an earlier attempt", () => {
    const run = ended([["a"]], ["a"]);
    run.handleCommand(RETRY);
    expect(run.answer("a", answered("old")).facts).toEqual([]);
    run.send();
    expect(run.answer("a", answered("old"), 0).facts).toEqual([]);
    expect(run.task("a").status).toBe("RUNNING");
  });

  test("has a new maxAge, and so has its taskflow", () => {
    const run = new CoreRun([{ a: { maxAge: 50 } }], { options: { maxAge: 100 } }).begin();
    run.now += 200;
    run.give({ kind: "age" });
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
    run.handleCommand(RETRY);
    expect(run.timers("age").slice(-2)).toEqual([run.now + 100, run.now + 50]);
    expect(finish(run)).toEqual([["a"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });
});

describe("a dry run", () => {
  test("lists the tasks that would run, be reused and follow, and changes nothing", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], ONCE);
    const { facts, answer } = run.command({ kind: "retry", dryRun: true }, { id: "dry" });
    expect(facts).toEqual([]);
    const data = answer.ok ? answer.data : {};
    expect(data).toMatchObject({ retryAttempt: 1, compensated: [] });
    expect([retried(data, run), retried(data, run, "reused"), retried(data, run, "follows")]).toEqual([["b"], ["a"], ["c"]]);
    // The dry run did not use up the id.
    expect(run.handleCommand(RETRY, { id: "dry" })).toMatchObject({ retryAttempt: 1 });
  });
});

describe("a taskflow can be retried", () => {
  test("not while it runs, is paused, or has not started", () => {
    const run = new CoreRun([["a"], ["b"]]);
    expect(run.command(RETRY).answer).toMatchObject({ type: "TASKFLOW_NOT_RETRYABLE" });
    run.begin();
    expect(run.refusal(RETRY)).toBe("TASKFLOW_NOT_RETRYABLE");
    run.send();
    expect(run.refusal(tasks("a"))).toBe("TASKFLOW_NOT_RETRYABLE");
    run.handleCommand({ kind: "pause" });
    expect(run.refusal(RETRY)).toBe("TASKFLOW_NOT_RETRYABLE");
  });

  test("once of two at a time, in one commit or in two", () => {
    for (const atOnce of [true, false]) {
      const run = ended([["a"]], ["a"]);
      const one = (correlationId: number) => ({ kind: "command", correlationId, command: RETRY }) as const;
      const answers = atOnce ? run.give(one(1), one(2)).answers : [...run.give(one(1)).answers, ...run.give(one(2)).answers];
      expect(answers).toMatchObject([
        { correlationId: 1, answer: { ok: true } },
        { correlationId: 2, answer: { ok: false, type: "TASKFLOW_NOT_RETRYABLE" } },
      ]);
      expect(run.flow.retryAttempt).toBe(1);
    }
  });

  test.each([
    ["FAILED", ["a"], {}],
    ["PARTIAL_COMPLETED", ["a"], GO_ON],
    ["COMPLETED", [], {}],
  ] as const)("when it is %s", (status, failing, options) => {
    const run = ended([["a", "b"]], failing, options);
    expect(run.flow.status).toBe(status);
    expect(tried(run, RETRY).sent).toEqual([["a", "b"]]);
  });

  test("when it is CANCELLED: stages that were not reached follow", () => {
    const run = new CoreRun([["a"], ["b"], ["c"]]).begin();
    run.send();
    run.answer("a", answered(1));
    run.handleCommand({ kind: "cancel" });
    expect(run.status()).toEqual({
      flow: "CANCELLED",
      stages: ["COMPLETED", "CANCELLED", "CANCELLED"],
      tasks: { a: "SUCCESS", b: "CANCELLED", c: "CANCELLED" },
    });
    expect(tried(run, { kind: "retry", mode: "failed" })).toEqual({ retried: ["b"], sent: [["b"], ["c"]] });
    expect(run.flow.status).toBe("COMPLETED");
  });
});

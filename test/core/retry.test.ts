import { describe, expect, test } from "@jest/globals";
import type { RetryCommand } from "../../lib/core/command.ts";
import { stageId, taskId } from "../../lib/core/ids.ts";
import type { Options } from "../../lib/options.ts";
import { answered, CoreRun, failed, ID_BASE, json, type StageSketch } from "../helpers/core-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };
const GO_ON: Options = { continueOnTaskFailure: true };

/** Runs to the end; those tasks fail for good. */
function finish(run: CoreRun, failing: readonly string[] = []): string[][] {
  const rounds: string[][] = [];
  for (let names = run.send(); names.length > 0; names = run.send()) {
    rounds.push(names);
    for (const name of names) run.answer(name, failing.includes(name) ? failed({ permanent: true }) : answered(name));
  }
  return rounds;
}

/** A taskflow that has run to its end. */
function ended(stages: readonly StageSketch[], failing: readonly string[] = [], options: Options = {}): CoreRun {
  const run = new CoreRun(stages, { options }).begin();
  finish(run, failing);
  return run;
}

const retried = (data: Readonly<Record<string, unknown>>, run: CoreRun, key = "retried"): string[] =>
  (data[key] as { taskId: string; stageId: string }[]).map((ids) => {
    const task = run.flow.tasks.find(({ ordinal }) => taskId(ID_BASE, ordinal) === ids.taskId);
    expect(ids.stageId).toBe(stageId(ID_BASE, task?.stage.index ?? -1));
    return task?.definition.name ?? "";
  });

const RETRY: RetryCommand = { kind: "retry" };
const tasks = (...names: string[]): RetryCommand => ({ kind: "retry", selection: [{ tasks: names }] });
const stages = (...names: string[]): RetryCommand => ({ kind: "retry", selection: names.map((stage) => ({ stage })) });

/** What a retry answers, and what is then sent, stage by stage. */
function tried(run: CoreRun, command: RetryCommand): { readonly retried: string[]; readonly sent: string[][] } {
  const answer = run.obey(command);
  return { retried: retried(answer, run), sent: finish(run) };
}

describe("a retry without a selection", () => {
  test("runs all tasks of all stages, stage by stage", () => {
    const run = ended([["a", "b"], ["c"]]);
    expect(tried(run, RETRY)).toEqual({
      retried: ["a", "b", "c"],
      sent: [["a", "b"], ["c"]],
    });
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 1 });
  });

  test("runs only what did not succeed under exactlyOnceTaskExecution, and what was never reached follows", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], ONCE);
    expect(run.flow.status).toBe("FAILED");
    expect(tried(run, RETRY)).toEqual({ retried: ["b"], sent: [["b"], ["c"]] });
    expect(run.flow.status).toBe("COMPLETED");
  });

  test.each([
    [{}, "failed", ["b"], [["b"], ["c"]]],
    [{}, "all", ["a", "b"], [["a", "b"], ["c"]]],
    [ONCE, "failed", ["b"], [["b"], ["c"]]],
  ] as const)("under %j does what its mode %s says", (options, mode, names, sent) => {
    const run = ended([["a", "b"], ["c"]], ["b"], options);
    expect(tried(run, { kind: "retry", mode })).toEqual({ retried: names, sent });
  });

  test("with mode failed runs no success, forced or not", () => {
    const run = ended([["a", "b"]], ["b"], ONCE);
    expect(tried(run, { kind: "retry", mode: "failed", force: true })).toEqual({ retried: ["b"], sent: [["b"]] });
  });

  test("with nothing to run is a success, changes nothing, and is no run", () => {
    const run = ended([[...["a", "b"]]], [], {});
    const before = run.flow.revision;
    const { answer, facts } = run.command({ kind: "retry", mode: "failed" });
    expect(answer).toEqual({ ok: true, data: { taskflowId: "flow-1", retryAttempt: 0, retried: [] } });
    expect(facts).toEqual([]);
    expect(run.flow.revision).toBe(before);
    expect(run.obey({ kind: "retry", mode: "failed", dryRun: true })).toMatchObject({
      retryAttempt: 0,
      retried: [],
      follows: [],
    });
  });

  test("of one that was cancelled before it began runs all of it", () => {
    const run = new CoreRun([["a"], ["b"]]);
    run.obey({ kind: "cancel" });
    run.obey(RETRY);
    expect(finish(run)).toEqual([["a"], ["b"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("runs again what somebody cancelled ahead of its turn", () => {
    const run = new CoreRun([["a"], [...["b", "c"]]]).begin();
    run.obey({ kind: "cancelTask", task: "c" });
    finish(run, ["a"]);
    expect(tried(run, RETRY).sent).toEqual([["a"], ["b", "c"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });
});

describe("a retry of a selection", () => {
  test("runs just the tasks that are named, by name or id, in stage order, whatever order was given", () => {
    const run = ended([["a", "b"], ["c", "d"], ["e"]]);
    expect(tried(run, tasks("e", taskId(ID_BASE, 2), "b"))).toEqual({
      retried: ["b", "c", "e"],
      sent: [["b"], ["c"], ["e"]],
    });
  });

  test("runs all tasks of the stages that are named, by name or id; finished later ones are left alone", () => {
    const run = ended([["a", "b"], ["c"], ["d"]]);
    expect(tried(run, stages("s0")).sent).toEqual([["a", "b"]]);
    expect(tried(run, stages(stageId(ID_BASE, 1))).sent).toEqual([["c"]]);
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 2 });
  });

  test("leaves out the successes of a stage under exactlyOnceTaskExecution", () => {
    const run = ended([[...["a", "b"]], ["c"]], ["b"], { ...ONCE, ...GO_ON });
    expect(tried(run, stages("s0", "s1"))).toEqual({ retried: ["b"], sent: [["b"]] });
  });

  test("also runs again the finished stages behind it, with cascade", () => {
    const run = ended([["a", "b"], ["c"], ["d"]]);
    expect(tried(run, { ...tasks("b"), cascade: true })).toEqual({
      retried: ["b", "c", "d"],
      sent: [["b"], ["c"], ["d"]],
    });
  });

  test("cascades to no success under exactlyOnceTaskExecution, unless it is forced", () => {
    const run = ended([[...["a", "b"]], ["c"]], ["b"], { ...ONCE, ...GO_ON });
    run.obey({ ...tasks("b"), cascade: true });
    expect(finish(run, ["b"])).toEqual([["b"]]);
    expect(tried(run, { ...tasks("b"), cascade: true, force: true })).toEqual({ retried: ["b", "c"], sent: [["b"], ["c"]] });
  });

  test("has what was never reached follow once nothing blocks, and not before", () => {
    const run = ended([["a", "b"], ["c"]], ["a", "b"]);
    expect(tried(run, tasks("a"))).toEqual({ retried: ["a"], sent: [["a"]] });
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["PARTIAL_COMPLETED", "WAITING"],
      tasks: { a: "SUCCESS", b: "FAILED", c: "WAITING" },
    });
    expect(tried(run, tasks("b"))).toEqual({ retried: ["b"], sent: [["b"], ["c"]] });
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("runs what is chosen behind a stage that blocked before", () => {
    const run = ended([["a"], ["b"], ["c", "d"]], ["a"]);
    expect(tried(run, tasks("c"))).toEqual({ retried: ["c"], sent: [["c"]] });
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING", c: "SUCCESS", d: "WAITING" } });
    expect(tried(run, tasks("a")).sent).toEqual([["a"], ["b"], ["d"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("ends where a stage blocks anew: what was chosen behind it does not run, and follows the next time", () => {
    const run = ended([["a"], ["b"], ["c"]]);
    run.obey(RETRY);
    expect(finish(run, ["a"])).toEqual([["a"]]);
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["FAILED", "WAITING", "WAITING"],
      tasks: { a: "FAILED", b: "WAITING", c: "WAITING" },
    });
    expect(tried(run, tasks("a"))).toEqual({ retried: ["a"], sent: [["a"], ["b"], ["c"]] });
  });

  test("leaves alone what somebody cancelled ahead of its turn", () => {
    const run = new CoreRun([["a"], [...["b", "c"]]]).begin();
    run.obey({ kind: "cancelTask", task: "c" });
    finish(run, ["a"]);
    expect(tried(run, tasks("a")).sent).toEqual([["a"], ["b"]]);
    expect(run.task("c").status).toBe("CANCELLED");
  });

  test.each<[RetryCommand, string]>([
    [tasks("a", "nobody"), "TASK_NOT_FOUND"],
    [stages("s0", "nowhere"), "STAGE_NOT_FOUND"],
    [{ kind: "retry", selection: [{ stage: "s1", tasks: ["a"] }] }, "TASK_NOT_FOUND"],
    [{ kind: "retry", selection: [{ stage: "s1", tasks: [taskId(ID_BASE, 0)] }] }, "TASK_NOT_FOUND"],
    [tasks(stageId(ID_BASE, 0)), "TASK_NOT_FOUND"],
    [stages(taskId(ID_BASE, 0)), "STAGE_NOT_FOUND"],
    [tasks(taskId(ID_BASE, 99)), "TASK_NOT_FOUND"],
    [tasks("__proto__"), "TASK_NOT_FOUND"],
    [stages("constructor"), "STAGE_NOT_FOUND"],
  ])("%j is refused as a whole, and changes nothing: %s", (command, type) => {
    const run = ended([["a", "b"], ["c"]], ["b"]);
    expect(run.refusal(command)).toBe(type);
    expect(run.refusal({ ...command, dryRun: true })).toBe(type);
    expect(run.flow).toMatchObject({ status: "FAILED", retryAttempt: 0 });
  });

  test("refuses a name that two tasks have, and takes it below its stage", () => {
    const run = new CoreRun([["same"], ["same"]]).begin();
    run.obey({ kind: "cancel" });
    expect(run.refusal(tasks("same"))).toBe("TASK_NOT_FOUND");
    expect(run.obey({ kind: "retry", selection: [{ stage: "s1", tasks: ["same"] }] })).toMatchObject({
      retried: [{ stageId: stageId(ID_BASE, 1), taskId: taskId(ID_BASE, 1) }],
    });
  });
});

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

  test("of a COMPLETED taskflow cannot be, whatever is forced; without the option it can", () => {
    const run = ended([["a"]], [], ONCE);
    for (const command of [RETRY, tasks("a"), { ...RETRY, force: true }, { ...RETRY, mode: "all" as const }])
      expect(run.refusal(command)).toBe("TASKFLOW_NOT_RETRYABLE");
    expect(tried(ended([["a"]]), tasks("a")).sent).toEqual([["a"]]);
  });
});

describe("a retried task", () => {
  test("goes on counting its attempts, and has its retries of the run anew", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    for (const round of [0, 1]) {
      expect(run.send()).toEqual(["a"]);
      run.answer("a", failed());
      run.endDelay("a");
      expect(run.send()).toEqual(["a"]);
      run.answer("a", failed());
      expect(run.flow.status).toBe("FAILED");
      expect(run.task("a").attempt).toBe(2 * round + 1);
      if (round === 0) run.obey(RETRY);
    }
    expect(run.task("a").attempts.map(({ attempt }) => attempt)).toEqual([0, 1, 2, 3]);
    expect(run.flow).toMatchObject({ retryAttempt: 1 });
  });

  test("forgets its answer and error; what is not retried keeps them", () => {
    const run = ended([["a", "b"]], ["b"]);
    run.obey(tasks("b"));
    expect(run.task("b")).toMatchObject({ status: "WAITING", response: null, error: null });
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: json("a") });
  });

  test("gets nothing of an answer to an attempt before", () => {
    const run = ended([["a"]], ["a"]);
    run.obey(RETRY);
    expect(run.answer("a", answered("old")).facts).toEqual([]);
    run.send();
    expect(run.answer("a", answered("old"), 0).facts).toEqual([]);
    expect(run.task("a").status).toBe("RUNNING");
  });

  test("has a new age budget, and so has its taskflow", () => {
    const run = new CoreRun([{ a: { maxAge: 50 } }], { options: { maxAge: 100 } }).begin();
    run.now += 200;
    run.give({ kind: "age" });
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
    run.obey(RETRY);
    expect(run.timers("age").slice(-2)).toEqual([run.now + 100, run.now + 50]);
    expect(finish(run)).toEqual([["a"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });
});

describe("a dry run", () => {
  test("tells what would run, what is reused and what follows, and changes nothing", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], ONCE);
    const { facts, answer } = run.command({ kind: "retry", dryRun: true }, { id: "dry" });
    expect(facts).toEqual([]);
    const data = answer.ok ? answer.data : {};
    expect(data).toMatchObject({ retryAttempt: 1, compensated: [] });
    expect([retried(data, run), retried(data, run, "reused"), retried(data, run, "follows")]).toEqual([["b"], ["a"], ["c"]]);
    // Its id was not used up.
    expect(run.obey(RETRY, { id: "dry" })).toMatchObject({ retryAttempt: 1 });
  });
});

describe("a taskflow can be retried", () => {
  test("not while it runs, is paused, or is not begun", () => {
    const run = new CoreRun([["a"], ["b"]]);
    expect(run.command(RETRY).answer).toMatchObject({ type: "TASKFLOW_NOT_RETRYABLE" });
    run.begin();
    expect(run.refusal(RETRY)).toBe("TASKFLOW_NOT_RETRYABLE");
    run.send();
    expect(run.refusal(tasks("a"))).toBe("TASKFLOW_NOT_RETRYABLE");
    run.obey({ kind: "pause" });
    expect(run.refusal(RETRY)).toBe("TASKFLOW_NOT_RETRYABLE");
  });

  test("once of two at a time, in one commit or in two", () => {
    for (const atOnce of [true, false]) {
      const run = ended([["a"]], ["a"]);
      const one = (ticket: number) => ({ kind: "command", ticket, command: RETRY }) as const;
      const answers = atOnce ? run.give(one(1), one(2)).answers : [...run.give(one(1)).answers, ...run.give(one(2)).answers];
      expect(answers).toMatchObject([
        { ticket: 1, answer: { ok: true } },
        { ticket: 2, answer: { ok: false, type: "TASKFLOW_NOT_RETRYABLE" } },
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

  test("when it is CANCELLED: what was not reached follows", () => {
    const run = new CoreRun([["a"], ["b"], ["c"]]).begin();
    run.send();
    run.answer("a", answered(1));
    run.obey({ kind: "cancel" });
    expect(run.status()).toEqual({
      flow: "CANCELLED",
      stages: ["COMPLETED", "CANCELLED", "CANCELLED"],
      tasks: { a: "SUCCESS", b: "CANCELLED", c: "CANCELLED" },
    });
    expect(tried(run, { kind: "retry", mode: "failed" })).toEqual({ retried: ["b"], sent: [["b"], ["c"]] });
    expect(run.flow.status).toBe("COMPLETED");
  });
});

import { describe, expect, test } from "@jest/globals";
import type { RetryCommand } from "../../lib/core/model/command.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import { ended, finish, GO_ON, ONCE } from "../helpers/commands.ts";
import { CoreRun, ID_BASE } from "../helpers/core-run.ts";
import { RETRY, stages, tasks, tried } from "../helpers/retries.ts";

describe("a retry without a selection", () => {
  test("runs all tasks of all stages, stage by stage", () => {
    const run = ended([["a", "b"], ["c"]]);
    expect(tried(run, RETRY)).toEqual({
      retried: ["a", "b", "c"],
      sent: [["a", "b"], ["c"]],
    });
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 1 });
  });

  test("runs only unsuccessful tasks under exactlyOnceTaskExecution; stages that were never reached follow", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], ONCE);
    expect(run.flow.status).toBe("FAILED");
    expect(tried(run, RETRY)).toEqual({ retried: ["b"], sent: [["b"], ["c"]] });
    expect(run.flow.status).toBe("COMPLETED");
  });

  test.each([
    [{}, "failed", ["b"], [["b"], ["c"]]],
    [{}, "all", ["a", "b"], [["a", "b"], ["c"]]],
    [ONCE, "failed", ["b"], [["b"], ["c"]]],
  ] as const)("under %j follows its mode %s", (options, mode, names, sent) => {
    const run = ended([["a", "b"], ["c"]], ["b"], options);
    expect(tried(run, { kind: "retry", mode })).toEqual({ retried: names, sent });
  });

  test("with mode failed runs no success, even with force", () => {
    const run = ended([["a", "b"]], ["b"], ONCE);
    expect(tried(run, { kind: "retry", mode: "failed", force: true })).toEqual({ retried: ["b"], sent: [["b"]] });
  });

  test("with nothing to run succeeds, changes nothing, and is not a new run", () => {
    const run = ended([["a", "b"]], [], {});
    const before = run.flow.revision;
    const { answer, facts } = run.command({ kind: "retry", mode: "failed" });
    expect(answer).toEqual({ ok: true, data: { taskflowId: "flow-1", retryAttempt: 0, retried: [] } });
    expect(facts).toEqual([]);
    expect(run.flow.revision).toBe(before);
    expect(run.handleCommand({ kind: "retry", mode: "failed", dryRun: true })).toMatchObject({
      retryAttempt: 0,
      retried: [],
      follows: [],
    });
  });

  test("of a taskflow that was cancelled before it started runs all tasks", () => {
    const run = new CoreRun([["a"], ["b"]]);
    run.handleCommand({ kind: "cancel" });
    run.handleCommand(RETRY);
    expect(finish(run)).toEqual([["a"], ["b"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("runs a task again that was cancelled before its stage was reached", () => {
    const run = new CoreRun([["a"], ["b", "c"]]).begin();
    run.handleCommand({ kind: "cancelTask", task: "c" });
    finish(run, ["a"]);
    expect(tried(run, RETRY).sent).toEqual([["a"], ["b", "c"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });
});

describe("a retry of a selection", () => {
  test("runs only the tasks given by name or id, in stage order, whatever the given order", () => {
    const run = ended([["a", "b"], ["c", "d"], ["e"]]);
    expect(tried(run, tasks("e", taskId(ID_BASE, 2), "b"))).toEqual({
      retried: ["b", "c", "e"],
      sent: [["b"], ["c"], ["e"]],
    });
  });

  test("runs all tasks of the stages given by name or id; later finished stages are left alone", () => {
    const run = ended([["a", "b"], ["c"], ["d"]]);
    expect(tried(run, stages("s0")).sent).toEqual([["a", "b"]]);
    expect(tried(run, stages(stageId(ID_BASE, 1))).sent).toEqual([["c"]]);
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 2 });
  });

  test("skips the successes of a stage under exactlyOnceTaskExecution", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], { ...ONCE, ...GO_ON });
    expect(tried(run, stages("s0", "s1"))).toEqual({ retried: ["b"], sent: [["b"]] });
  });

  test("runs later finished stages again, too, with cascade", () => {
    const run = ended([["a", "b"], ["c"], ["d"]]);
    expect(tried(run, { ...tasks("b"), cascade: true })).toEqual({
      retried: ["b", "c", "d"],
      sent: [["b"], ["c"], ["d"]],
    });
  });

  test("does not cascade to successes under exactlyOnceTaskExecution, except with force", () => {
    const run = ended([["a", "b"], ["c"]], ["b"], { ...ONCE, ...GO_ON });
    run.handleCommand({ ...tasks("b"), cascade: true });
    expect(finish(run, ["b"])).toEqual([["b"]]);
    expect(tried(run, { ...tasks("b"), cascade: true, force: true })).toEqual({ retried: ["b", "c"], sent: [["b"], ["c"]] });
  });

  test("lets stages that were never reached follow only once nothing blocks", () => {
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

  test("runs selected tasks after a stage that blocked in an earlier run", () => {
    const run = ended([["a"], ["b"], ["c", "d"]], ["a"]);
    expect(tried(run, tasks("c"))).toEqual({ retried: ["c"], sent: [["c"]] });
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING", c: "SUCCESS", d: "WAITING" } });
    expect(tried(run, tasks("a")).sent).toEqual([["a"], ["b"], ["d"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("ends if a stage blocks again: selected later tasks do not run, and follow in the next run", () => {
    const run = ended([["a"], ["b"], ["c"]]);
    run.handleCommand(RETRY);
    expect(finish(run, ["a"])).toEqual([["a"]]);
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["FAILED", "WAITING", "WAITING"],
      tasks: { a: "FAILED", b: "WAITING", c: "WAITING" },
    });
    expect(tried(run, tasks("a"))).toEqual({ retried: ["a"], sent: [["a"], ["b"], ["c"]] });
  });

  test("leaves alone a task that was cancelled before its stage was reached", () => {
    const run = new CoreRun([["a"], ["b", "c"]]).begin();
    run.handleCommand({ kind: "cancelTask", task: "c" });
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

  test("refuses a name that two tasks share, and accepts it with its stage", () => {
    const run = new CoreRun([["same"], ["same"]]).begin();
    run.handleCommand({ kind: "cancel" });
    expect(run.refusal(tasks("same"))).toBe("TASK_NOT_FOUND");
    expect(run.handleCommand({ kind: "retry", selection: [{ stage: "s1", tasks: ["same"] }] })).toMatchObject({
      retried: [{ stageId: stageId(ID_BASE, 1), taskId: taskId(ID_BASE, 1) }],
    });
  });
});

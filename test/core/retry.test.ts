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

  test("of one that was cancelled before it began runs all of it", () => {
    const run = new CoreRun([["a"], ["b"]]);
    run.handleCommand({ kind: "cancel" });
    run.handleCommand(RETRY);
    expect(finish(run)).toEqual([["a"], ["b"]]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("runs again what somebody cancelled ahead of its turn", () => {
    const run = new CoreRun([["a"], ["b", "c"]]).begin();
    run.handleCommand({ kind: "cancelTask", task: "c" });
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
    const run = ended([["a", "b"], ["c"]], ["b"], { ...ONCE, ...GO_ON });
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
    const run = ended([["a", "b"], ["c"]], ["b"], { ...ONCE, ...GO_ON });
    run.handleCommand({ ...tasks("b"), cascade: true });
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
    run.handleCommand(RETRY);
    expect(finish(run, ["a"])).toEqual([["a"]]);
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["FAILED", "WAITING", "WAITING"],
      tasks: { a: "FAILED", b: "WAITING", c: "WAITING" },
    });
    expect(tried(run, tasks("a"))).toEqual({ retried: ["a"], sent: [["a"], ["b"], ["c"]] });
  });

  test("leaves alone what somebody cancelled ahead of its turn", () => {
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

  test("refuses a name that two tasks have, and takes it below its stage", () => {
    const run = new CoreRun([["same"], ["same"]]).begin();
    run.handleCommand({ kind: "cancel" });
    expect(run.refusal(tasks("same"))).toBe("TASK_NOT_FOUND");
    expect(run.handleCommand({ kind: "retry", selection: [{ stage: "s1", tasks: ["same"] }] })).toMatchObject({
      retried: [{ stageId: stageId(ID_BASE, 1), taskId: taskId(ID_BASE, 1) }],
    });
  });
});

import { describe, expect, test } from "@jest/globals";
import { executionContext } from "../../lib/core/views/execution-context.ts";
import { ASK, ended, GO_ON, resolve, retry } from "../helpers/commands.ts";
import { answered, CoreRun, failed } from "../helpers/core-run.ts";

describe("a task resolved by hand", () => {
  test.each(["SUCCESS", "SKIPPED"] as const)("that needed a decision continues from there as %s", (outcome) => {
    const run = ended([["a"], ["b"]], ["a"], ASK);
    expect(run.flow).toMatchObject({ status: "PAUSED", statusReason: "AWAITING_DECISION" });
    expect(run.handleCommand(resolve("a", outcome))).toMatchObject({ taskStatus: outcome, status: "RUNNING" });
    expect(run.task("a")).toMatchObject({ status: outcome, attempts: [{ status: "FAILED" }], isResolved: true });
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 0 });
  });

  test("of two that need a decision leaves the other", () => {
    const run = ended([["a", "b"], ["c"]], ["a", "b"], ASK);
    expect(run.handleCommand(resolve("a"))).toMatchObject({ status: "PAUSED" });
    expect(run.handleCommand(resolve("b"))).toMatchObject({ status: "RUNNING" });
    expect(run.send()).toEqual(["c"]);
  });

  test("of a FAILED taskflow continues with the stages that were never reached, under a new maxAge", () => {
    const run = ended([["a", "x"], ["b"]], ["a"], { maxAge: 1_000 });
    run.now += 900;
    run.handleCommand(resolve("a"));
    expect(run.timers("age").at(-1)).toBe(run.now + 1_000);
    expect(run.status()).toMatchObject({ flow: "RUNNING", stages: ["COMPLETED", "RUNNING"] });
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("of a taskflow that a handler ended runs the tasks that the end prevented", () => {
    const run = new CoreRun([{ a: {}, b: { maxConcurrency: 1 } }, ["c"]], { options: { maxConcurrency: 1 } }).begin();
    run.send();
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING" } });
    run.handleCommand(resolve("a"));
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["c"]);
  });

  test("that failed is refused while a taskflow that a handler ended waits for running attempts", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send();
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.refusal(resolve("a"))).toBe("TASKFLOW_NOT_FINISHED");
    run.answer("b", answered(1));
    expect(run.handleCommand(resolve("a"))).toMatchObject({ status: "COMPLETED" });
  });

  test("before its stage was reached is skipped, as is a stage without other tasks", () => {
    const run = new CoreRun([["a"], ["b"], ["c", "d"]]).begin();
    run.handleCommand(resolve("b", "SKIPPED"));
    run.handleCommand(resolve("c"));
    run.send();
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["d"]);
    run.answer("d", answered(1));
    expect(run.status()).toMatchObject({ flow: "COMPLETED", stages: ["COMPLETED", "COMPLETED", "COMPLETED"] });
  });

  test("before the start ends a taskflow without other tasks when it starts", () => {
    const run = new CoreRun([["a"]]);
    run.handleCommand(resolve("a"));
    expect(run.begin().flow.status).toBe("COMPLETED");
  });

  test("in a retry delay gets no other attempt", () => {
    const run = new CoreRun([{ a: { maxRetries: 3 } }, ["b"]]).begin();
    run.send();
    run.answer("a", failed());
    run.handleCommand(resolve("a"));
    expect(run.endDelay("a").facts).toEqual([]);
    expect(run.task("a")).toMatchObject({ retryAt: null, response: '{"by":"hand"}' });
    expect(run.send()).toEqual(["b"]);
  });

  test("that blocked selected later tasks lets all tasks run that it blocked", () => {
    const run = ended([["a"], ["b"], ["c", "d"]], ["a"]);
    run.handleCommand(retry("c"));
    expect(run.send()).toEqual(["c"]);
    run.handleCommand(resolve("a"));
    run.answer("c", answered(1));
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["d"]);
    run.answer("d", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("of an ended stage improves the status of the stage, and the next stage sees it", () => {
    const run = ended([{ a: GO_ON, x: {} }, ["b"]], ["a"]);
    expect(run.flow.status).toBe("PARTIAL_COMPLETED");
    const responses = (): unknown => {
      const { previousStageRes } = JSON.parse(executionContext(run.flow, run.task("b"), () => true)) as {
        previousStageRes: { response: unknown }[];
      };
      return previousStageRes.map(({ response }) => response);
    };
    expect(responses()).toEqual([null, "x"]);
    run.handleCommand(resolve("a"));
    expect(run.status()).toMatchObject({ flow: "COMPLETED", stages: ["COMPLETED", "COMPLETED"] });
    expect(responses()).toEqual([{ by: "hand" }, "x"]);
  });

  test.each<[string, (run: CoreRun) => void, string]>([
    ["runs", (run) => run.send(), "TASK_RUNNING"],
    ["succeeded", (run) => run.send().forEach((name) => run.answer(name, answered(1))), "TASK_NOT_ACTIVE"],
    ["was resolved", (run) => run.handleCommand(resolve("a", "SKIPPED")), "TASK_NOT_ACTIVE"],
    ["is of a cancelled taskflow", (run) => run.handleCommand({ kind: "cancel" }), "TASKFLOW_ALREADY_FINISHED"],
  ])("is refused if it %s", (_, prepare, type) => {
    const run = new CoreRun([["a", "x"]]).begin();
    prepare(run);
    expect(run.refusal(resolve("a"))).toBe(run.flow.status === "COMPLETED" ? "TASKFLOW_ALREADY_FINISHED" : type);
    expect(run.refusal(resolve("nobody"))).toBe("TASK_NOT_FOUND");
  });
});

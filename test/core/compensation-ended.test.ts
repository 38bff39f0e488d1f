/** A person ends compensations that cannot end by themselves. */
import { describe, expect, test } from "@jest/globals";
import { isOver } from "../../lib/core/model/flow.ts";
import { answered } from "../helpers/core-run.ts";
import { compensationsOf, details, failing } from "../helpers/undo-run.ts";

describe("a compensation whose action no node offers", () => {
  test("ends by cancelTask, and the next one begins", () => {
    const run = failing();
    expect(run.send(10, () => undefined)).toEqual([]);
    run.handleCommand({ kind: "cancelTask", task: "c" });
    expect(compensationsOf(run)).toMatchObject({ c: { status: "CANCELLED" }, a: { status: "RUNNING" } });
    expect(run.send()).toEqual(["undo.a"]);
    run.answer("undo a", answered(1));
    run.send();
    run.answer("undo b", answered(1));
    expect(isOver(run.flow)).toBe(true);
    expect(details(run)).toMatchObject({ status: "FAILED", compensation: { status: "FAILED" } });
  });

  test.each(["SUCCESS", "SKIPPED"] as const)("ends by resolveTask as %s, with what a person says of it", (outcome) => {
    const run = failing();
    run.handleCommand({ kind: "resolveTask", task: "c", outcome, reason: "Done by hand." });
    expect(compensationsOf(run)).toMatchObject({ c: { status: outcome } });
    for (const name of ["a", "b"]) {
      expect(run.send()).toEqual([`undo.${name}`]);
      run.answer(`undo ${name}`, answered(1));
    }
    expect(details(run)).toMatchObject({ status: "FAILED", compensation: { status: "SUCCESS" } });
  });

  test("can be ended before its turn, and is passed over then", () => {
    const run = failing();
    expect(run.send()).toEqual(["undo.c"]);
    run.handleCommand({ kind: "cancelTask", task: "a" });
    expect(run.send()).toEqual([]);
    run.answer("undo c", answered(1));
    expect(run.send()).toEqual(["undo.b"]);
    run.handleCommand({ kind: "cancelTask", task: "b" });
    expect(run.effects).toContainEqual(expect.objectContaining({ kind: "abort", task: run.task("undo b").ordinal }));
    expect(isOver(run.flow)).toBe(true);
    run.crash();
    expect(isOver(run.flow)).toBe(true);
  });

  test("that runs ends by resolveTask too, with its attempt", () => {
    const run = failing();
    run.send();
    run.handleCommand({ kind: "resolveTask", task: "c", outcome: "SUCCESS", reason: "Seen to be done." });
    expect(run.task("undo c").attempts).toMatchObject([{ status: "CANCELLED" }]);
    expect(run.send()).toEqual(["undo.a"]);
  });

  test("takes new options while it waits, and none while it runs", () => {
    const run = failing();
    run.handleCommand({ kind: "updateTask", task: "c", options: { maxAge: 100 } });
    run.now += 100;
    run.give({ kind: "age", task: run.task("undo c").ordinal });
    expect(compensationsOf(run)).toMatchObject({ c: { status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } } });
    run.send();
    expect(run.refusal({ kind: "updateTask", task: "a", options: { maxRetries: 1 } })).toBe("TASK_RUNNING");
  });
});

describe("after a compensation", () => {
  test("resolveTask is refused if something was undone: the taskflow would be COMPLETED without it", () => {
    const run = failing();
    for (const name of ["c", "a", "b"]) {
      run.send();
      run.answer(`undo ${name}`, answered(1));
    }
    const resolve = { kind: "resolveTask", task: "d", outcome: "SUCCESS", reason: "By hand." } as const;
    expect(run.refusal(resolve)).toBe("TASKFLOW_ALREADY_FINISHED");
    expect(run.flow.status).toBe("FAILED");
    expect(run.handleCommand({ kind: "retry", mode: "failed" })).toMatchObject({ retried: { length: 4 } });
  });

  test("resolveTask goes on if nothing was undone", () => {
    const run = failing();
    for (const task of ["c", "a", "b"]) run.handleCommand({ kind: "cancelTask", task });
    run.handleCommand({ kind: "resolveTask", task: "d", outcome: "SUCCESS", reason: "By hand." });
    expect(run.flow.status).toBe("COMPLETED");
    expect(run.refusal({ kind: "cancelTask", task: "c" })).toBe("TASKFLOW_ALREADY_FINISHED");
  });
});

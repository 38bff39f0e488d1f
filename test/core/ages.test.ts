import { describe, expect, test } from "@jest/globals";
import { answered, CoreRun, failed, START, routerTo } from "../helpers/core-run.ts";

const TOO_OLD = { type: "MAX_AGE_EXCEEDED" };

describe("maxAge of a taskflow", () => {
  const options = { maxAge: 10_000, maxRetries: -1 };

  test("its end is watched from the beginning", () => {
    const run = new CoreRun([["a"]], { options }).begin();
    expect(run.timers("age")).toEqual([START + 10_000]);
    expect(run.give({ kind: "age" }).facts).toEqual([]);
  });

  test("past it open tasks end, running ones are awaited, and what was never reached stays WAITING", () => {
    const run = new CoreRun([["running", "retrying", "queued"], ["later"]], { options }).begin();
    run.send(2);
    run.answer("retrying", failed());
    run.now += 10_000;
    run.give({ kind: "age" });
    expect(run.status()).toMatchObject({ flow: "RUNNING", tasks: { running: "RUNNING", retrying: "FAILED", queued: "FAILED" } });
    expect(run.task("retrying").error).toMatchObject({ ...TOO_OLD, data: { lastError: { type: "BROKEN" } } });
    run.answer("running", answered(1));
    expect(run.status()).toEqual({
      flow: "FAILED",
      stages: ["PARTIAL_COMPLETED", "WAITING"],
      tasks: { running: "SUCCESS", retrying: "FAILED", queued: "FAILED", later: "WAITING" },
    });
    expect(run.flow.error).toMatchObject(TOO_OLD);
  });

  test("past it no retry begins, and no next stage", () => {
    const run = new CoreRun([["a"], ["b"]], { options }).begin();
    run.send();
    run.now += 10_000;
    run.answer("a", failed());
    expect(run.task("a").error).toMatchObject(TOO_OLD);
    const other = new CoreRun([["a"], ["b"]], { options }).begin();
    other.send();
    other.now += 10_000;
    other.answer("a", answered(1));
    expect(other.status()).toEqual({ flow: "FAILED", stages: ["COMPLETED", "WAITING"], tasks: { a: "SUCCESS", b: "WAITING" } });
  });

  test("past it nothing is sent even before the timer fires", () => {
    const run = new CoreRun([["a"]], { options }).begin();
    run.now += 10_000;
    run.decide([], routerTo("w1"));
    expect(run.flow).toMatchObject({ status: "FAILED", error: TOO_OLD });
    expect(run.task("a").attempts).toEqual([]);
  });

  test("past it continueOnTaskFailure does not make the taskflow anything but FAILED", () => {
    const run = new CoreRun([["a", "b"], ["c"]], { options: { ...options, continueOnTaskFailure: true } }).begin();
    run.send(1);
    run.answer("a", answered(1));
    run.now += 10_000;
    run.give({ kind: "age" });
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["PARTIAL_COMPLETED", "WAITING"] });
  });
});

describe("maxAge of a task", () => {
  test("counts from when it could first have run, and fails it like any other failure", () => {
    const run = new CoreRun([{ first: {} }, { a: { maxAge: 5_000, continueOnTaskFailure: true }, b: {} }, { c: {} }]).begin();
    run.send();
    run.now += 60_000;
    run.answer("first", answered(1));
    expect(run.timers("age")).toEqual([run.now + 5_000]);
    run.now += 4_999;
    expect(run.give({ kind: "age", task: 1 }).facts).toEqual([]);
    run.now += 1;
    run.give({ kind: "age", task: 1 });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { ...TOO_OLD, data: { maxAge: 5_000 } } });
    run.send();
    run.answer("b", answered(1));
    run.send();
    run.answer("c", answered(1));
    expect(run.flow.status).toBe("PARTIAL_COMPLETED");
  });

  test("a running attempt is awaited; if it fails there is no other one", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000, maxRetries: 9 } }]).begin();
    run.send();
    run.now += 5_000;
    expect(run.give({ kind: "age", task: 0 }).facts).toEqual([]);
    run.answer("a", failed());
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { ...TOO_OLD, data: { lastError: { type: "BROKEN" } } } });
  });

  test("the error of the last attempt that was allowed anyway stands as it is", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 } }]).begin();
    run.send();
    run.now += 5_000;
    run.answer("a", failed());
    expect(run.task("a").error?.type).toBe("BROKEN");
  });

  test("in a retry delay it ends when its age does, and keeps the answer that said success: false", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000, maxRetries: 9, retryDelay: 60_000 } }]).begin();
    run.send();
    run.answer("a", answered({ success: false, n: 1 }));
    run.now += 5_000;
    run.give({ kind: "age", task: 0 });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: TOO_OLD, response: '{"success":false,"n":1}' });
  });

  test("an attempt that never left ends the task if its age is over by then", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 } }]).begin();
    run.send();
    run.now += 5_000;
    run.answer("a", { kind: "not-sent" });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: TOO_OLD, attempts: [] });
  });

  test("it is not watched where the taskflow's age ends first", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 }, b: { maxAge: 500 } }], { options: { maxAge: 1_000 } }).begin();
    expect(run.timers("age")).toEqual([START + 1_000, START + 500]);
  });
});

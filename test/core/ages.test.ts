import { describe, expect, test } from "@jest/globals";
import { answered, CoreRun, failed, START, routerTo } from "../helpers/core-run.ts";

const TOO_OLD = { type: "MAX_AGE_EXCEEDED" };

describe("maxAge of a taskflow", () => {
  const options = { maxAge: 10_000, maxRetries: -1 };

  test("a timer for its end is set at the start", () => {
    const run = new CoreRun([["a"]], { options }).begin();
    expect(run.timers("age")).toEqual([START + 10_000]);
    expect(run.give({ kind: "age" }).facts).toEqual([]);
  });

  test("after it waiting tasks end, running attempts finish, and stages that were never reached stay WAITING", () => {
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

  test("after it no retry and no further stage starts", () => {
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

  test("after it nothing is sent, even before the timer fires", () => {
    const run = new CoreRun([["a"]], { options }).begin();
    run.now += 10_000;
    run.decide([], routerTo("w1"));
    expect(run.flow).toMatchObject({ status: "FAILED", error: TOO_OLD });
    expect(run.task("a").attempts).toEqual([]);
  });

  test("after it the taskflow is FAILED, even with continueOnTaskFailure", () => {
    const run = new CoreRun([["a", "b"], ["c"]], { options: { ...options, continueOnTaskFailure: true } }).begin();
    run.send(1);
    run.answer("a", answered(1));
    run.now += 10_000;
    run.give({ kind: "age" });
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["PARTIAL_COMPLETED", "WAITING"] });
  });
});

describe("maxAge of a task", () => {
  test("counts from when it became due, and its end is a failure like any other", () => {
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

  test("a running attempt finishes; if it fails, no other follows", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000, maxRetries: 9 } }]).begin();
    run.send();
    run.now += 5_000;
    expect(run.give({ kind: "age", task: 0 }).facts).toEqual([]);
    run.answer("a", failed());
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { ...TOO_OLD, data: { lastError: { type: "BROKEN" } } } });
  });

  test("the error of the last allowed attempt is kept as it is", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 } }]).begin();
    run.send();
    run.now += 5_000;
    run.answer("a", failed());
    expect(run.task("a").error?.type).toBe("BROKEN");
  });

  test("in a retry delay the task ends with its maxAge, and keeps the answer with success: false", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000, maxRetries: 9, retryDelay: 60_000 } }]).begin();
    run.send();
    run.answer("a", answered({ success: false, n: 1 }));
    run.now += 5_000;
    run.give({ kind: "age", task: 0 });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: TOO_OLD, response: '{"success":false,"n":1}' });
  });

  test("a withdrawn attempt ends the task if its maxAge is over by then", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 } }]).begin();
    run.send();
    run.now += 5_000;
    run.answer("a", { kind: "not-sent" });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: TOO_OLD, attempts: [] });
  });

  test("no timer is set if the taskflow's maxAge ends first", () => {
    const run = new CoreRun([{ a: { maxAge: 5_000 }, b: { maxAge: 500 } }], { options: { maxAge: 1_000 } }).begin();
    expect(run.timers("age")).toEqual([START + 1_000, START + 500]);
  });
});

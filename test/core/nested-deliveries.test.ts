/**
 * Attempts that were delivered twice, or answered late: each answer joins the taskflows of its
 * own delivery.
 */
import { describe, expect, test } from "@jest/globals";
import type { Outcome } from "../../lib/core/execution/inputs.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, failed, NEVER, SILENT } from "../helpers/core-run.ts";
import { NestedRun, orders, producing } from "../helpers/nested-run.ts";

/** Answers a delivery of the running attempt of task a. */
const answerDelivery = (run: NestedRun, delivery: number, outcome: Outcome = answered(1)): void => {
  const { ordinal, attempt } = run.task("a");
  run.give({ kind: "answer", task: ordinal, attempt, delivery, outcome });
};

/** The nested taskflows that were told to end. */
const cancelled = (run: NestedRun): string[] =>
  orders(run.effects).flatMap(([child, kind]) => (kind === "cancel" ? [child] : []));

/** A task whose handler has produced `children`, and that has been delivered again. */
function deliveredAgain(children: readonly string[], options: Options = {}, more: { isChosen?: boolean } = {}): NestedRun {
  const run = producing(children, options, more);
  run.takeOver(2, NEVER);
  run.send();
  return run;
}

describe("a redelivery of the attempt", () => {
  test("cancels nothing: the answer of either delivery joins its own taskflows, and cancels those of the other", () => {
    const first = deliveredAgain(["n1"]);
    expect(cancelled(first)).toEqual([]);
    first.link("a", "n2");
    answerDelivery(first, 1);
    expect([first.stateOf("n1"), first.stateOf("n2"), first.task("a").status]).toEqual(["active", "abandoned", "RUNNING"]);
    expect(cancelled(first)).toEqual(["n2"]);
    answerDelivery(first, 2, answered(2));
    first.join("n1", "COMPLETED");
    expect(first.task("a")).toMatchObject({ status: "SUCCESS", response: "1" });

    const second = deliveredAgain(["n1"]);
    second.link("a", "n2");
    answerDelivery(second, 2, answered(2));
    expect([second.stateOf("n1"), second.stateOf("n2"), second.task("a").status]).toEqual(["abandoned", "active", "RUNNING"]);
    second.join("n1", "CANCELLED");
    second.join("n2", "COMPLETED");
    expect(second.task("a")).toMatchObject({ status: "SUCCESS", response: "2" });
  });

  test("joins the taskflows of the delivery that a worker's ledger names, whichever delivery is answered", () => {
    const run = deliveredAgain(["n1"]);
    answerDelivery(run, 2, { ...answered(1), delivery: 1 } as Outcome);
    expect([run.stateOf("n1"), run.task("a").status]).toEqual(["active", "RUNNING"]);
    run.join("n1", "FAILED");
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "NESTED_TASKFLOW_FAILED" } });
  });

  test("spares those with chosen ids, and joins them if it produces them again", () => {
    const adopting = deliveredAgain(["mine"], {}, { isChosen: true });
    adopting.link("a", "mine", { isChosen: true });
    answerDelivery(adopting, 2);
    expect(adopting.task("a").status).toBe("RUNNING");
    adopting.join("mine", "COMPLETED");
    expect(adopting.task("a").status).toBe("SUCCESS");

    const leaving = deliveredAgain(["mine"], {}, { isChosen: true });
    answerDelivery(leaving, 2);
    expect([leaving.stateOf("mine"), leaving.task("a").status]).toEqual(["spared", "SUCCESS"]);
    expect(cancelled(leaving)).toEqual([]);
    leaving.join("mine", "FAILED");
    expect(leaving.task("a").status).toBe("SUCCESS");
  });

  test("both producing the same chosen id: the child belongs to both, and the answer of either waits for it", () => {
    for (const delivery of [1, 2]) {
      const run = deliveredAgain(["mine"], {}, { isChosen: true });
      run.link("a", "mine", { isChosen: true, delivery: 2 });
      answerDelivery(run, delivery);
      expect([run.stateOf("mine"), run.task("a").status]).toEqual(["active", "RUNNING"]);
      run.join("mine", "FAILED");
      expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "NESTED_TASKFLOW_FAILED" } });
    }
  });

  test("leaves no room for taskflows of a delivery that does not count any more", () => {
    const run = deliveredAgain(["n1"]);
    answerDelivery(run, 1);
    expect(run.link("a", "n2", { delivery: 2 })).toMatchObject({ ok: false, type: "PARENT_TASK_NOT_RUNNING" });
    expect(run.link("a", "n3", { delivery: 1 })).toMatchObject({ ok: true });
  });
});

describe("a success that comes after the attempt's timeout", () => {
  test("brings the attempt back while its taskflows run, and ends with them", () => {
    const run = producing(["n1"], { maxRetries: 1 });
    run.timeOut("a");
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "TASK_TIMEOUT" } });
    answerDelivery(run, 1);
    expect(run.task("a")).toMatchObject({ status: "RUNNING", retryAt: null, attempts: [{ status: "RUNNING" }] });
    run.endDelay("a");
    expect(run.send()).toEqual([]);
    run.join("n1", "COMPLETED");
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", attempts: [{ attempt: 0, status: "SUCCESS" }] });
  });

  test("is none if one of its taskflows did not succeed: the next attempt runs", () => {
    const run = producing(["n1"], { maxRetries: 1 });
    run.timeOut("a");
    run.join("n1", "FAILED");
    answerDelivery(run, 1);
    expect(run.task("a").status).toBe("WAITING");
    run.endDelay("a");
    expect(run.send()).toEqual(["svc.a"]);
  });

  test.each([
    [false, "runs the task again"],
    [true, "ends it FAILED"],
  ])(
    "after a cancel is no success, its taskflows were cancelled too: exactly once %s, a retry %s",
    (exactlyOnceTaskExecution) => {
      const run = producing(["n1"], { exactlyOnceTaskExecution });
      run.command({ kind: "cancel" });
      answerDelivery(run, 1);
      run.join("n1", "CANCELLED");
      expect(run.task("a")).toMatchObject({ status: "CANCELLED", response: "1" });
      run.command({ kind: "retry" });
      expect(run.send()).toEqual(exactlyOnceTaskExecution ? [] : ["svc.a"]);
      if (!exactlyOnceTaskExecution) return;
      expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "NESTED_TASKFLOW_FAILED" } });
      expect(run.flow.status).toBe("FAILED");
    },
  );

  test("after a cancel, with a taskflow that failed: under exactly once only a retry by name runs the handler again", () => {
    const run = producing(["n1"], { exactlyOnceTaskExecution: true });
    run.command({ kind: "cancel" });
    answerDelivery(run, 1);
    run.join("n1", "CANCELLED");
    run.command({ kind: "retry" });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "NESTED_TASKFLOW_FAILED" } });
    run.command({ kind: "retry" });
    expect([run.send(), run.task("a").status]).toEqual([[], "FAILED"]);
    run.command({ kind: "retry", selection: [{ tasks: ["a"] }] });
    expect(run.send()).toEqual(["svc.a"]);
  });

  test("after a cancel counts, if its taskflow had completed before the cancel reached it", () => {
    const run = producing(["n1"], { exactlyOnceTaskExecution: true });
    run.command({ kind: "cancel" });
    answerDelivery(run, 1);
    run.join("n1", "COMPLETED");
    run.command({ kind: "retry" });
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: "1" });
  });

  test.each([
    ["has ended", true],
    ["still runs", false],
  ])(
    "of a task that ended unknown, in one of two deliveries, whose taskflow %s: a retry cancels that of the other",
    (_, hasEnded) => {
      const run = deliveredAgain(["n1"], { exactlyOnceTaskExecution: true });
      run.link("a", "n2", { delivery: 2 });
      run.takeOver(3, SILENT);
      expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
      answerDelivery(run, 1);
      if (hasEnded) run.join("n1", "COMPLETED");
      run.command({ kind: "retry" });
      expect(run.task("a").status).toBe(hasEnded ? "SUCCESS" : "RUNNING");
      expect([run.stateOf("n1"), run.stateOf("n2")]).toEqual([hasEnded ? "ended" : "active", "abandoned"]);
      expect(cancelled(run)).toEqual(["n2"]);
    },
  );

  test("of a task whose stage has yet to run again is only recorded, and taken when the stage runs", () => {
    const run = new NestedRun([{ x: { continueOnTaskFailure: true } }, { a: { exactlyOnceTaskExecution: true } }]).begin();
    run.send();
    run.answer("x", failed());
    run.send();
    run.link("a", "n1");
    run.takeOver(2, SILENT);
    run.command({ kind: "retry" });
    run.send();
    answerDelivery(run, 1);
    expect([run.task("a").status, run.task("a").open]).toEqual(["WAITING", false]);
    run.answer("x", answered(1));
    expect(run.task("a")).toMatchObject({ status: "RUNNING", pendingResponse: "1" });
    run.join("n1", "COMPLETED");
    expect([run.task("a").status, run.flow.status]).toEqual(["SUCCESS", "COMPLETED"]);
  });

  test("of a task that ended unknown is taken by a retry together with its taskflows", () => {
    const run = producing(["n1"], { exactlyOnceTaskExecution: true });
    run.takeOver(2, SILENT);
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
    answerDelivery(run, 1);
    run.command({ kind: "retry" });
    expect(run.task("a")).toMatchObject({ status: "RUNNING", pendingResponse: "1" });
    run.join("n1", "COMPLETED");
    expect(run.task("a").status).toBe("SUCCESS");
  });
});

import { describe, expect, test } from "@jest/globals";
import type { Command } from "../../lib/core/model/command.ts";
import { ASK, FATAL } from "../helpers/commands.ts";
import { answered, CoreRun, failed, routerTo } from "../helpers/core-run.ts";

const PAUSE: Command = { kind: "pause", reason: "lunch" };
const RESUME: Command = { kind: "resume" };
const RETRY: Command = { kind: "retry" };
const resolve = (task: string): Command => ({ kind: "resolveTask", task, outcome: "SKIPPED", reason: "no" });

const effectiveStatus = ({ flow }: CoreRun): unknown[] => [flow.status, flow.statusReason, flow.pause !== null];

describe("a paused taskflow", () => {
  test("sends nothing new, still accepts answers, and continues where it was", () => {
    const run = new CoreRun([{ a: {}, b: { maxRetries: 1 }, c: {} }, ["d"]]).begin();
    run.send(2);
    expect(run.handleCommand(PAUSE)).toMatchObject({ status: "PAUSED", statusReason: "PAUSED" });
    run.answer("a", answered(1));
    run.answer("b", failed());
    run.endDelay("b");
    expect(run.send()).toEqual([]);
    expect(run.decide([], routerTo("w")).facts).toEqual([]);
    expect(run.handleCommand(RESUME)).toMatchObject({ status: "RUNNING", statusReason: null });
    expect(run.send()).toEqual(["c", "b"]);
  });

  test("enters the next stage without sending; its last answer finishes it", () => {
    const run = new CoreRun([["a"], ["b"]]).begin();
    run.send();
    run.handleCommand(PAUSE);
    run.answer("a", answered(1));
    expect(run.status()).toMatchObject({ flow: "PAUSED", stages: ["COMPLETED", "RUNNING"] });
    expect(run.send()).toEqual([]);
    run.handleCommand(RESUME);
    run.send();
    run.handleCommand(PAUSE);
    run.answer("b", answered(1));
    expect(effectiveStatus(run)).toEqual(["COMPLETED", null, false]);
  });

  test("starts once it is resumed, if it was paused before it started", () => {
    const run = new CoreRun([["a"]]);
    run.handleCommand(PAUSE);
    run.begin();
    expect(run.send()).toEqual([]);
    expect(run.flow.status).toBe("PAUSED");
    run.handleCommand(RESUME);
    expect(run.send()).toEqual(["a"]);
  });

  test("is still paused after a recovery", () => {
    const run = new CoreRun([["a"]]).begin();
    run.handleCommand(PAUSE);
    run.give({ kind: "recover", fence: 2 });
    expect(run.send()).toEqual([]);
    run.handleCommand(RESUME);
    expect(run.send()).toEqual(["a"]);
  });

  test("still ends after its maxAge", () => {
    const run = new CoreRun([["a"], ["b"]], { options: { maxAge: 100 } }).begin();
    run.handleCommand(PAUSE);
    run.now += 100;
    run.give({ kind: "age" });
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" }, pause: null });
  });

  test("is paused once: a second pause changes nothing. A running or finished one cannot be resumed", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(run.refusal(RESUME)).toBe("TASKFLOW_CONFLICT");
    run.handleCommand(PAUSE);
    expect(run.command({ kind: "pause", reason: "other" })).toMatchObject({ facts: [], answer: { ok: true } });
    run.handleCommand({ kind: "cancel" });
    for (const command of [PAUSE, RESUME]) expect(run.refusal(command)).toBe("TASKFLOW_ALREADY_FINISHED");
    run.handleCommand(RETRY);
    expect(effectiveStatus(run)).toEqual(["RUNNING", null, false]);
  });
});

describe("a pause from the parent", () => {
  test("is ended by the parent, which does not end a person's own", () => {
    const run = new CoreRun([["a"]]).begin();
    const byParent = (kind: "pause" | "resume"): Command => ({ kind, by: "parent" });
    run.handleCommand(byParent("pause"));
    expect(run.handleCommand({ kind: "resume", by: "somebody else" })).toMatchObject({ status: "PAUSED" });
    expect(run.handleCommand(byParent("resume"))).toMatchObject({ status: "RUNNING" });
    run.handleCommand(byParent("pause"));
    run.handleCommand(PAUSE);
    expect(run.handleCommand(byParent("resume"))).toMatchObject({ status: "PAUSED" });
    expect(run.handleCommand(byParent("pause"))).toMatchObject({ status: "PAUSED" });
    expect(run.flow.pause).toEqual({ reason: "lunch", by: null, at: run.now });
    expect(run.handleCommand(RESUME)).toMatchObject({ status: "RUNNING" });
  });
});

describe("a pause together with a needed decision", () => {
  /** Two tasks failed, and each needs a person's decision. */
  function waiting(): CoreRun {
    const run = new CoreRun([["a", "b", "x"], ["c"]], { options: ASK }).begin();
    run.send();
    for (const name of ["a", "b"]) run.answer(name, FATAL);
    run.answer("x", answered(1));
    expect(effectiveStatus(run)).toEqual(["PAUSED", "AWAITING_DECISION", false]);
    return run;
  }

  test("outlives the decision, whichever came first", () => {
    for (const first of ["hold", "failure"] as const) {
      const run = new CoreRun([["a"], ["c"]], { options: ASK }).begin();
      run.send();
      if (first === "hold") run.handleCommand(PAUSE);
      run.answer("a", FATAL);
      if (first === "failure") run.handleCommand(PAUSE);
      expect(effectiveStatus(run)).toEqual(["PAUSED", "AWAITING_DECISION", true]);
      run.handleCommand(resolve("a"));
      expect(effectiveStatus(run)).toEqual(["PAUSED", "PAUSED", true]);
      expect(run.send()).toEqual([]);
      run.handleCommand(RESUME);
      expect(run.send()).toEqual(["c"]);
    }
  });

  test("can be ended before the decision, which stays needed: a resume does not replace it", () => {
    const run = waiting();
    run.handleCommand(PAUSE);
    expect(run.handleCommand(RESUME)).toMatchObject({ status: "PAUSED", statusReason: "AWAITING_DECISION" });
    expect(run.refusal(RESUME)).toBe("TASKFLOW_CONFLICT");
  });

  test("keeps a retry from sending anything until it ends", () => {
    const run = waiting();
    run.handleCommand(PAUSE);
    expect(run.handleCommand(RETRY)).toMatchObject({ retryAttempt: 1 });
    expect(effectiveStatus(run)).toEqual(["PAUSED", "PAUSED", true]);
    expect(run.send()).toEqual([]);
    run.handleCommand(RESUME);
    expect(run.send()).toEqual(["a", "b"]);
  });

  test("is ended by a cancel, as is the need for a decision", () => {
    const run = waiting();
    run.handleCommand(PAUSE);
    run.handleCommand({ kind: "cancel" });
    expect(effectiveStatus(run)).toEqual(["CANCELLED", null, false]);
    expect(run.flow.awaiting.size).toBe(0);
  });

  test("a retry of one of two failed tasks runs once the other is decided about, and cannot be repeated", () => {
    const run = waiting();
    const one: Command = { kind: "retry", selection: [{ tasks: ["a"] }] };
    run.handleCommand(one);
    expect(effectiveStatus(run)).toEqual(["PAUSED", "AWAITING_DECISION", false]);
    expect(run.refusal(one)).toBe("TASKFLOW_NOT_RETRYABLE");
    expect(run.command({ kind: "retry", selection: [{ stage: "s0" }] }).answer).toMatchObject({ ok: true });
    expect(run.send()).toEqual(["a", "b", "x"]);
  });

  test("a retry that leaves the stage drops its decisions", () => {
    const run = new CoreRun([["a"], { b: {}, d: {}, e: { maxRetries: 2 } }, ["c"]], { options: { ...ASK, maxConcurrency: 2 } });
    run.begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", FATAL);
    run.answer("d", answered(1));
    const back = { kind: "retry", selection: [{ tasks: ["a"] }] } as const;
    const dry = run.handleCommand({ ...back, dryRun: true });
    expect(dry).toMatchObject({ retried: [{}], follows: [{}] });
    run.handleCommand(back);
    expect(run.status()).toMatchObject({ flow: "RUNNING", stages: ["RUNNING", "WAITING", "WAITING"] });
    expect(run.send()).toEqual(["a"]);
    run.answer("a", answered(2));
    // The remaining tasks of the stage run; the failed ones were not selected, and block.
    expect(run.send()).toEqual(["e"]);
    run.answer("e", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "FAILED", c: "WAITING" } });
  });

  test("a retry that would leave the stage is refused while one of its tasks runs; a task in a retry delay starts anew", () => {
    const run = new CoreRun([["a"], { b: {}, d: { maxRetries: 2 } }], { options: ASK }).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", FATAL);
    const back: Command = { kind: "retry", selection: [{ tasks: ["a", "b"] }] };
    expect(run.refusal(back)).toBe("TASK_RUNNING");
    expect(run.refusal({ kind: "retry", selection: [{ tasks: ["d"] }] })).toBe("TASK_RUNNING");
    run.answer("d", failed());
    run.handleCommand(back);
    expect(run.task("d")).toMatchObject({ status: "WAITING", retryAt: null, runAttempts: 0 });
    expect(run.give({ kind: "retry-due", task: 2, attempt: 0 }).facts).toEqual([]);
    expect(run.send()).toEqual(["a"]);
    run.answer("a", answered(2));
    expect(run.send()).toEqual(["b", "d"]);
  });

  test("no decision is needed, and no retry accepted, once a handler ends the taskflow", () => {
    const run = new CoreRun([["a", "b", "d"]], { options: ASK }).begin();
    run.send();
    run.answer("a", FATAL);
    run.answer("b", failed({ abort: "workflow", permanent: true }));
    expect(run.refusal(RETRY)).toBe("TASKFLOW_NOT_RETRYABLE");
    run.answer("d", FATAL);
    expect(run.flow.status).toBe("FAILED");
  });
});

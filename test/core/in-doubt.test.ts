import { describe, expect, test } from "@jest/globals";
import type { RetryCommand } from "../../lib/core/model/command.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, CoreRun, done, error, failed, INTERRUPTED, NEVER, questions, RUNNING, SILENT } from "../helpers/core-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };
const RETRY: RetryCommand = { kind: "retry" };
const NAMED: RetryCommand = { kind: "retry", selection: [{ tasks: ["a"] }] };
const STAGE: RetryCommand = { kind: "retry", selection: [{ stage: "s0" }] };

/** The outcome of the only task is unknown. */
function unknown(options: Options = ONCE): CoreRun {
  const run = new CoreRun([{ a: options }, ["b"]]).begin();
  run.send();
  run.timeOut("a");
  if (options.exactlyOnceTaskExecution) run.reply("a", SILENT);
  expect(run.flow.status).toBe("FAILED");
  return run;
}

/** The task, or its taskflow, was cancelled while it ran. */
function cut(options: Options = ONCE, kind: "cancel" | "cancelTask" = "cancel"): CoreRun {
  const run = new CoreRun([{ a: options }, ["b"]]).begin();
  run.send();
  run.handleCommand(kind === "cancel" ? { kind } : { kind, task: "a" });
  expect(run.task("a")).toMatchObject({ status: "CANCELLED", attempts: [{ status: "CANCELLED" }] });
  return run;
}

const DOUBTFUL = [
  ["of unknown outcome", unknown],
  ["cancelled with its taskflow while it ran", cut],
  ["cancelled while it ran", () => cut(ONCE, "cancelTask")],
] as const;

describe.each(DOUBTFUL)("a retried task that was %s", (_, make) => {
  test.each([RETRY, NAMED, STAGE])("is queried first, and a reported success counts: %j", (command) => {
    const run = make();
    const asked = questions(run.command(command));
    expect(asked).toMatchObject([{ task: 0, attempt: 0 }]);
    expect(run.send()).toEqual([]);
    run.reply("a", done(answered("found")));
    expect(run.task("a")).toMatchObject({
      status: "SUCCESS",
      response: '"found"',
      attempts: [{ attempt: 0, status: "SUCCESS" }],
    });
    expect(run.send()).toEqual(["b"]);
  });

  test.each([RETRY, STAGE])("uses a late success that was recorded, without a query: %j", (command) => {
    const run = make();
    expect(run.answer("a", answered("late")).facts).toMatchObject([{ kind: "late-response", status: "SUCCESS" }]);
    expect(run.answer("a", answered("later")).facts).toEqual([]);
    const { effects, answer } = run.command(command);
    expect(answer).toMatchObject({ ok: true });
    expect(questions({ effects })).toEqual([]);
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: '"late"' });
    expect(run.send()).toEqual(["b"]);
  });

  test.each([SILENT, INTERRUPTED, done({ kind: "unknown", error: error("TASK_OUTCOME_UNKNOWN") })])(
    "under exactlyOnce, without an outcome, runs only if it was selected by name: %j",
    (reply) => {
      const run = make();
      run.handleCommand(STAGE);
      run.reply("a", reply);
      expect(run.send()).toEqual([]);
      expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
      expect(run.flow.status).toBe("FAILED");
      run.handleCommand(NAMED);
      run.reply("a", reply);
      expect(run.send()).toEqual(["a"]);
      expect(run.task("a")).toMatchObject({ attempt: 1, status: "RUNNING" });
    },
  );

  test.each([NEVER, done(failed()), done(answered({ success: false }))])("runs if it certainly did not succeed: %j", (reply) => {
    const run = make();
    run.handleCommand(STAGE);
    run.reply("a", reply);
    expect(run.send()).toEqual(["a"]);
    expect(run.task("a").attempt).toBe(1);
  });

  test("waits while its worker runs the attempt, also across a takeover", () => {
    const run = make();
    run.handleCommand(STAGE);
    run.reply("a", RUNNING);
    expect(run.timers("requery")).toEqual([run.now + 5_000]);
    expect(questions(run.give({ kind: "recover", fence: 7 }))).toHaveLength(1);
    run.reply("a", RUNNING);
    expect(run.send()).toEqual([]);
    // The worker's report.
    run.answer("a", answered("at last"));
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", attempt: 0 });
  });

  test("is still queried if it was cancelled or passed its maxAge before a reply", () => {
    for (const end of ["cancel", "cancelTask", "age"] as const) {
      const run = make();
      run.handleCommand({ kind: "updateTask", task: "a", options: { maxAge: 1_000 } });
      run.handleCommand(STAGE);
      run.now += 1_000;
      if (end === "age") run.give({ kind: "age", task: 0 });
      else run.handleCommand(end === "cancel" ? { kind: "cancel" } : { kind: "cancelTask", task: "a" });
      expect(questions(run.command(STAGE))).toHaveLength(1);
      run.reply("a", SILENT);
      expect(run.send()).toEqual([]);
    }
  });
});

describe("a task in doubt in a later stage", () => {
  /** The task of the second stage is in doubt; the first stage runs again before it. */
  function behind(): CoreRun {
    const run = new CoreRun([["a"], { b: ONCE }]).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.handleCommand({ kind: "cancel" });
    run.handleCommand({ kind: "retry", selection: [{ tasks: ["a"] }, { stage: "s1" }] });
    return run;
  }

  test("is queried when its stage is reached", () => {
    const run = behind();
    expect(questions(run)).toEqual([]);
    run.send();
    expect(questions(run.answer("a", answered(2)))).toHaveLength(1);
  });

  test("that is not reached is queried in the next run, and without an outcome runs only if it is selected by name", () => {
    for (const [command, sent] of [
      [RETRY, []],
      [{ kind: "retry", selection: [{ tasks: ["a", "b"] }] }, ["b"]],
    ] as const) {
      const run = behind();
      run.send();
      run.answer("a", failed({ permanent: true }));
      expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING" } });
      run.handleCommand(command);
      run.send();
      expect(questions(run.answer("a", answered(2)))).toHaveLength(1);
      run.reply("b", SILENT);
      expect(run.send()).toEqual(sent);
    }
  });

  test("that is not reached is queried after a second cancel, which keeps a late success", () => {
    for (const isLate of [false, true]) {
      const run = behind();
      if (isLate) {
        run.handleCommand({ kind: "cancel" });
        run.answer("b", answered("late"));
        run.handleCommand({ kind: "retry", selection: [{ tasks: ["a"] }, { stage: "s1" }] });
      }
      run.handleCommand({ kind: "cancel" });
      run.handleCommand(RETRY);
      run.send();
      const { effects } = run.answer("a", answered(2));
      expect(questions({ effects })).toHaveLength(isLate ? 0 : 1);
      expect(run.task("b")).toMatchObject(isLate ? { status: "SUCCESS", response: '"late"' } : { status: "WAITING" });
      expect(run.send()).toEqual([]);
    }
  });

  test("that is answered after the taskflow's end keeps the answer for the next run", () => {
    const run = behind();
    run.send();
    run.answer("a", failed({ permanent: true }));
    expect(run.answer("b", answered("late")).facts).toMatchObject([{ kind: "late-response" }]);
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING" } });
    run.handleCommand(RETRY);
    run.send();
    run.answer("a", answered(1));
    expect(run.task("b")).toMatchObject({ status: "SUCCESS", response: '"late"' });
    expect(run.flow.status).toBe("COMPLETED");
  });
});

describe("there is no doubt", () => {
  test("about a task whose cancelled attempt has failed", () => {
    const run = cut();
    run.answer("a", failed());
    expect(run.task("a").attempts).toMatchObject([{ status: "FAILED" }]);
    expect(questions(run.command(STAGE))).toEqual([]);
    expect(run.send()).toEqual(["a"]);
  });

  test("about a task that succeeded, is retried, and is cancelled before its stage is reached", () => {
    const run = new CoreRun([["a"], { b: {} }]).begin();
    for (const name of ["a", "b"]) {
      run.send();
      run.answer(name, answered(1));
    }
    run.handleCommand(RETRY);
    run.handleCommand({ kind: "cancel" });
    run.handleCommand(RETRY);
    run.send();
    run.answer("a", answered(2));
    expect(run.send()).toEqual(["b"]);
    expect(run.task("b").attempt).toBe(1);
  });

  test("about a timeout in the default mode", () => {
    const run = unknown({});
    expect(questions(run.command(RETRY))).toEqual([]);
    expect(run.send()).toEqual(["a"]);
  });
});

test("in the default mode a task that was cancelled while it ran is queried, and runs if its outcome is unknown", () => {
  const run = cut({});
  expect(questions(run.command(STAGE))).toHaveLength(1);
  expect(run.send()).toEqual([]);
  run.reply("a", SILENT);
  expect(run.send()).toEqual(["a"]);
});

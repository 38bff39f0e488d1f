import { describe, expect, test } from "@jest/globals";
import type { Input } from "../../lib/core/execution/inputs.ts";
import type { Options } from "../../schemas/options.ts";
import {
  answered,
  CoreRun,
  done,
  error,
  failed,
  INTERRUPTED,
  NEVER,
  questions,
  RUNNING,
  SILENT,
  START,
  routerTo,
} from "../helpers/core-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };
const MODES: readonly (readonly [string, Options])[] = [
  ["in the default mode", {}],
  ["under exactlyOnce", ONCE],
];
const LOST = { kind: "unknown", error: error("WORKER_LOST") } as const;

/** A taskflow of one task whose running attempt is being queried. */
function asked(options: Options = {}): CoreRun {
  const run = new CoreRun([{ a: options }]).begin();
  run.send();
  run.now += 100;
  run.give({ kind: "recover", fence: 2 });
  return run;
}

describe("the outcome of an attempt is queried", () => {
  test.each([
    ["in the default mode", {}, 2_000],
    ["under exactlyOnce, where it must not be repeated, for longer", ONCE, 60_000],
  ])("by a new owner, once, at the node of the attempt: %s", (_, options, patienceMs) => {
    const run = new CoreRun([{ a: options }]).begin();
    run.send(1, "w7");
    run.now += 100;
    const { facts, effects } = run.give({ kind: "recover", fence: 2 });
    expect(facts).toEqual([{ kind: "owned", fence: 2 }]);
    expect(effects).toEqual([
      { kind: "query-outcome", task: 0, attempt: 0, delivery: 1, node: "w7", startedAt: START, patienceMs },
    ]);
    expect(run.send()).toEqual([]);
  });

  test.each(MODES)("after the coordinator's own link was down, for the named running tasks: %s", (_, options) => {
    const run = new CoreRun([{ a: options, b: options, c: options, d: options }]).begin();
    run.send(3);
    run.answer("b", answered(1));
    const decision = run.give({ kind: "link-lost", tasks: [0, 1, 3, 99] });
    expect(decision.facts).toEqual([]);
    expect(questions(decision).map(({ task }) => task)).toEqual([0]);
  });

  test("not if it is about to be redelivered anyway", () => {
    const run = asked();
    run.reply("a", NEVER);
    expect(run.give({ kind: "link-lost", tasks: [0] }).effects).toEqual([]);
    expect(run.give({ kind: "requery", task: 0, attempt: 0 }).effects).toEqual([]);
  });

  test.each([
    ["a timeout", (run: CoreRun) => run.timeOut("a"), "TASK_TIMEOUT"],
    ["an unknown outcome", (run: CoreRun) => run.answer("a", LOST), "WORKER_LOST"],
  ])("under exactlyOnce after %s, with the cause", (_, lose, type) => {
    const run = new CoreRun([{ a: { ...ONCE, maxRetries: 5 } }]).begin();
    run.send();
    const decision = lose(run);
    expect(decision.facts).toEqual([]);
    expect(questions(decision)).toMatchObject([{ task: 0, attempt: 0, delivery: 1, cause: { type } }]);
    expect(run.task("a")).toMatchObject({ status: "RUNNING", error: null });
  });

  test("of the latest delivery, at its node", () => {
    const run = asked();
    run.reply("a", NEVER);
    run.send(1, "w2");
    const decision = run.give({ kind: "link-lost", tasks: [0] });
    expect(questions(decision)).toMatchObject([{ delivery: 2, node: "w2", startedAt: START }]);
  });
});

describe("the reply", () => {
  test.each(MODES)("done counts like an answer of any kind: %s", (_, options) => {
    const run = asked({ ...options, maxRetries: 1 });
    run.reply("a", done(failed()));
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "BROKEN" }, retryAt: run.now + 1_000 });
    run.endDelay("a");
    run.send();
    run.give({ kind: "link-lost", tasks: [0] });
    run.reply("a", done(answered({ yes: 1 })));
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", attempt: 1, response: '{"yes":1}' });
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("done with success: false is a reported failure", () => {
    const run = asked();
    run.reply("a", done(answered({ success: false })));
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_REPORTED_FAILURE" } });
  });

  test.each(MODES)(
    "never has it delivered again as the same attempt, with the next number, uncounted in retries: %s",
    (_, options) => {
      const run = asked({ ...options, maxRetries: 0 });
      const { seq } = run.flow;
      expect(run.reply("a", NEVER)).toMatchObject({ facts: [], effects: [] });
      const { facts, effects } = run.decide([], routerTo("w2"));
      expect(facts).toEqual([{ kind: "redelivered", task: 0, node: "w2" }]);
      expect(effects).toEqual([{ kind: "call", task: 0, attempt: 0, delivery: 2, node: "w2" }]);
      expect(run.flow.seq).toBe(seq);
      expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2, nodeID: "w2", startedAt: START }]);
      expect(run.task("a").runAttempts).toBe(1);
    },
  );

  test.each([
    ["silent", SILENT],
    ["interrupted", INTERRUPTED],
  ])("%s leads to a redelivery in the default mode", (_, reply) => {
    const run = asked();
    run.reply("a", reply);
    expect(run.send()).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2 }]);
  });

  test.each([
    ["silent", SILENT],
    ["interrupted", INTERRUPTED],
  ])("%s ends the task under exactlyOnce, however many retries are left", (_, reply) => {
    const run = asked({ ...ONCE, maxRetries: -1 });
    run.reply("a", reply);
    const unknown = { type: "TASK_OUTCOME_UNKNOWN", nodeID: "w1" };
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: unknown, attempts: [{ status: "FAILED", error: unknown }] });
    expect(run.task("a").error).not.toHaveProperty("data");
    expect(run.send()).toEqual([]);
  });

  test.each([
    ["the timeout", (run: CoreRun) => run.timeOut("a"), "TASK_TIMEOUT"],
    ["the lost worker", (run: CoreRun) => run.answer("a", LOST), "WORKER_LOST"],
  ])("silent under exactlyOnce reports the cause: %s", (_, lose, type) => {
    const run = new CoreRun([{ a: { ...ONCE, maxRetries: 5 } }]).begin();
    run.send();
    lose(run);
    run.reply("a", SILENT);
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN", data: { cause: { type } } } });
  });

  test("that ends the last task of a stage starts the next one", () => {
    const options = { ...ONCE, continueOnTaskFailure: true };
    const run = new CoreRun([{ a: options, b: options }, { c: {} }]).begin();
    run.send();
    run.takeOver(2, SILENT);
    expect(run.status()).toMatchObject({ flow: "RUNNING", stages: ["FAILED", "RUNNING"] });
    expect(run.send()).toEqual(["c"]);
  });

  test("that ends a task which blocks ends the taskflow", () => {
    const run = asked({ ...ONCE, maxRetries: 9 });
    run.reply("a", INTERRUPTED);
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
  });
});

describe("a worker that runs the attempt", () => {
  test("is awaited under exactlyOnce and queried repeatedly, and the cause is kept", () => {
    const run = new CoreRun([{ a: { ...ONCE, timeout: 500 } }]).begin();
    run.send();
    run.now += 500;
    run.timeOut("a");
    for (let n = 0; n < 50; n++) {
      const { facts, effects } = run.reply("a", RUNNING);
      expect(facts).toEqual([]);
      const cause = expect.objectContaining({ type: "TASK_TIMEOUT" });
      const input = { kind: "requery", task: 0, attempt: 0, cause };
      expect(effects).toEqual([{ kind: "timer", at: run.now + 5_000, input }]);
      run.now += 5_000;
      const [timer] = effects as unknown as [{ input: Input }];
      expect(questions(run.give(timer.input))).toMatchObject([{ delivery: 1, cause }]);
    }
    run.reply("a", INTERRUPTED);
    expect(run.task("a").error).toMatchObject({ type: "TASK_OUTCOME_UNKNOWN", data: { cause: { type: "TASK_TIMEOUT" } } });
  });

  test("is awaited in the default mode until its timeout has passed since the latest heartbeat", () => {
    const run = asked({ timeout: 1_000 });
    run.now += 5_000;
    run.reply("a", { kind: "running", quietMs: 200 });
    const until = run.now + 800;
    const deadline = { kind: "deadline", task: 0, attempt: 0 } as const;
    run.give({ kind: "heartbeat", task: 0, attempt: 0 });
    run.now = until;
    expect(run.give(deadline).effects).toEqual([{ kind: "timer", at: until + 200, input: deadline }]);
    expect(run.task("a").status).toBe("RUNNING");
    run.now = until + 200;
    run.give(deadline);
    expect(run.task("a").error).toMatchObject({ type: "TASK_TIMEOUT" });
  });

  test("settles the task with its report, and is not queried after that", () => {
    const run = asked(ONCE);
    run.reply("a", RUNNING);
    run.answer("a", answered("done"));
    expect(run.flow.status).toBe("COMPLETED");
    expect(run.give({ kind: "requery", task: 0, attempt: 0 }).effects).toEqual([]);
  });

  test.each([
    ["of the task", { ...ONCE, maxAge: 1_000 }, {}],
    ["of the taskflow", ONCE, { options: { maxAge: 1_000 } }],
  ])("is awaited under exactlyOnce until the maxAge %s is over", (_, options, rest) => {
    const run = new CoreRun([{ a: options }], rest).begin();
    run.send();
    run.give({ kind: "recover", fence: 2 });
    run.now = START + 999;
    run.reply("a", RUNNING);
    expect(run.task("a").status).toBe("RUNNING");
    run.now = START + 1_000;
    run.give({ kind: "requery", task: 0, attempt: 0 });
    run.reply("a", RUNNING);
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
  });

  test("has only the attempt's timeout in the default mode, from its first delivery", () => {
    const run = asked({ timeout: 500, maxRetries: 1 });
    const { effects } = run.reply("a", RUNNING);
    const deadline = { kind: "deadline", task: 0, attempt: 0 } as const;
    expect(effects).toContainEqual({ kind: "timer", at: START + 500, input: deadline });
    run.now = START + 500;
    run.give(deadline);
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "TASK_TIMEOUT" } });
    expect(run.give({ kind: "requery", task: 0, attempt: 0 }).effects).toEqual([]);
  });

  test("has no timeout under exactlyOnce", () => {
    const run = asked({ ...ONCE, timeout: 500 });
    run.reply("a", RUNNING);
    expect(run.timers("timeout")).toEqual([]);
  });
});

import { describe, expect, test } from "@jest/globals";
import { replay } from "../../lib/core/journal/journal.ts";
import { answered, CoreRun, error, failed, questions, SILENT, START } from "../helpers/core-run.ts";

describe("what can be sent", () => {
  test("no more tasks than the limit, in definition order, and the rest after them", () => {
    const run = new CoreRun([["a", "b", "c", "d"]]).begin();
    expect(run.send(0)).toEqual([]);
    expect(run.send(3)).toEqual(["a", "b", "c"]);
    expect(run.send(3)).toEqual(["d"]);
  });

  test("no more of a stage at once than its maxConcurrency, counted over everything that runs", () => {
    const run = new CoreRun([["a", "b", "c", "d"]], { options: { maxConcurrency: 2 } }).begin();
    expect(run.send()).toEqual(["a", "b"]);
    expect(run.send()).toEqual([]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["c"]);
    run.answer("a", failed());
    run.answer("c", answered(1));
    expect(run.send()).toEqual(["d"]);
  });

  test("a task between two attempts holds no place of maxConcurrency", () => {
    const run = new CoreRun([["a", "b"]], { options: { maxConcurrency: 1, maxRetries: 1 } }).begin();
    expect(run.send()).toEqual(["a"]);
    run.answer("a", failed());
    expect(run.send()).toEqual(["b"]);
    run.endDelay("a");
    expect(run.send()).toEqual([]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["a"]);
  });

  test("a repeated delivery is no further attempt for maxConcurrency", () => {
    const run = new CoreRun([["a", "b", "c"]], { options: { maxConcurrency: 2 } }).begin();
    run.send();
    run.takeOver(2);
    expect(run.send()).toEqual(["a", "b"]);
    expect(run.send()).toEqual([]);
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["c"]);
  });

  test("what is to be delivered again is sent before what has not begun, within the limit", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    run.takeOver(2);
    expect(run.send(1)).toEqual(["a"]);
    expect(run.send(2)).toEqual(["b", "c"]);
  });

  test("what is to be delivered again and has no node lets what has not begun pass", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send(1);
    run.takeOver(2);
    expect(run.send(10, (task) => (task.definition.name === "a" ? undefined : "w2"))).toEqual(["b"]);
    expect(run.send(10, "w3")).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2, nodeID: "w3" }]);
  });

  test("a stage that is full is looked at no further than that, however many of its tasks are due", () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    const run = new CoreRun([names], { options: { maxConcurrency: 2 } }).begin();
    let asked = 0;
    const route = (): string => {
      asked++;
      return "w1";
    };
    expect(run.send(1_000, route).length).toBe(2);
    expect(run.send(1_000, route)).toEqual([]);
    expect(asked).toBe(2);
  });

  test("a task that no node serves waits, lets others pass, and uses up no attempt", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    expect(run.send(10, (task) => (task.definition.name === "a" ? undefined : "w2"))).toEqual(["b"]);
    expect(run.task("a")).toMatchObject({ status: "WAITING", attempts: [] });
    expect(run.send(10, "w3")).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, nodeID: "w3" }]);
  });
});

describe("a delivery that never left", () => {
  test("is taken back: the task is due as before, and its number is used again", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    expect(run.answer("a", { kind: "not-sent" }).facts).toEqual([{ kind: "withdrawn", task: 0, attempt: 0 }]);
    expect(run.task("a")).toMatchObject({ status: "WAITING", attempt: 0, runAttempts: 0, attempts: [] });
    expect(run.send(1, "w2")).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 1, nodeID: "w2" }]);
  });

  test("counts against no maxRetries, as often as it happens", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    const turnAway = (): void => {
      for (let n = 0; n < 20; n++) {
        run.send();
        run.answer("a", { kind: "not-sent" });
      }
    };
    turnAway();
    run.send();
    run.answer("a", failed());
    run.endDelay("a");
    turnAway();
    expect(run.task("a")).toMatchObject({ status: "WAITING", attempt: 0, error: { type: "BROKEN" } });
    run.send();
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 1, runAttempts: 2 });
    run.answer("a", failed());
    expect(run.task("a").status).toBe("FAILED");
  });

  test("leaves a repeated delivery as it was before: the attempt is out and due again", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.send();
    expect(run.task("a").attempts).toMatchObject([{ deliveries: 2 }]);
    expect(run.answer("a", { kind: "not-sent" }).facts).toEqual([{ kind: "undelivered", task: 0 }]);
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ attempt: 0, deliveries: 1 }] });
    expect(run.send()).toEqual(["a"]);
    run.answer("a", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("is told of an earlier delivery than the one that is out: nothing follows, for that one is waited for", () => {
    for (const outcome of [{ kind: "not-sent" }, { kind: "unknown", error: error("WORKER_LOST") }] as const) {
      const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
      run.send();
      run.takeOver(2);
      // About to be delivered again.
      expect(run.give({ kind: "answer", task: 0, attempt: 0, delivery: 1, outcome })).toMatchObject({ facts: [], effects: [] });
      expect(run.send()).toEqual(["a"]);
      expect(run.give({ kind: "answer", task: 0, attempt: 0, delivery: 1, outcome })).toMatchObject({ facts: [], effects: [] });
      expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ deliveries: 2 }] });
      run.give({ kind: "answer", task: 0, attempt: 0, delivery: 1, outcome: answered("first") });
      expect(run.task("a").response).toBe('"first"');
    }
  });

  test("still takes an answer of an earlier delivery while the repeated one is due", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.answer("a", answered("first"));
    expect(run.flow.status).toBe("COMPLETED");
    expect(run.send()).toEqual([]);
  });
});

describe("going on with what the store tells of", () => {
  test("one that was stored and not begun begins", () => {
    const run = new CoreRun([["a"]]);
    run.give({ kind: "recover", fence: 1 });
    expect(run.flow.status).toBe("RUNNING");
    expect(run.send()).toEqual(["a"]);
  });

  test("its new owner is a fact only if it is a new one", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(run.give({ kind: "recover", fence: 1 }).facts).toEqual([]);
    expect(run.give({ kind: "recover", fence: 3 }).facts).toEqual([{ kind: "owned", fence: 3 }]);
  });

  test("what it listens to itself, and what waits, is asked about by nobody", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    const decision = run.give({ kind: "recover", fence: 1, inFlight: new Set([0]) });
    expect(questions(decision).map(({ task }) => task)).toEqual([1]);
  });

  test("what is to be delivered again by what the journal tells is delivered again, and asked about by nobody", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.send();
    run.answer("a", { kind: "not-sent" });
    run.flow = replay(run.entries);
    expect(questions(run.give({ kind: "recover", fence: 3 }))).toEqual([]);
    expect(run.send()).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2 }]);
  });

  test("a retry delay gets its timer back with the time that was stored, and age budgets theirs", () => {
    const run = new CoreRun([{ a: { maxRetries: 1, retryDelay: 8_000 }, b: { maxAge: 4_000 } }], {
      options: { maxAge: 100_000 },
    }).begin();
    run.send(1);
    run.answer("a", failed());
    run.now += 1_000;
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(effects).toEqual([
      { kind: "timer", at: START + 100_000, input: { kind: "age" } },
      { kind: "timer", at: START + 8_000, input: { kind: "retry-due", task: 0, attempt: 0 } },
      { kind: "timer", at: START + 4_000, input: { kind: "age", task: 1 } },
    ]);
    expect(run.send()).toEqual(["b"]);
  });

  test("the age of what runs is watched: it may wait again", () => {
    const run = new CoreRun([{ a: { maxAge: 4_000, maxRetries: 1, retryDelay: 60_000 } }]).begin();
    run.send();
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(effects).toContainEqual({ kind: "timer", at: START + 4_000, input: { kind: "age", task: 0 } });
  });

  test("what is finished has no new owner", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.answer("a", answered(1));
    expect(run.give({ kind: "recover", fence: 2 }).facts).toEqual([]);
  });

  test("past the taskflow's age it ends what waits as soon as it is looked at", () => {
    const run = new CoreRun([["a", "b"]], { options: { maxAge: 1_000 } }).begin();
    run.send(1);
    run.now += 5_000;
    const { effects } = run.give({ kind: "recover", fence: 2 });
    for (const effect of effects) if (effect.kind === "timer" && effect.at <= run.now) run.give(effect.input);
    expect(run.status()).toMatchObject({ flow: "RUNNING", tasks: { a: "RUNNING", b: "FAILED" } });
    run.reply("a", SILENT);
    expect(run.send()).toEqual(["a"]);
    run.answer("a", answered(1));
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
  });

  test("one that a handler ended goes on ending", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    run.takeOver(2);
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "SUCCESS", c: "WAITING" } });
  });
});

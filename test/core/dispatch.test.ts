import { describe, expect, test } from "@jest/globals";
import { replay } from "../../lib/core/journal/journal.ts";
import { answered, CoreRun, error, failed, questions, RUNNING, SILENT, START } from "../helpers/core-run.ts";

describe("sending", () => {
  test("sends up to the limit, in definition order, and the others after that", () => {
    const run = new CoreRun([["a", "b", "c", "d"]]).begin();
    expect(run.send(0)).toEqual([]);
    expect(run.send(3)).toEqual(["a", "b", "c"]);
    expect(run.send(3)).toEqual(["d"]);
  });

  test("sends no more of a stage than its maxConcurrency, counting all running attempts", () => {
    const run = new CoreRun([["a", "b", "c", "d"]], { options: { maxConcurrency: 2 } }).begin();
    expect(run.send()).toEqual(["a", "b"]);
    expect(run.send()).toEqual([]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["c"]);
    run.answer("a", failed());
    run.answer("c", answered(1));
    expect(run.send()).toEqual(["d"]);
  });

  test("a task between two attempts does not count for maxConcurrency", () => {
    const run = new CoreRun([["a", "b"]], { options: { maxConcurrency: 1, maxRetries: 1 } }).begin();
    expect(run.send()).toEqual(["a"]);
    run.answer("a", failed());
    expect(run.send()).toEqual(["b"]);
    run.endDelay("a");
    expect(run.send()).toEqual([]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["a"]);
  });

  test("a redelivery does not count again for maxConcurrency", () => {
    const run = new CoreRun([["a", "b", "c"]], { options: { maxConcurrency: 2 } }).begin();
    run.send();
    run.takeOver(2);
    expect(run.send()).toEqual(["a", "b"]);
    expect(run.send()).toEqual([]);
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["c"]);
  });

  test("redeliveries go before new attempts, within the limit", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    run.takeOver(2);
    expect(run.send(1)).toEqual(["a"]);
    expect(run.send(2)).toEqual(["b", "c"]);
  });

  test("a redelivery without a node lets new attempts pass", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send(1);
    run.takeOver(2);
    expect(run.send(10, (task) => (task.definition.name === "a" ? undefined : "w2"))).toEqual(["b"]);
    expect(run.send(10, "w3")).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2, nodeID: "w3" }]);
  });

  test("a full stage is not searched further, however many of its tasks are due", () => {
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

describe("a delivery that was never sent", () => {
  test("is sent again after a pause that grows from 250 ms to 30 s, without a fact for each try", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    const { length } = run.facts;
    const pauses = Array.from({ length: 200 }, () => {
      const before = run.now;
      expect(run.answer("a", { kind: "not-sent" })).toMatchObject({ facts: [] });
      expect(run.send()).toEqual([]);
      run.endPause("a");
      expect(run.send()).toEqual(["a"]);
      return run.now - before;
    });
    expect(run.facts).toHaveLength(length);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(250);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
    expect(new Set(pauses).size).toBeGreaterThan(100);
    expect(pauses[20]).toBeGreaterThan(10 * (pauses[0] ?? 0));
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 0, attempts: [{ deliveries: 1 }] });
  });

  test("moves to a node that has room, with a fact now and then, and no event", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    const { length } = run.facts;
    const { seq } = run.flow;
    for (let n = 0; n < 100; n++) {
      run.turnAway("a");
      run.send(1, n % 2 === 0 ? "w2" : "w1");
    }
    expect(run.facts.length - length).toBeLessThanOrEqual(2 * 100);
    expect(run.flow.seq).toBe(seq);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 1 }]);
  });

  test("is as old as the request that was accepted, so that its timeout counts from there after a restart", () => {
    const run = new CoreRun([{ a: { timeout: 5_000 } }]).begin();
    run.send();
    for (let n = 0; n < 8; n++) {
      run.turnAway("a");
      run.send();
    }
    const sentAt = run.now;
    const [timer] = run.effects.filter((effect) => effect.kind === "timer" && effect.input.kind === "accepted").slice(-1);
    run.now += 1_000;
    if (timer?.kind === "timer") run.give(timer.input);
    expect(run.facts.at(-1)).toEqual({ kind: "accepted", task: 0, sentAt });
    run.flow = replay(run.entries);
    run.give({ kind: "recover", fence: 2 });
    run.reply("a", RUNNING);
    expect(run.timers("deadline").at(-1)).toBe(sentAt + 5_000);
  });

  test("goes back if no attempt may start any more: past its maxAge, or when the taskflow was ended", () => {
    const old = new CoreRun([{ a: { maxAge: 1_000 }, b: {} }]).begin();
    old.send();
    old.answer("a", { kind: "not-sent" });
    old.now += 1_000;
    old.give({ kind: "age", task: 0 });
    expect(old.task("a")).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" }, attempts: [] });
    const ended = new CoreRun([["a", "b"]]).begin();
    ended.send();
    ended.answer("a", { kind: "not-sent" });
    ended.answer("b", failed({ abort: "workflow" }));
    expect(ended.task("a")).toMatchObject({ status: "WAITING", attempts: [] });
    expect(ended.flow.status).toBe("FAILED");
  });

  test("goes back when its coordinator shuts down, so that no outcome is in doubt", () => {
    const run = new CoreRun([{ a: { exactlyOnceTaskExecution: true } }]).begin();
    run.send();
    run.answer("a", { kind: "not-sent" });
    expect(run.give({ kind: "drain" }).facts).toEqual([{ kind: "withdrawn", task: 0, attempt: 0 }]);
    run.flow = replay(run.entries);
    expect(questions(run.give({ kind: "recover", fence: 2 }))).toEqual([]);
    expect(run.send()).toEqual(["a"]);
  });

  test("is not sent while the taskflow is paused", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.answer("a", { kind: "not-sent" });
    run.handleCommand({ kind: "pause" });
    run.endPause("a");
    expect(run.send()).toEqual([]);
    run.handleCommand({ kind: "resume" });
    expect(run.send()).toEqual(["a"]);
  });

  test("is withdrawn where no node serves it now: the task is due as before, and its number is used again", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.turnAway("a");
    run.send(1, () => undefined);
    expect(run.facts.at(-1)).toEqual({ kind: "withdrawn", task: 0, attempt: 0 });
    expect(run.task("a")).toMatchObject({ status: "WAITING", attempt: 0, runAttempts: 0, attempts: [] });
    expect(run.send(1, "w2")).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 1, nodeID: "w2" }]);
  });

  test("does not count for maxRetries, however often it happens", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    const turnAway = (): void => {
      for (let n = 0; n < 20; n++) {
        run.send();
        run.turnAway("a");
      }
    };
    turnAway();
    run.send();
    run.answer("a", failed());
    run.endDelay("a");
    turnAway();
    run.send();
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 1, runAttempts: 2 });
    run.answer("a", failed());
    expect(run.task("a").status).toBe("FAILED");
  });

  test("if it is a redelivery, leaves the attempt running and awaiting redelivery", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.send();
    expect(run.task("a").attempts).toMatchObject([{ deliveries: 2 }]);
    run.turnAway("a");
    run.send(1, () => undefined);
    expect(run.facts.at(-1)).toEqual({ kind: "undelivered", task: 0 });
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ attempt: 0, deliveries: 1 }] });
    expect(run.send()).toEqual(["a"]);
    run.answer("a", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("if it is an earlier one, changes nothing: the later delivery counts", () => {
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

  test("still accepts an answer of an earlier delivery while the redelivery is due", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.answer("a", answered("first"));
    expect(run.flow.status).toBe("COMPLETED");
    expect(run.send()).toEqual([]);
  });
});

describe("recovering a taskflow from the store", () => {
  test("a taskflow that was stored but not started begins", () => {
    const run = new CoreRun([["a"]]);
    run.give({ kind: "recover", fence: 1 });
    expect(run.flow.status).toBe("RUNNING");
    expect(run.send()).toEqual(["a"]);
  });

  test("a fact records the owner only if it is new", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(run.give({ kind: "recover", fence: 1 }).facts).toEqual([]);
    expect(run.give({ kind: "recover", fence: 3 }).facts).toEqual([{ kind: "owned", fence: 3 }]);
  });

  test("attempts in flight here and waiting tasks are not queried", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    const decision = run.give({ kind: "recover", fence: 1, inFlight: new Set([0]) });
    expect(questions(decision).map(({ task }) => task)).toEqual([1]);
  });

  test("a redelivery recorded in the journal is delivered without a query", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.takeOver(2);
    run.send();
    run.turnAway("a");
    run.send(1, () => undefined);
    run.flow = replay(run.entries);
    expect(questions(run.give({ kind: "recover", fence: 3 }))).toEqual([]);
    expect(run.send()).toEqual(["a"]);
    expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: 2 }]);
  });

  test("timers of retry delays and maxAge are restored with their stored times", () => {
    const run = new CoreRun([{ a: { maxRetries: 1, retryDelay: 8_000 }, b: { maxAge: 4_000 } }], {
      options: { maxAge: 100_000 },
    }).begin();
    run.send(1);
    run.answer("a", failed());
    run.now += 1_000;
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(effects).toEqual([
      { kind: "timer", at: START + 100_000, input: { kind: "age" } },
      { kind: "timer", at: START + 8_000, input: { kind: "retry-due", task: 0, attempt: 0, retryAt: START + 8_000 } },
      { kind: "timer", at: START + 4_000, input: { kind: "age", task: 1 } },
    ]);
    expect(run.send()).toEqual(["b"]);
  });

  test("a running task gets a timer for its maxAge: it may wait again", () => {
    const run = new CoreRun([{ a: { maxAge: 4_000, maxRetries: 1, retryDelay: 60_000 } }]).begin();
    run.send();
    const { effects } = run.give({ kind: "recover", fence: 2 });
    expect(effects).toContainEqual({ kind: "timer", at: START + 4_000, input: { kind: "age", task: 0 } });
  });

  test("a finished taskflow gets no new owner", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    run.answer("a", answered(1));
    expect(run.give({ kind: "recover", fence: 2 }).facts).toEqual([]);
  });

  test("after the taskflow's maxAge, waiting tasks end at once", () => {
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

  test("one that a handler ended continues to end", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send(2);
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    run.takeOver(2);
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "SUCCESS", c: "WAITING" } });
  });
});

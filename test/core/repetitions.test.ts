import { describe, expect, test } from "@jest/globals";
import { MAX_DELIVERIES } from "../../lib/core/execution/outcome-query.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, CoreRun, done, failed, INTERRUPTED, NEVER, RUNNING, SILENT } from "../helpers/core-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };
const MODES: readonly (readonly [string, Options])[] = [
  ["in the default mode", {}],
  ["under exactlyOnce", ONCE],
];

/** A taskflow of one task whose running attempt is being queried. */
function asked(options: Options = {}): CoreRun {
  const run = new CoreRun([{ a: options }]).begin();
  run.send();
  run.now += 100;
  run.give({ kind: "recover", fence: 2 });
  return run;
}

describe("a reply counts only", () => {
  test.each(MODES)("about the latest delivery: %s", (_, options) => {
    const run = asked({ ...options, maxRetries: 1 });
    const first = run.lastQuestion("a");
    run.reply("a", NEVER);
    run.send(1, "w2");
    for (const reply of [NEVER, SILENT, INTERRUPTED, RUNNING]) {
      expect(run.reply("a", reply, first)).toMatchObject({ facts: [], effects: [] });
    }
    expect(run.send()).toEqual([]);
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ deliveries: 2 }] });
  });

  test.each(MODES)("about the latest attempt: %s", (_, options) => {
    const run = asked({ ...options, maxRetries: 1 });
    const first = run.lastQuestion("a");
    run.answer("a", failed());
    expect(run.reply("a", NEVER, first).facts).toEqual([]);
    run.endDelay("a");
    expect(run.reply("a", SILENT, first).facts).toEqual([]);
    run.send();
    for (const reply of [NEVER, SILENT, INTERRUPTED, RUNNING, done(answered("old"))]) {
      expect(run.reply("a", reply, first)).toMatchObject({ facts: [], effects: [] });
    }
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 1 });
    expect(run.send()).toEqual([]);
  });

  test.each(MODES)(
    "about that request, because one that was turned away is sent again under the same number: %s",
    (_, options) => {
      const run = new CoreRun([{ a: options }]).begin();
      run.send(1, "w1");
      run.give({ kind: "link-lost", tasks: [0] });
      run.turnAway("a");
      run.send(1, "w2");
      for (const reply of [SILENT, INTERRUPTED, RUNNING, NEVER]) {
        expect(run.reply("a", reply)).toMatchObject({ facts: [], effects: [] });
      }
      expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ deliveries: 1, nodeID: "w2" }] });
    },
  );

  test("once: any other comes too late if a redelivery is due", () => {
    const run = asked();
    run.reply("a", NEVER);
    for (const reply of [NEVER, SILENT, INTERRUPTED, RUNNING]) {
      expect(run.reply("a", reply)).toMatchObject({ facts: [], effects: [] });
    }
    expect(run.send()).toEqual(["a"]);
    expect(run.send()).toEqual([]);
  });

  test("about the running request, not about one that was turned away", () => {
    const run = new CoreRun([{ a: { exactlyOnceTaskExecution: true } }]).begin();
    run.send();
    run.give({ kind: "timeout", task: 0, attempt: 0 });
    const question = run.lastQuestion("a");
    run.turnAway("a");
    run.send();
    expect(run.reply("a", SILENT, question)).toMatchObject({ facts: [], effects: [] });
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 0 });
  });

  test("about a task that exists and has not ended", () => {
    const run = asked();
    run.answer("a", answered(1));
    expect(run.reply("a", NEVER)).toMatchObject({ facts: [], effects: [] });
    const other = { kind: "outcome-reply", task: 77, attempt: 0, delivery: 1, node: "w1", startedAt: 0, reply: NEVER } as const;
    expect(run.give(other)).toMatchObject({ facts: [], effects: [] });
  });
});

describe(`an attempt is delivered ${MAX_DELIVERIES} times at most`, () => {
  test.each([
    ["never", NEVER],
    ["silent", SILENT],
    ["interrupted", INTERRUPTED],
  ])("then it fails, and a retry may follow in the default mode: %s", (_, reply) => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    for (let delivery = 2; delivery <= MAX_DELIVERIES; delivery++) {
      run.takeOver(delivery, reply);
      expect(run.send()).toEqual(["a"]);
      expect(run.task("a").attempts).toMatchObject([{ attempt: 0, deliveries: delivery }]);
    }
    run.takeOver(99, reply);
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "TASK_OUTCOME_UNKNOWN", nodeID: "w1" } });
    run.endDelay("a");
    run.send();
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempt: 1, attempts: [{}, { attempt: 1, deliveries: 1 }] });
  });

  test("then it fails for good under exactlyOnce", () => {
    const run = new CoreRun([{ a: { ...ONCE, maxRetries: 3 } }]).begin();
    run.send();
    for (let delivery = 2; delivery <= MAX_DELIVERIES; delivery++) {
      run.takeOver(delivery, NEVER);
      expect(run.send()).toEqual(["a"]);
    }
    run.takeOver(99, NEVER);
    expect(run.task("a")).toMatchObject({ status: "FAILED", attempt: 0, error: { type: "TASK_OUTCOME_UNKNOWN" } });
  });

  test("and a worker that runs or has finished the last delivery still counts", () => {
    const run = new CoreRun([{ a: {} }]).begin();
    run.send();
    for (let delivery = 2; delivery <= MAX_DELIVERIES; delivery++) {
      run.takeOver(delivery, NEVER);
      run.send();
    }
    run.takeOver(98, RUNNING);
    expect(run.task("a").status).toBe("RUNNING");
    run.takeOver(99, done(answered(1)));
    expect(run.task("a").status).toBe("SUCCESS");
  });

  test("not counting deliveries that were never sent", () => {
    const run = asked();
    run.give({ kind: "link-lost", tasks: [0] });
    run.reply("a", NEVER);
    expect(run.send()).toEqual(["a"]);
    for (let n = 0; n < 20; n++) {
      expect(run.turnAway("a").facts).toEqual([]);
      expect(run.send()).toEqual(["a"]);
    }
    expect(run.task("a")).toMatchObject({ status: "RUNNING", attempts: [{ deliveries: 2 }] });
  });
});

describe("an answer still counts", () => {
  test.each(MODES)("while its worker is queried: %s", (_, options) => {
    const run = asked(options);
    run.answer("a", answered("by itself"));
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response: '"by itself"' });
    expect(run.reply("a", SILENT).facts).toEqual([]);
  });

  test("while a redelivery is due, which it prevents", () => {
    const run = asked();
    run.reply("a", SILENT);
    run.answer("a", answered("late"));
    expect(run.flow.status).toBe("COMPLETED");
    expect(run.send()).toEqual([]);
  });

  test("in the default mode the timeout still applies while its worker is queried", () => {
    const run = asked({ timeout: 500, maxRetries: 1 });
    run.timeOut("a");
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "TASK_TIMEOUT" } });
    expect(run.reply("a", NEVER)).toMatchObject({ facts: [], effects: [] });
  });
});

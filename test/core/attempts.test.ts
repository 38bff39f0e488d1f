import { describe, expect, test } from "@jest/globals";
import { chanceOf, retryDelay } from "../../lib/core/execution/backoff.ts";
import { DEFAULT_OPTIONS, resolveOptions } from "../../lib/core/model/options.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, CoreRun, error, failed, questions, START } from "../helpers/core-run.ts";

/** The waits of a task that fails repeatedly. */
function delays(options: Options, count: number, outcome = failed()): number[] {
  const run = new CoreRun([{ a: { maxRetries: -1, ...options } }]).begin();
  return Array.from({ length: count }, () => {
    run.send();
    run.answer("a", outcome);
    const { retryAt } = run.task("a");
    const wait = retryAt === null ? -1 : retryAt - run.now;
    run.endDelay("a");
    return wait;
  });
}

describe("retries", () => {
  test.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])("maxRetries %d means at most %d attempts", (maxRetries, attempts) => {
    const run = new CoreRun([{ a: { maxRetries } }]).begin();
    let sent = 0;
    while (run.send().length > 0) {
      sent++;
      run.answer("a", failed());
      run.endDelay("a");
    }
    expect(sent).toBe(attempts);
    expect(run.task("a")).toMatchObject({ status: "FAILED", attempt: attempts - 1, error: { type: "BROKEN" } });
    expect(run.task("a").attempts.map(({ attempt, status }) => `${attempt} ${status}`)).toEqual(
      Array.from({ length: attempts }, (_, index) => `${index} FAILED`),
    );
  });

  test("a task that finally succeeds has no error, but its failed attempts keep theirs", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", failed());
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "BROKEN" }, retryAt: START + 1_000 });
    run.endDelay("a");
    run.send();
    run.answer("a", answered(0));
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", error: null, response: "0", retryAt: null });
    expect(run.task("a").attempts).toMatchObject([{ error: { type: "BROKEN" } }, { status: "SUCCESS" }]);
    expect(run.task("a").attempts[1]?.error).toBeUndefined();
  });

  test("without a limit the first 10 and the latest 90 attempts are kept, and those between are counted", () => {
    const run = new CoreRun([{ a: { maxRetries: -1, retryDelay: 0 } }]).begin();
    for (let attempt = 0; attempt < 250; attempt++) {
      run.send();
      run.answer("a", failed());
      run.endDelay("a");
    }
    const task = run.task("a");
    const kept = task.attempts.map(({ attempt }) => attempt);
    expect(kept.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(kept.slice(10)).toEqual(Array.from({ length: 90 }, (_, index) => 160 + index));
    expect(task.attemptsOmitted).toBe(150);
  });

  const table: [string, Options, number[]][] = [
    ["fixed", {}, [1000, 1000, 1000, 1000]],
    ["fixed, in text", { retryDelay: "2s", backoff: { type: "fixed" } }, [2000, 2000, 2000, 2000]],
    ["no delay", { retryDelay: 0, backoff: { type: "exponential" } }, [0, 0, 0, 0]],
    ["linear", { backoff: { type: "linear" } }, [1000, 2000, 3000, 4000]],
    ["linear, capped", { backoff: { type: "linear", maxDelay: 2500 } }, [1000, 2000, 2500, 2500]],
    ["exponential", { backoff: { type: "exponential" } }, [1000, 2000, 4000, 8000]],
    ["exponential of factor 1.5", { backoff: { type: "exponential", factor: 1.5 } }, [1000, 1500, 2250, 3375]],
    ["exponential, capped", { backoff: { type: "exponential", factor: 10, maxDelay: "1m" } }, [1000, 10_000, 60_000, 60_000]],
  ];
  test.each(table)("the wait follows the backoff: %s", (_, options, expected) => {
    expect(delays(options, 4)).toEqual(expected);
  });

  test("an exponential backoff stays finite after any number of attempts", () => {
    const options = resolveOptions(DEFAULT_OPTIONS, { backoff: { type: "exponential", factor: 10 } });
    for (const failures of [50, 400, 1_000_000]) {
      const delay = retryDelay(options, failures, 0);
      expect(Number.isSafeInteger(delay)).toBe(true);
      expect(Number.isSafeInteger(START + delay) || delay === Number.MAX_SAFE_INTEGER).toBe(true);
    }
  });

  test("the error's own retryAfter wins over the backoff and is capped by maxDelay", () => {
    expect(delays({ backoff: { type: "exponential" } }, 3, failed({ retryAfterMs: 7_000 }))).toEqual([7000, 7000, 7000]);
    expect(delays({ backoff: { type: "fixed", maxDelay: 5_000 } }, 2, failed({ retryAfterMs: 7_000 }))).toEqual([5000, 5000]);
    expect(delays({}, 2, failed({ retryAfterMs: 0 }))).toEqual([0, 0]);
    expect(delays({}, 1, failed({ retryAfterMs: -5 }))).toEqual([0]);
  });

  test("jitter shortens the wait by at most its share, always equally for the same attempt, differently for others", () => {
    const waits = delays({ backoff: { type: "fixed", jitter: 0.5 } }, 50);
    for (const wait of waits) expect(wait >= 500 && wait <= 1000).toBe(true);
    expect(new Set(waits).size).toBeGreaterThan(30);
    expect(delays({ backoff: { type: "fixed", jitter: 0.5 } }, 50)).toEqual(waits);
    const full = delays({ backoff: { type: "fixed", jitter: true } }, 50);
    expect(Math.min(...full)).toBeLessThan(300);
  });

  test("the numbers behind jitter are in [0, 1) and evenly distributed", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 10_000; n++) {
      const chance = chanceOf(`id-${n % 100}`, n, 0);
      const bucket = Math.floor(chance * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    expect(buckets.length).toBe(10);
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  test("a permanent error is not retried", () => {
    const run = new CoreRun([{ a: { maxRetries: -1 } }]).begin();
    run.send();
    run.answer("a", failed({ permanent: true }));
    expect(run.flow.status).toBe("FAILED");
  });

  test("a retry timer that fires early is set again, and one of an older attempt does nothing", () => {
    const run = new CoreRun([{ a: { maxRetries: -1 } }]).begin();
    run.send();
    run.answer("a", failed());
    const early = run.give({ kind: "retry-due", task: 0, attempt: 0 });
    expect(early.effects).toEqual([
      { kind: "timer", at: START + 1_000, input: { kind: "retry-due", task: 0, attempt: 0, retryAt: START + 1_000 } },
    ]);
    expect(run.send()).toEqual([]);
    run.endDelay("a");
    run.send();
    run.answer("a", failed());
    expect(run.give({ kind: "retry-due", task: 0, attempt: 0 }).effects).toEqual([]);
    expect(run.send()).toEqual([]);
  });
});

describe("answers with success: false", () => {
  test("are failures: the task is retried, and keeps the answer", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", answered({ success: false, why: "x" }));
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "TASK_REPORTED_FAILURE" } });
    run.endDelay("a");
    run.send();
    expect(run.task("a").response).toBeNull();
    run.answer("a", answered({ success: false, why: "y" }));
    expect(run.task("a")).toMatchObject({ status: "FAILED", response: '{"success":false,"why":"y"}' });
  });

  test("are successes with checkSuccess: false; other falsy answers always are", () => {
    const run = new CoreRun([{ a: { checkSuccess: false }, b: {}, c: {}, d: {} }]).begin();
    run.send();
    run.answer("a", answered({ success: false }));
    run.answer("b", answered({ success: null }));
    run.answer("c", answered(false));
    run.answer("d", answered(null));
    expect(run.status()).toMatchObject({ flow: "COMPLETED", tasks: { a: "SUCCESS", b: "SUCCESS", c: "SUCCESS", d: "SUCCESS" } });
  });
});

describe("timeouts and late answers", () => {
  test("an attempt fails with TASK_TIMEOUT after its timeout, names its node, and is retried", () => {
    const run = new CoreRun([{ a: { maxRetries: 1, timeout: 500 } }]).begin();
    run.send();
    run.timeOut("a");
    const timeout = { type: "TASK_TIMEOUT", nodeID: "w1", data: { timeout: 500 } };
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: timeout, attempts: [{ status: "FAILED", error: timeout }] });
    run.endDelay("a");
    expect(run.send()).toEqual(["a"]);
    run.timeOut("a");
    expect(run.flow).toMatchObject({ status: "FAILED", error: { type: "TASK_TIMEOUT" } });
  });

  test("by default an unknown outcome is a failed attempt like any other", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    const { effects } = run.answer("a", { kind: "unknown", error: error("WORKER_LOST") });
    expect(questions({ effects })).toEqual([]);
    expect(run.task("a")).toMatchObject({ status: "WAITING", error: { type: "WORKER_LOST" } });
  });

  test("a late success counts in the delay after its attempt's timeout, even if the next attempt is due", () => {
    for (const isDue of [false, true]) {
      const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
      run.send();
      run.timeOut("a");
      if (isDue) run.endDelay("a");
      run.answer("a", answered("late"));
      expect(run.task("a")).toMatchObject({
        status: "SUCCESS",
        response: '"late"',
        error: null,
        attempts: [{ status: "SUCCESS" }],
      });
      expect(run.flow.status).toBe("COMPLETED");
      expect(run.endDelay("a").facts).toEqual([]);
    }
  });

  test("a late failure or success: false in that delay changes nothing", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.timeOut("a");
    expect(run.answer("a", failed()).facts).toEqual([]);
    expect(run.answer("a", answered({ success: false })).facts).toEqual([]);
    expect(run.task("a").error?.type).toBe("TASK_TIMEOUT");
  });

  test("a success in the delay after a failure does not count: the attempt has already answered", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", failed());
    expect(run.answer("a", answered(1)).facts).toEqual([]);
  });

  test("an answer of an older attempt does not count once a later one has started, nor does one of a future attempt", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.timeOut("a");
    run.endDelay("a");
    run.send();
    expect(run.answer("a", answered("old"), 0).facts).toEqual([]);
    expect(run.answer("a", answered("future"), 2).facts).toEqual([]);
    run.answer("a", answered("new"), 1);
    expect(run.task("a").response).toBe('"new"');
  });

  test("it counts again if the later attempt is withdrawn", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.timeOut("a");
    run.endDelay("a");
    run.send();
    run.turnAway("a");
    run.send(1, () => undefined);
    run.answer("a", answered("late"), 0);
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", attempt: 0 });
  });

  test("the timeout of an attempt that has answered does nothing", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", failed());
    expect(run.give({ kind: "timeout", task: 0, attempt: 0 }).facts).toEqual([]);
    run.endDelay("a");
    run.send();
    expect(run.give({ kind: "timeout", task: 0, attempt: 0 }).facts).toEqual([]);
    expect(run.task("a").status).toBe("RUNNING");
  });
});

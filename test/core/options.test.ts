import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { DEFAULT_OPTIONS, optionsText, resolveOptions } from "../../lib/core/model/options.ts";
import type { Options } from "../../schemas/options.ts";
import { parseDuration } from "../../lib/util/duration.ts";
import { MAX_DURATION_MS } from "../../schemas/common.schema.ts";

describe("durations", () => {
  test.each<[number | string, number]>([
    [0, 0],
    [1, 1],
    [MAX_DURATION_MS, MAX_DURATION_MS],
    ["5s", 5_000],
    ["5 S", 5_000],
    ["2 hours", 7_200_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["250", 250],
    ["1.4ms", 1],
    ["0", 0],
    ["0s", 0],
    ["0.0 minutes", 0],
    ["1 day", 86_400_000],
    ["10y", MAX_DURATION_MS],
  ])("%j is %d ms", (value, milliseconds) => {
    expect(parseDuration(value)).toBe(milliseconds);
  });

  test.each<[unknown]>([
    [-1],
    [1.5],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [MAX_DURATION_MS + 1],
    ["11y"],
    ["-5s"],
    ["+5s"],
    [""],
    [" "],
    ["s"],
    ["5 parsecs"],
    ["5s 3s"],
    ["0 parsecs"],
    ["1e3"],
    ["0x10"],
    [" 5s"],
    ["5s\n"],
    [null],
    [undefined],
    [{}],
    [true],
    [5n],
  ])("%p is refused", (value) => {
    expect(() => parseDuration(value)).toThrow(RangeError);
  });

  test("a long text of digits is refused without being parsed", () => {
    expect(() => parseDuration("1".repeat(1_000_000))).toThrow(RangeError);
  });
});

describe("resolving", () => {
  test("an absent or empty override gives the same object", () => {
    expect(resolveOptions(DEFAULT_OPTIONS)).toBe(DEFAULT_OPTIONS);
    expect(resolveOptions(DEFAULT_OPTIONS, {})).toBe(DEFAULT_OPTIONS);
  });

  test("equal overrides of one base give one frozen object", () => {
    const first = resolveOptions(DEFAULT_OPTIONS, { maxRetries: 3 });
    expect(resolveOptions(DEFAULT_OPTIONS, { maxRetries: 3 })).toBe(first);
    expect(Object.isFrozen(first)).toBe(true);
    expect(resolveOptions(first, { maxRetries: 3 })).not.toBe(DEFAULT_OPTIONS);
  });

  test("sharing is bounded, and continues after a clear", () => {
    for (let timeout = 1; timeout <= 10_000; timeout++)
      expect(resolveOptions(DEFAULT_OPTIONS, { timeout }).timeout).toBe(timeout);
  });

  test("the innermost wins, option by option", () => {
    const taskflow = resolveOptions(DEFAULT_OPTIONS, { timeout: "5s", maxRetries: 2, continueOnTaskFailure: true });
    const stage = resolveOptions(taskflow, { maxRetries: 0, maxAge: "1m" });
    const task = resolveOptions(stage, { continueOnTaskFailure: false });
    expect(task).toEqual({ ...DEFAULT_OPTIONS, timeout: 5_000, maxRetries: 0, maxAge: 60_000, continueOnTaskFailure: false });
  });

  test("backoff is one option: fields that an inner one omits take their defaults", () => {
    const outer = resolveOptions(DEFAULT_OPTIONS, { backoff: { type: "exponential", factor: 3, maxDelay: "1m", jitter: true } });
    expect(outer.backoff).toEqual({ type: "exponential", factor: 3, maxDelay: 60_000, jitter: 1 });
    expect(resolveOptions(outer, { backoff: { type: "linear" } }).backoff).toEqual({
      type: "linear",
      factor: 2,
      jitter: 0,
    });
  });

  test("exactlyOnceExecution is an alias of exactlyOnceTaskExecution", () => {
    expect(resolveOptions(DEFAULT_OPTIONS, { exactlyOnceExecution: true }).exactlyOnceTaskExecution).toBe(true);
  });
});

describe("effective options", () => {
  test("have the documented names and defaults, without options that are not set", () => {
    expect(DEFAULT_OPTIONS).toStrictEqual({
      timeout: 60_000,
      maxRetries: 0,
      retryDelay: 1_000,
      backoff: { type: "fixed", factor: 2, jitter: 0 },
      continueOnTaskFailure: false,
      exactlyOnceTaskExecution: false,
      checkSuccess: true,
      onFailure: "fail",
      waitForNested: true,
      forwardContext: false,
      eventTree: "state",
    });
  });

  test("have durations in milliseconds, also in their text", () => {
    const resolved = resolveOptions(DEFAULT_OPTIONS, {
      maxAge: "5s",
      maxConcurrency: 2,
      backoff: { type: "fixed", maxDelay: 5 },
    });
    expect(optionsText(resolved)).toBe(JSON.stringify(resolved));
    expect(resolved).toStrictEqual({
      ...DEFAULT_OPTIONS,
      maxAge: 5_000,
      maxConcurrency: 2,
      backoff: { type: "fixed", factor: 2, maxDelay: 5, jitter: 0 },
    });
  });

  test("read back over the defaults they give the same options", () => {
    const milliseconds = fc.integer({ min: 1, max: MAX_DURATION_MS });
    const overrides = fc.record(
      {
        timeout: milliseconds,
        maxAge: milliseconds,
        maxRetries: fc.integer({ min: -1, max: 1_000_000 }),
        retryDelay: milliseconds,
        backoff: fc.record(
          {
            type: fc.constantFrom("fixed" as const, "linear" as const, "exponential" as const),
            factor: fc.double({ min: 1, max: 100, noNaN: true }),
            maxDelay: milliseconds,
            jitter: fc.oneof(fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true })),
          },
          { requiredKeys: ["type"] },
        ),
        continueOnTaskFailure: fc.boolean(),
        exactlyOnceTaskExecution: fc.boolean(),
        checkSuccess: fc.boolean(),
        maxConcurrency: fc.integer({ min: 1, max: 1_000_000 }),
        waitForNested: fc.boolean(),
        forwardContext: fc.boolean(),
        eventTree: fc.constantFrom("state" as const, "full" as const, "none" as const),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(overrides, (override) => {
        const resolved = resolveOptions(DEFAULT_OPTIONS, override);
        expect(resolveOptions(DEFAULT_OPTIONS, JSON.parse(optionsText(resolved)) as Options)).toEqual(resolved);
      }),
    );
  });
});

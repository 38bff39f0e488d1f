import { describe, expect, test } from "@jest/globals";
import { answered } from "../../lib/protocol/call-outcome.ts";
import { toTaskError } from "../../lib/protocol/kept-error.ts";
import { failedOutcome } from "../../lib/protocol/task-error.ts";
import { retryDelay } from "../../lib/core/execution/backoff.ts";
import { DEFAULT_OPTIONS } from "../../lib/core/model/options.ts";

const nestedData = (depth: number): unknown => {
  let data: unknown = {};
  for (let level = 1; level < depth; level++) data = { inner: data };
  return data;
};

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

describe("the error of a task", () => {
  test("keeps its causes, nearest first, at most five, each shortened", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const error = new TypeError("fetch failed", { cause: refused });
    expect(toTaskError(error)).toMatchObject({
      message: "fetch failed",
      causes: [{ type: "Error", name: "Error", message: "connect ECONNREFUSED", code: "ECONNREFUSED" }],
    });
    const several = new AggregateError([new Error("one"), new Error("two", { cause: new Error("three") })], "All failed.");
    expect(toTaskError(several).causes?.map(({ message }) => message)).toEqual(["one", "two", "three"]);
    let chain: Error = new Error("x".repeat(10_000));
    for (let level = 0; level < 9; level++) chain = new Error("y".repeat(10_000), { cause: chain });
    const { causes = [] } = toTaskError(chain);
    expect(causes).toHaveLength(5);
    for (const { message } of causes) expect(message.length).toBeLessThan(4_200);
    const circle = new Error("circle");
    circle.cause = circle;
    expect(toTaskError(circle).causes).toHaveLength(5);
    expect(toTaskError(new Error("alone"))).not.toHaveProperty("causes");
  });

  test("keeps its causes when it is read from a ledger", () => {
    const kept = toTaskError(new Error("a", { cause: new Error("b") }));
    expect(toTaskError(kept).causes).toEqual(kept.causes);
  });

  test.each<[string, unknown, string]>([
    ["an object", { reason: "sold out" }, 'The handler threw an object: {"reason":"sold out"}'],
    ["an array", [1, 2], "The handler threw an array: [1,2]"],
    ["text", "sold out", "sold out"],
    ["null", null, "null"],
  ])("describes the thrown value: %s", (_, thrown, message) => {
    expect(toTaskError(thrown)).toMatchObject({ type: "Error", message });
  });

  test("is read even if its getters throw", () => {
    const fields = ["name", "message", "code", "type", "data", "stack", "nodeID", "cause"];
    const error = new Error("");
    for (const field of fields) {
      Object.defineProperty(error, field, {
        get() {
          throw new Error("Not for you.");
        },
      });
    }
    expect(failedOutcome(error, 0)).toMatchObject({
      kind: "failed",
      permanent: false,
      error: { type: "Error", message: "The handler threw an error that cannot be read." },
    });
  });

  test("has data at most 64 levels deep", () => {
    expect(depthOf(toTaskError(Object.assign(new Error("x"), { data: nestedData(64) })).data)).toBe(64);
    const { data } = toTaskError(Object.assign(new Error("x"), { data: nestedData(4_470) }));
    expect(depthOf(data)).toBe(65);
    expect(JSON.stringify(data)).toContain('"$omitted":');
  });

  test("has no lone surrogates, not even where it is cut", () => {
    const half = "party \ud83d";
    const error = toTaskError(Object.assign(new Error(half), { type: half, name: half, code: half }));
    for (const text of [error.type, error.name, error.message, String(error.code)]) expect(text.isWellFormed()).toBe(true);
    expect(toTaskError(Object.assign(new Error("x"), { type: `${"a".repeat(255)}😀` })).type.isWellFormed()).toBe(true);
  });
});

test("an answer with a getter that throws fails the attempt without a crash", () => {
  const answer = {
    get success() {
      throw new Error("Not for you.");
    },
  };
  expect(answered(answer)).toMatchObject({ kind: "failed", permanent: true, error: { type: "RESPONSE_NOT_SERIALIZABLE" } });
});

describe("retryAfter", () => {
  const NOW = Date.UTC(2026, 10, 1);
  const after = (retryAfter: unknown): number | undefined =>
    failedOutcome(Object.assign(new Error("x"), { data: { retryAfter } }), NOW).retryAfterMs;
  const TEN_YEARS = 315_576_000_000;

  test.each<[unknown, number | undefined]>([
    [7, 7_000],
    ["7", 7_000],
    [0.5, 500],
    [-1, 0],
    [Math.round(NOW / 1_000) + 30, 30_000],
    [NOW + 30_000, 30_000],
    [String(NOW + 30_000), 30_000],
    [NOW - 1, 0],
    [new Date(NOW + 60_000).toUTCString(), 60_000],
    [new Date(NOW + 60_000).toISOString(), 60_000],
    [999_999_999, TEN_YEARS],
    [1e300, TEN_YEARS],
    ["soon", undefined],
    [Number.NaN, undefined],
    [null, undefined],
  ])("%p is a wait of %p ms", (given, expected) => expect(after(given)).toBe(expected));

  test("a computed delay is at most 10 years, too", () => {
    const options = {
      ...DEFAULT_OPTIONS,
      retryDelay: 1_000,
      backoff: { ...DEFAULT_OPTIONS.backoff, type: "exponential" as const },
    };
    expect(retryDelay(options, 1_000, 0)).toBe(TEN_YEARS);
    expect(retryDelay(options, 1, 0, TEN_YEARS * 2)).toBe(TEN_YEARS);
  });
});

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { matchesGlob } from "../../lib/util/glob.ts";

test.each<[string, string, boolean]>([
  ["payment.charge", "payment.charge", true],
  ["payment.charge", "payment.charges", false],
  ["payment.*", "payment.charge", true],
  ["payment.*", "payment.card.charge", false],
  ["payment.**", "payment.card.charge", true],
  ["payment.**", "payments.charge", false],
  ["*.charge", "payment.charge", true],
  ["*.charge", "v2.payment.charge", false],
  ["**.charge", "v2.payment.charge", true],
  ["v?.payment.*", "v2.payment.charge", true],
  ["v?.payment.*", "v.payment.charge", false],
  ["**", "anything.at.all", true],
  ["*", "one", true],
  ["*", "one.two", false],
  ["payment.charge", "paymentXcharge", false],
])("%s and %s: %s", (pattern, action, expected) => {
  expect(matchesGlob(pattern, action)).toBe(expected);
});

test("agrees with the equivalent regular expression", () => {
  const parts: Readonly<Record<string, string>> = { ".": "\\.", "?": ".", "*": "[^.]*", "**": ".*" };
  let matches = 0;
  fc.assert(
    fc.property(fc.stringMatching(/^[ab.*?]{1,8}$/), fc.stringMatching(/^[ab.]{1,8}$/), (pattern, action) => {
      const expression = pattern.replaceAll(/\*\*|[.?*]/g, (part) => parts[part] ?? "");
      const expected = new RegExp(`^${expression}$`).test(action);
      if (expected) matches++;
      return matchesGlob(pattern, action) === expected;
    }),
    { numRuns: 3_000 },
  );
  expect(matches).toBeGreaterThan(100);
});

test("stays fast for a pattern designed to be slow", () => {
  const before = performance.now();
  expect(matchesGlob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b".padStart(256, "**a"), "a".repeat(512))).toBe(false);
  expect(performance.now() - before).toBeLessThan(500);
});

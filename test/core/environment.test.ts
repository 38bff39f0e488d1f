import { describe, expect, test } from "@jest/globals";
import { parseSwitch, readEnvironment } from "../../lib/config/environment.ts";

describe("TASKFLOW_PAUSED", () => {
  test.each<[string | undefined, boolean]>([
    [undefined, false],
    ["", false],
    ["0", false],
    ["false", false],
    ["1", true],
    [" TRUE ", true],
  ])("%j: %s", (text, paused) => {
    expect(readEnvironment(text === undefined ? {} : { TASKFLOW_PAUSED: text }).paused).toBe(paused);
  });

  test("anything else is told by the variable's name, so that a coordinator never starts unpaused by mistake", () => {
    expect(() => parseSwitch("yes!")).toThrow(RangeError);
    expect(() => readEnvironment({ TASKFLOW_PAUSED: "yes!" })).toThrow(
      /TASKFLOW_PAUSED: "yes!" is neither on nor off: give 1 or 0/,
    );
  });
});

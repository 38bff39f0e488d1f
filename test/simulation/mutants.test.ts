/** Tests of the simulator: a property that nothing can violate proves nothing. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { startProcess } from "../helpers/processes.ts";
import type { Kill } from "./kill-mutants.ts";
import { MUTANTS } from "./mutants.ts";
import { PROPERTIES } from "./properties.ts";

/**
 * Properties that only a fault of the coordinator's own errors, or none that we could think of,
 * violates alone.
 */
const WITHOUT_MUTANT = new Set([7, 13, 27, 28]);

describe("the simulator kills the mutant", () => {
  const kills = new Map<string, Kill>();
  let stderr: string;
  // A process of its own is faster than the test runner, and the mutants stay there.
  beforeAll(async () => {
    const child = startProcess("test/simulation/kill-mutants.ts");
    await child.exited;
    stderr = child.stderr;
    for (const line of child.stdout.split("\n").filter((text) => text !== "")) {
      const kill = JSON.parse(line) as Kill;
      kills.set(kill.title, kill);
    }
  }, 600_000);

  it.each(MUTANTS.map((mutant) => [mutant.title, mutant.noticedBy.join(" or "), mutant] as const))(
    "“%s” by property %s",
    (title, _, { noticedBy }) => {
      const { property } = kills.get(title) ?? {};
      if (property === undefined) throw new Error(`No property noticed it. ${stderr}`);
      expect(noticedBy).toContain(property);
    },
  );
});

it("has a mutant for every property that one change can violate", () => {
  const noticed = new Set<number>(MUTANTS.flatMap(({ noticedBy }) => [...noticedBy]));
  expect(
    Object.keys(PROPERTIES)
      .map(Number)
      .filter((property) => !noticed.has(property) && !WITHOUT_MUTANT.has(property)),
  ).toEqual([]);
});

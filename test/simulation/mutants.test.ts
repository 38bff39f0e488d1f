/** Tests of the simulator: a property that nothing can violate proves nothing. */
import { describe, expect, it } from "@jest/globals";
import { MUTANTS } from "./mutants.ts";
import { runSimulation } from "./process.ts";
import { PROPERTIES } from "./properties.ts";

/** Up to this seed each of them must be noticed. */
const SEEDS = 8_000;

/** Properties that only a fault of the coordinator's own errors, or none that we could think of, violates alone. */
const WITHOUT_MUTANT = new Set([7, 13, 27, 28]);

describe("the simulator kills the mutant", () => {
  it.each(MUTANTS.map((mutant) => [mutant.title, mutant.noticedBy.join(" or "), mutant] as const))(
    "“%s” by property %s",
    async (title, _, { noticedBy, from = 1 }) => {
      const { property, output } = await runSimulation(
        "--seed",
        String(from),
        "--seeds",
        String(SEEDS - from + 1),
        "--quiet",
        "--mutant",
        title,
      );
      if (property === undefined) throw new Error(`Nothing was noticed: ${output}`);
      expect(noticedBy).toContain(property);
    },
    600_000,
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

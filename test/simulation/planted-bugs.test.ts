/** Tests of the simulator: a property that nothing can violate proves nothing. */
import { describe, expect, it } from "@jest/globals";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { runSimulation } from "./process.ts";
import { PROPERTIES } from "./properties.ts";

/** Up to this seed each of them must be noticed. */
const SEEDS = 8_000;

/** Properties that only a bug of the coordinator's own errors, or none that we could think of, violates alone. */
const WITHOUT_BUG = new Set([7, 13, 27, 28]);

describe("the simulator notices the planted bug", () => {
  it.each(PLANTED_BUGS.map((bug) => [bug.title, bug.noticedBy.join(" or "), bug] as const))(
    "“%s” by property %s",
    async (title, _, { noticedBy, from = 1 }) => {
      const { property, output } = await runSimulation(
        "--seed",
        String(from),
        "--seeds",
        String(SEEDS - from + 1),
        "--quiet",
        "--plant",
        title,
      );
      if (property === undefined) throw new Error(`Nothing was noticed: ${output}`);
      expect(noticedBy).toContain(property);
    },
    600_000,
  );
});

it("has a planted bug for every property that one change can violate", () => {
  const noticed = new Set<number>(PLANTED_BUGS.flatMap(({ noticedBy }) => [...noticedBy]));
  expect(
    Object.keys(PROPERTIES)
      .map(Number)
      .filter((property) => !noticed.has(property) && !WITHOUT_BUG.has(property)),
  ).toEqual([]);
});

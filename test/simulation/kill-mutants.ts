/**
 * `node test/simulation/kill-mutants.ts`: runs the simulation on every mutant up to the first seed
 * that violates a property. Prints a line of JSON for each (`Kill`).
 */
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { simulateMutant } from "./mutate.ts";

/** Within so many seeds each must violate a property. */
const SEEDS = 9_000;

export interface Kill {
  readonly title: string;
  /** Absent: no property noticed it. */
  readonly property?: number;
  readonly message?: string;
  readonly seed?: number;
}

/** Begins with the seed that is known to show it, and goes round to those before. */
async function kill({ title, from = 1 }: Mutant): Promise<Kill> {
  const failure =
    (await simulateMutant(title, from, SEEDS - from + 1)).failure ?? (await simulateMutant(title, 1, from - 1)).failure;
  if (!failure) return { title };
  const { seed, violation } = failure;
  return { title, seed, property: violation.property, message: violation.message };
}

for (const mutant of MUTANTS) console.log(JSON.stringify(await kill(mutant)));

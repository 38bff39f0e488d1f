/**
 * The mutants, which test the simulator: each must violate a property that was named beforehand.
 * Most are one change of the engine's own source; some are in the fakes of store and bus.
 */
import type { Mutant } from "./mutant.ts";
import { MUTANTS_OF_THE_COORDINATOR } from "./mutants-coordinator.ts";
import { MUTANTS_OF_THE_CORE } from "./mutants-core.ts";
import { MUTANTS_OF_COMMANDS } from "./mutants-commands.ts";

export const MUTANTS: readonly Mutant[] = [
  ...MUTANTS_OF_THE_CORE,
  ...MUTANTS_OF_THE_COORDINATOR,
  ...MUTANTS_OF_COMMANDS,
  { title: "never does not refuse", from: 121, noticedBy: [8] },
  { title: "no guard between owners", from: 148, noticedBy: [31, 11, 14, 6, 10, 13, 15, 26] },
  { title: "claim of those that have come back", from: 192, noticedBy: [31, 26, 3] },
  { title: "the store's time ignored", from: 21, noticedBy: [16, 17, 24, 33, 2] },
  { title: "no revision guard", noticedBy: [11, 14, 6, 10, 13, 15, 31] },
  { title: "claim without a fence", noticedBy: [26, 31] },
  { title: "bus repeats blindly", from: 46, noticedBy: [8] },
  { title: "no unique ids", noticedBy: [20] },
];

/**
 * `npm run simulate -- --seeds N --seed S`: runs N seeds from S on. Defaults: 1,000 from 1; with `--seed` alone that one, told line by line, as is one
 * that failed. Exits with 1 if a property did not hold.
 *
 * `--mutant TITLE` mutates the engine first (`mutants.ts`). `--quiet` tells neither statistics nor what happened. `--complete` fails too if
 * some fault, input or fact never occurred.
 */
import { parseArgs } from "node:util";
import { mutate } from "./mutate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    mutant: { type: "string" },
    quiet: { type: "boolean", default: false },
    complete: { type: "boolean", default: false },
  },
});
const mutations = values.mutant === undefined ? new Set<string>() : mutate(values.mutant);
// Only now, so that the mutant is in what is loaded.
const { simulateMany } = await import("./simulate-many.ts");
const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? (values.seed === undefined ? 1_000 : 1));
const { statistics, failure, trace, runs, events, ms } = await simulateMany(first, count, mutations);

const missing = values.complete ? [...statistics.missing, ...statistics.ubiquitous.map((what) => `${what} was never off`)] : [];
if (!values.quiet) {
  console.log(statistics.toString());
  console.log((failure?.trace ?? trace).join("\n"));
}
console.log(`${runs} seeds, ${events} events in ${(ms / 1000).toFixed(1)} s: ${Math.round((runs * 1000) / ms)} seeds/s`);
if (missing.length > 0) console.log(`Never occurred: ${missing.join(", ")}`);
if (failure) console.log(`Seed ${failure.seed}, the ${failure.seed - first + 1}. of them: ${failure.violation.message}`);
process.exitCode = failure || missing.length > 0 ? 1 : 0;

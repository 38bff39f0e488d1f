/**
 * `npm run simulate -- --seeds N --seed S`: runs N seeds from S on. Defaults: 1,000 from 1; with
 * `--seed` alone that one, told line by line, as is one that failed. Exits with 1 if a property
 * did not hold.
 *
 * `--mutant TITLE` runs a mutant of the engine (`mutants.ts`). `--quiet` prints neither
 * statistics nor what happened. `--complete` fails too if some fault, input or fact never
 * occurred; with `--usual` the rare ones may be missing.
 */
import { parseArgs } from "node:util";
import { simulateMutant } from "./mutate.ts";
import { simulateMany } from "./simulate-many.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    mutant: { type: "string" },
    quiet: { type: "boolean", default: false },
    complete: { type: "boolean", default: false },
    usual: { type: "boolean", default: false },
  },
});
const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? (values.seed === undefined ? 1_000 : 1));
const { statistics, failure, trace, runs, events, ms } = await (values.mutant === undefined
  ? simulateMany(first, count)
  : simulateMutant(values.mutant, first, count));

const never = values.usual ? statistics.missingThoughUsual : statistics.missing;
const missing = values.complete ? [...never, ...statistics.ubiquitous.map((what) => `${what} was never off`)] : [];
if (!values.quiet) {
  console.log(statistics.toString());
  console.log((failure?.trace ?? trace).join("\n"));
}
console.log(`${runs} seeds, ${events} events in ${(ms / 1000).toFixed(1)} s: ${Math.round((runs * 1000) / ms)} seeds/s`);
if (missing.length > 0) console.log(`Never occurred: ${missing.join(", ")}`);
if (failure) console.log(`Seed ${failure.seed}, the ${failure.seed - first + 1}. of them: ${failure.violation.message}`);
process.exitCode = failure || missing.length > 0 ? 1 : 0;

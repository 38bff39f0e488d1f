/**
 * The benchmark: the product beside the limits, in interleaved rounds of fresh processes on one
 * machine. `npm run bench -- --help` tells the options. Only ratios within one run are worth
 * quoting.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { findMongoBinary } from "../test/helpers/mongo-process.ts";
import { type Contestant, runRounds, type RunOptions } from "./contestants.ts";
import { printCoordinators, printGrowth, printStored } from "./growth.ts";
import { ON_MONGODB, ON_SQLITE, targetTable } from "./targets.ts";
import { workloadOf } from "./workloads.ts";

const HELP = `npm run bench -- [--sections sqlite,mongodb,growth,stored,coordinators] [--rounds 3] [--workloads staged-c100,…] [--quick] [--full]

  sections   sqlite: the table of targets. mongodb: its rows for MongoDB, on the server that MONGOMS_SYSTEM_BINARY names or that
             mongodb-memory-server downloads. growth: with the size of flows and of answers. stored: with finished flows in the store. coordinators: one to four
             of them on one MongoDB. Default: sqlite
  quick      windows of a tenth: does it work? No figures to quote
  full       up to 100,000 tasks, and a million stored flows
BENCH_TMP names the folder for stores: on a real disk, for on tmpfs an fsync means nothing.`;

const { values } = parseArgs({
  options: {
    sections: { type: "string", default: "sqlite" },
    rounds: { type: "string", default: "3" },
    workloads: { type: "string" },
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Only the workloads that were asked for. */
function chosen(contestants: readonly Contestant[]): Contestant[] {
  const names = values.workloads?.split(",");
  for (const name of names ?? []) workloadOf(name);
  const isChosen = (name: string): boolean => names?.includes(name) ?? true;
  const some = contestants.map((contestant) => ({ ...contestant, workloads: contestant.workloads.filter(isChosen) }));
  return some.filter(({ workloads }) => workloads.length > 0);
}

async function main(): Promise<void> {
  const rounds = Number(values.rounds);
  const found = await findMongoBinary();
  const options: RunOptions = { share: values.quick ? 0.1 : 1, mongod: "path" in found ? found.path : undefined };
  console.log(
    `Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model}). Medians of ${rounds} rounds (lowest..highest).\n`,
  );
  for (const section of values.sections.split(",")) {
    if (section === "sqlite") console.log(targetTable(await runRounds(chosen(ON_SQLITE), rounds, options)));
    else if (section === "mongodb") console.log(targetTable(await runRounds(chosen(ON_MONGODB), rounds, options)));
    else if (section === "growth") await printGrowth(rounds, values.full, options);
    else if (section === "stored") await printStored(rounds, values.full, options);
    else if (section === "coordinators") await printCoordinators(rounds, options);
    else throw new Error(`There is no section "${section}": give sqlite, mongodb, growth, stored or coordinators.`);
    console.log();
  }
}

if (values.help) console.log(HELP);
else await main();

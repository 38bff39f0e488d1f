/**
 * `npm run chaos -- --seconds 300 --seed N`: real processes under kills, freezes and outages
 * (`faults.ts`), and a verdict on what became of every taskflow (`checker.ts`). Exits with 1 on
 * any violation, and where a figure misses its limit. The logs of all processes are kept in a
 * folder that it names.
 *
 * `--rate` taskflows a second at most (30), `--in-flight` at once at most (200). A MongoDB is
 * found as `CONTRIBUTING.md` says; it has to be one that this run may kill.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findMongoBinary, startMongo } from "../helpers/mongo-process.ts";
import { chaos } from "./chaos.ts";
import { missedBy, report } from "./report.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "300" },
    seed: { type: "string" },
    rate: { type: "string", default: "30" },
    "in-flight": { type: "string", default: "200" },
  },
});
const found = await findMongoBinary();
if (!("path" in found)) throw new Error(found.whyNone);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    say(`${signal}: the run ends without a verdict.`);
    process.exit(130);
  });
}

const mongo = await startMongo(found.path);
try {
  const folder = mkdtempSync(join(tmpdir(), "taskflow-chaos-"));
  say(`Logs: ${folder}`);
  const result = await chaos({
    seconds: Number(values.seconds),
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    rate: Number(values.rate),
    maxInFlight: Number(values["in-flight"]),
    mongo,
    folder,
    say,
  });
  say(report(result));
  process.exitCode = result.violations.length + missedBy(result).length > 0 ? 1 : 0;
} finally {
  await mongo.stop();
}
// Node 24 has been seen to turn for ever in the clean-up of its handles, where a process ends by
// itself after connections were cut.
process.exit();

/** Runs the simulator in a process of its own: it is faster outside of the test runner, and planted bugs stay there. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { tempFolder } from "../helpers/temp.ts";

/** What Node has compiled for one run, the next need not. */
const compiled = tempFolder();

export interface Outcome {
  readonly failed: boolean;
  readonly output: string;
  /** The property that did not hold. */
  readonly property: number | undefined;
  /** How many seeds it took. */
  readonly seeds: number | undefined;
}

export function runSimulation(...args: string[]): Promise<Outcome> {
  const script = join(import.meta.dirname, "run.ts");
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
    execFile(process.execPath, [script, ...args], { env, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const output = stdout + stderr;
      const property = /Property (\d+)/.exec(output)?.[1];
      const seeds = /the (\d+)\. of them/.exec(output)?.[1];
      resolve({
        failed: error !== null,
        output,
        property: property === undefined ? undefined : Number(property),
        seeds: seeds === undefined ? undefined : Number(seeds),
      });
    });
  });
}

/**
 * The coordinator itself in virtual time, with everything around it that can go wrong. `npm run
 * simulate -- --seed S` tells what happened in one seed.
 */
import { expect, it } from "@jest/globals";
import { startProcess } from "../helpers/processes.ts";
import { IS_LONG, runs } from "../helpers/runs.ts";
import { simulate } from "./simulate.ts";

const SEEDS = runs(2_000, 20_000);
const WHICH = IS_LONG ? "every fault, input and fact" : "every usual fault, input and fact";

it(`holds every property in ${SEEDS} seeds, in which ${WHICH} occurs and no fault always does`, async () => {
  // A process of its own is faster than the test runner.
  const args = ["--seeds", String(SEEDS), "--complete", ...(IS_LONG ? [] : ["--usual"])];
  const child = startProcess("test/simulation/run.ts", { args });
  const { code } = await child.exited;
  if (IS_LONG) process.stdout.write(child.stdout);
  if (code !== 0) throw new Error(`${child.stdout}${child.stderr}`.slice(-20_000));
}, 900_000);

it("replays a seed exactly", async () => {
  for (const seed of [4, 46, 365, 839, 2_376]) {
    const once: string[] = [];
    const again: string[] = [];
    await simulate(seed, new Set(), once);
    await simulate(seed, new Set(), again);
    expect(again).toEqual(once);
    expect(once.length).toBeGreaterThan(5);
  }
});

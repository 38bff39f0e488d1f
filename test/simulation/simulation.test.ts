/** The coordinator itself in virtual time, with everything around it that can go wrong. `npm run simulate -- --seed S` tells what happened in one seed. */
import { expect, it } from "@jest/globals";
import { runSimulation } from "./process.ts";
import { simulate } from "./simulate.ts";

it("holds every property in 20,000 seeds, in which every fault, input and fact occurs and no fault always does", async () => {
  const { failed, output } = await runSimulation("--seeds", "20000", "--complete");
  console.log(output);
  if (failed) throw new Error(output.slice(-20_000));
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

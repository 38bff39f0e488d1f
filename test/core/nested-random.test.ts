import { expect, test } from "@jest/globals";
import { Forest } from "../helpers/forest.ts";
import { runs } from "../helpers/runs.ts";
import { Random } from "../simulation/random.ts";

const RUNS = runs(8, 40);
const STEPS = 250;
/** Far more than any run needs to finish. */
const REST = 20_000;

test(`${RUNS} forests of nested taskflows, with commands, lost and duplicated messages and crashes: invariants hold after each step, the journal gives the state in memory, and without further disturbance all of them end`, () => {
  const seen = { nested: 0, deepest: 0, cancelled: 0, compensated: 0, dropped: 0 };
  for (let seed = 1; seed <= RUNS; seed++) {
    const forest = new Forest(new Random(seed));
    let fault: string | undefined;
    try {
      for (let step = 0; step < STEPS; step++) forest.step();
      forest.calm();
      let left = REST;
      while (left > 0 && forest.step()) left--;
      fault = left === 0 ? "does not come to rest" : forest.fault;
    } catch (error) {
      fault = (error as Error).stack;
    }
    if (fault !== undefined) throw new Error(`Seed ${seed}: ${fault}`);
    for (const { flow } of forest.trees.values()) {
      seen.nested += flow.parent ? 1 : 0;
      seen.deepest = Math.max(seen.deepest, flow.depth);
      seen.cancelled += flow.status === "CANCELLED" ? 1 : 0;
      seen.compensated += flow.undo.status === "COMPLETED" ? 1 : 0;
      seen.dropped += Array.from(flow.children.values()).filter(({ state }) => state === "gone").length;
    }
  }
  // It has arrived.
  expect(seen.deepest).toBe(3);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(2);
});

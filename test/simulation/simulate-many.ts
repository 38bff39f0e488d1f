/** Runs seeds one after the other, up to the first that fails. */
import { setImmediate } from "node:timers/promises";
import type { Violation } from "./properties.ts";
import { simulate } from "./simulate.ts";
import { Statistics } from "./statistics.ts";

export interface Simulation {
  readonly statistics: Statistics;
  readonly runs: number;
  readonly events: number;
  readonly ms: number;
  /** Of the only seed. */
  readonly trace: readonly string[];
  readonly failure: { readonly seed: number; readonly violation: Violation; readonly trace: readonly string[] } | undefined;
}

/** @param mutations the mutants of the fakes that are switched on */
export async function simulateMany(
  first: number,
  count: number,
  mutations: ReadonlySet<string> = new Set(),
): Promise<Simulation> {
  const began = performance.now();
  const statistics = new Statistics();
  const trace: string[] = [];
  let events = 0;
  for (let seed = first; seed < first + count; seed++) {
    const run = await simulate(seed, mutations, count === 1 ? trace : undefined);
    statistics.add(run.statistics);
    events += run.events;
    if (run.violation) {
      const again: string[] = [];
      await simulate(seed, mutations, again);
      const failure = { seed, violation: run.violation, trace: again };
      return { statistics, runs: seed - first + 1, events, ms: performance.now() - began, trace, failure };
    }
    // Others on this thread get their turn, and rejections that nobody handled are told.
    if (seed % 100 === 0) await setImmediate();
  }
  return { statistics, runs: count, events, ms: performance.now() - began, trace, failure: undefined };
}

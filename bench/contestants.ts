/**
 * Who runs in a round, and how one of them is run: in fresh processes with a fresh server and
 * store.
 */
import { join } from "node:path";
import { Host } from "./host.ts";
import type { Result, RoleSettings } from "./role.ts";

export interface Contestant {
  readonly name: string;
  readonly contender: RoleSettings["contender"];
  readonly variant: string;
  readonly store: "sqlite" | "mongodb";
  readonly workloads: readonly string[];
}

export interface RunOptions {
  readonly share: number;
  readonly mongod: string | undefined;
  /** How many of them; one unless told otherwise. */
  readonly coordinators?: number;
  /** Is given the store's file before anybody opens it. */
  readonly prepare?: (file: string) => Promise<void>;
}

/** Results by workload. */
export async function runContestant(
  { contender, variant, store, workloads }: Contestant,
  { share, mongod = "mongod", coordinators = 1, prepare }: RunOptions,
): Promise<Record<string, Result>> {
  const host = new Host();
  try {
    const nats = await host.nats();
    const file = join(host.folder, "flows.db");
    await prepare?.(file);
    const settings = {
      contender,
      variant,
      nats,
      share,
      workloads,
      store: store === "sqlite" ? `sqlite:${file}` : await host.mongo(mongod),
    };
    await host.fork("worker", settings);
    for (let index = 1; index <= coordinators; index++)
      await host.fork("coordinator", { ...settings, nodeID: `coordinator-${index}` }, `coordinator-${index}`);
    return (await host.fork("client", { ...settings, pids: host.pids })) as Record<string, Result>;
  } finally {
    await host.stop();
  }
}

/** All runs, by the contestant's name. */
export type Runs = ReadonlyMap<string, readonly Record<string, Result>[]>;

/**
 * Every round runs each contestant once and begins with another one, so that the machine's mood
 * meets all of them.
 */
export async function runRounds(contestants: readonly Contestant[], rounds: number, options: RunOptions): Promise<Runs> {
  const runs = new Map<string, Record<string, Result>[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < contestants.length; index++) {
      const contestant = contestants[(index + round) % contestants.length]!;
      const from = performance.now();
      runs.get(contestant.name)!.push(await runContestant(contestant, options));
      const seconds = ((performance.now() - from) / 1_000).toFixed(0);
      console.error(`round ${round + 1} of ${rounds}: ${contestant.name}, ${seconds} s`);
    }
  }
  return runs;
}

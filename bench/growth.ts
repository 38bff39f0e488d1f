/**
 * How cost grows: with the size of a flow, of its answers, with what the store holds already, and
 * with more coordinators.
 */
import { SqliteStore } from "../lib/adapters/sqlite/store.ts";
import type { Write } from "../lib/ports/store.ts";
import { type Contestant, runRounds, type RunOptions } from "./contestants.ts";
import type { Result } from "./role.ts";
import { medianOf, show, spread } from "./statistics.ts";
import { table } from "./targets.ts";

const on = (contender: Contestant["contender"], variant: string, workloads: readonly string[]): Contestant => ({
  name: contender,
  contender,
  variant,
  store: "sqlite",
  workloads,
});

/** Time of a flow, on the product and on the limit, by workload. */
async function beside(rounds: number, sizes: readonly string[], options: RunOptions): Promise<string[][]> {
  const contestants = [on("limit", "events", sizes), on("product", "state", sizes)];
  const runs = await runRounds(contestants, rounds, options);
  return sizes.map((size) => {
    const [others = [], own = []] = contestants.map((each) => (runs.get(each.name) ?? []).map((results) => results[size]!.p50));
    const tasks = size.startsWith("wide-") ? Number(size.slice(5)) + 1 : 6;
    return [size, spread(own), spread(others), show(medianOf(own) / medianOf(others)), show((1_000 * medianOf(own)) / tasks)];
  });
}

/** Finished taskflows as they stand in the store. */
async function fill(file: string, count: number): Promise<void> {
  const store = new SqliteStore({ file });
  await store.open();
  const entry = JSON.stringify({ at: 1, facts: [{ kind: "created", filler: "x".repeat(1_200) }] });
  for (let from = 0; from < count; from += 1_000) {
    const writes = Array.from({ length: Math.min(1_000, count - from) }, (_, index): Write => {
      const taskflowId = `00000000-0000-7000-8000-${String(from + index).padStart(12, "0")}`;
      const row = {
        taskflowId,
        name: "bench",
        status: "COMPLETED",
        owner: "filler",
        fence: 1,
        dueAt: 0,
        rootId: taskflowId,
      } as const;
      const rest = {
        parentTaskflowId: null,
        tenant: null,
        template: null,
        tags: [],
        attributes: {},
        annotations: [],
        errorType: null,
        format: 1,
      };
      const times = { createdAt: 1, startedAt: 1, finishedAt: 2, retryAttempt: 0, progress: 100 };
      return { kind: "create", row: { ...row, ...rest, ...times }, entry };
    });
    store.commit(writes);
  }
  await store.close();
}

/** With finished flows in the store; each row when it is there, for the last ones take long. */
export async function printStored(rounds: number, isFull: boolean, options: RunOptions): Promise<void> {
  const head = ["finished flows in the store", "one in flight, p50 ms", "100 in flight, flows/s", "CPU ms a flow"];
  const counts = [0, 10_000, 100_000, ...(isFull ? [1_000_000] : [])];
  console.log(table(head, []));
  for (const count of counts) {
    const contestant = on("product", "state", ["staged-c1", "staged-c100"]);
    const runs = await runRounds([contestant], rounds, { ...options, prepare: (file) => fill(file, count) });
    const of = (workload: string, measure: keyof Result): string =>
      spread((runs.get(contestant.name) ?? []).flatMap((results) => results[workload]?.[measure] ?? []));
    const figures = [of("staged-c1", "p50"), of("staged-c100", "perSecond"), of("staged-c100", "cpu")];
    console.log(`| ${[count.toLocaleString("en-US"), ...figures].join(" | ")} |`);
  }
}

async function coordinated(rounds: number, options: RunOptions): Promise<string[][]> {
  const rows: string[][] = [];
  for (const coordinators of [1, 2, 3, 4]) {
    const contestant = { ...on("product", "state", ["staged-c100"]), store: "mongodb" } as const;
    const runs = await runRounds([contestant], rounds, { ...options, coordinators });
    const of = (measure: keyof Result): string =>
      spread((runs.get(contestant.name) ?? []).flatMap((results) => results["staged-c100"]?.[measure] ?? []));
    rows.push([String(coordinators), of("perSecond"), of("p50"), of("cpu")]);
  }
  return rows;
}

/** Coordinators beside one another on one MongoDB. */
export async function printCoordinators(rounds: number, options: RunOptions): Promise<void> {
  const head = ["coordinators", "100 in flight, flows/s", "p50 ms", "CPU ms a flow"];
  console.log(table(head, await coordinated(rounds, options)));
}

/**
 * Prints each table when it is there.
 * @param isFull up to 100,000 tasks
 */
export async function printGrowth(rounds: number, isFull: boolean, options: RunOptions): Promise<void> {
  const sizes = [10, 100, 1_000, 10_000, ...(isFull ? [99_999] : [])].map((size) => `wide-${size}`);
  const payloads = [100, 1_000, 10_000, 100_000, 1_000_000].map((bytes) => `payload-${bytes}`);
  const head = ["", "product, ms a flow", "limit with events, ms a flow", "ratio", "product, µs a task"];
  console.log("Tasks of a stage, and a join:\n");
  console.log(table(head, await beside(rounds, sizes, options)));
  console.log("\nBytes of each answer of a flow of [1,4,1]:\n");
  console.log(table(head, await beside(rounds, payloads, options)));
}

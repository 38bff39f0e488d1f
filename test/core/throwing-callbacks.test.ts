/** What callbacks throw in workers and in their timers (docs/callbacks.md). */
import { afterEach, expect, it, jest } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { TaskflowExecutionContext } from "../../schemas/execution-context.schema.ts";
import { guarded } from "../../lib/util/guarded.ts";
import { SqliteLedger } from "../../lib/worker/ledger/sqlite.ts";
import { PreviousResponses } from "../../lib/worker/previous-responses.ts";
import { RetryQueue } from "../../lib/worker/retry-queue.ts";
import { eventually } from "../helpers/eventually.ts";
import { tempFolder } from "../helpers/temp.ts";

afterEach(() => {
  jest.restoreAllMocks();
});

it("logs what a guarded callback throws, and hands on what it is given", () => {
  const lines: unknown[][] = [];
  const given: number[] = [];
  const callback = guarded({ error: (...line) => void lines.push(line) }, "It failed.", (one: number) => {
    given.push(one);
    if (one === 2) throw new RangeError("two");
  });
  for (const one of [1, 2, 3]) callback(one);
  expect(given).toEqual([1, 2, 3]);
  expect(lines).toEqual([["It failed.", new RangeError("two")]]);
});

it("tries work again that rejects", async () => {
  const queue = new RetryQueue(60_000);
  let tries = 0;
  queue.add("key", async () => {
    if (++tries === 1) throw new Error("not now");
    return true;
  });
  await eventually(() => expect(tries).toBe(2));
  queue.stop();
});

it("rejects every job of a ledger whose transaction cannot be rolled back either", async () => {
  const ledger = new SqliteLedger(join(tempFolder(), "ledger.db"), { keepForMs: 60_000, maxRecords: 10 }, Date.now);
  await ledger.open();
  const exec: unknown = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, "exec")?.value;
  const broken = jest.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function fails(this: DatabaseSync, sql) {
    if (sql === "COMMIT" || sql === "ROLLBACK") throw new Error(`no ${sql}`);
    Reflect.apply(exec as (sql: string) => void, this, [sql]);
  });
  const jobs = ["one", "two"].map((key) => ledger.begin(key, { delivery: 1, instance: "i" }));
  const results = await Promise.allSettled(jobs);
  expect(results.map((each) => each.status === "rejected" && String(each.reason))).toEqual([
    "Error: no COMMIT",
    "Error: no COMMIT",
  ]);
  broken.mockRestore();
  await expect(ledger.begin("three", { delivery: 1, instance: "i" })).rejects.toThrow("within a transaction");
  await expect(ledger.begin("four", { delivery: 1, instance: "i" })).resolves.toMatchObject({ kind: "new" });
  await ledger.close();
});

it("lets a handler look at the responses later, although they cannot be had", async () => {
  const unhandled: unknown[] = [];
  const keep = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", keep);
  const broker = {} as ServiceBroker;
  const context = { taskflow: { id: "f", taskId: "t" }, previousStageRes: { $ref: "previous" } };
  const responses = new PreviousResponses(
    broker,
    context as unknown as TaskflowExecutionContext,
    AbortSignal.abort(new Error("over")),
  );
  const first = responses.read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", keep);
  await expect(first).rejects.toThrow("over");
  expect(unhandled).toEqual([]);
});

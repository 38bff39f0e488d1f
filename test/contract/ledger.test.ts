import { expect, it, jest } from "@jest/globals";
import { join } from "node:path";
import { MemoryLedger } from "../../lib/worker/ledger/memory.ts";
import { SqliteLedger } from "../../lib/worker/ledger/sqlite.ts";
import type { Ledger, LedgerLimits } from "../../lib/worker/ledger/ledger.ts";
import { ledgerOf } from "../../lib/worker/ledger/open.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeLedger } from "./ledger.suite.ts";

const LIMITS: LedgerLimits = { keepForMs: 60_000, maxRecords: 1_000 };

/**
 * What was asked in the millisecond in which a ledger came to be might have been before it: here
 * they are a little older.
 */
function passed(start: () => number): () => number {
  let reads = 0;
  return () => start() + (reads++ === 0 ? 0 : 1);
}

describeLedger("memory", () => ({
  ledger: new MemoryLedger(
    LIMITS,
    passed(() => performance.now()),
  ),
}));

describeLedger("sqlite", () => {
  const file = join(tempFolder(), "data", "ledger.db");
  const now = passed(Date.now);
  return { ledger: new SqliteLedger(file, LIMITS, now), again: () => new SqliteLedger(file, LIMITS, now) };
});

const KINDS: [string, (limits: LedgerLimits, now: () => number) => Ledger][] = [
  ["memory", (limits, now) => new MemoryLedger(limits, now)],
  ["sqlite", (limits, now) => new SqliteLedger(join(tempFolder(), "ledger.db"), limits, now)],
];

it("keeps fresh records where the machine's clock jumps, in a process and over its restart", async () => {
  const file = join(tempFolder(), "ledger.db");
  const key = "f:fresh:0";
  const first = new SqliteLedger(file, LIMITS);
  await first.open();
  await first.begin(key, { delivery: 1, instance: "a" });
  await first.finish(key, "1");
  const jumped = Date.now() + 30 * 86_400_000;
  const clock = jest.spyOn(Date, "now").mockImplementation(() => jumped);
  try {
    // So many writes make it look for old records.
    for (let index = 0; index < 1_100; index++) await first.begin(`f:${index}:0`, { delivery: 1, instance: "a" });
    expect(await first.ask(key, 1, 0)).toEqual({ kind: "done", outcome: "1" });
    await first.close();
    const second = new SqliteLedger(file, LIMITS);
    await second.open();
    expect(await second.ask(key, 1, 0)).toEqual({ kind: "done", outcome: "1" });
    await second.close();
  } finally {
    clock.mockRestore();
  }
});

it.each(KINDS)(
  "forgets what ended longest ago where there is too much, and then does not say never of what is older (%s)",
  async (_, make) => {
    let now = 1_000_000;
    const ledger = make({ keepForMs: 60_000, maxRecords: 10 }, () => now);
    await ledger.open();
    now += 1_000;
    await ledger.begin("f:running:0", { delivery: 1, instance: "a" });
    for (let index = 0; index < 1_200; index++) {
      const key = `f:${index}:0`;
      now += 1;
      await ledger.begin(key, { delivery: 1, instance: "a" });
      await ledger.finish(key, "1");
    }
    expect(await ledger.ask("f:1199:0", 1, 0)).toEqual({ kind: "done", outcome: "1" });
    expect(await ledger.ask("f:running:0", 1, 0)).toEqual({ kind: "running", instance: "a" });
    expect(await ledger.ask("f:5:0", 1, 1_195)).toEqual({ kind: "unknown" });
    now += 100;
    expect(await ledger.ask("f:later:0", 1, 50)).toEqual({ kind: "never" });
    await ledger.close();
  },
);

it.each(KINDS)("forgets what ended longer ago than it keeps things (%s)", async (_, make) => {
  let now = 1_000_000;
  const ledger = make({ keepForMs: 60_000, maxRecords: 10_000 }, () => now);
  await ledger.open();
  now += 1;
  await ledger.begin("f:old:0", { delivery: 1, instance: "a" });
  await ledger.finish("f:old:0", "1");
  await ledger.begin("f:running:0", { delivery: 1, instance: "a" });
  now += 70_000;
  for (let index = 0; index < 600; index++) {
    await ledger.begin(`f:${index}:0`, { delivery: 1, instance: "a" });
    await ledger.finish(`f:${index}:0`, "1");
  }
  expect(await ledger.ask("f:old:0", 1, 70_001)).toEqual({ kind: "unknown" });
  expect(await ledger.ask("f:other:0", 1, 60_000)).toEqual({ kind: "never" });
  expect(await ledger.ask("f:running:0", 1, 70_001)).toEqual({ kind: "running", instance: "a" });
  await ledger.close();
});

it("keeps 64 MiB of outcomes in memory at most", async () => {
  const ledger = new MemoryLedger({ keepForMs: 60_000, maxRecords: 10_000 });
  const outcome = "x".repeat(8 * 1024 * 1024);
  for (let index = 0; index < 12; index++) await ledger.finish(`f:${index}:0`, outcome);
  const known = await Promise.all(
    Array.from({ length: 12 }, (_, index) => ledger.begin(`f:${index}:0`, { delivery: 1, instance: "a" })),
  );
  const kinds = known.map(({ kind }) => kind).join(" ");
  expect(kinds).toBe("new new new new done done done done done done done done");
});

it("says what is wrong with a file that it cannot use, and what to do", async () => {
  const folder = tempFolder();
  const file = join(folder, "ledger.db");
  const first = new SqliteLedger(file, LIMITS);
  await first.open();
  await expect(new SqliteLedger(file, LIMITS).open()).rejects.toThrow(
    /held by another process: give every worker process a file of its own/,
  );
  await first.close();
  await expect(new SqliteLedger(folder, LIMITS).open()).rejects.toThrow(/cannot be used: let this user write it/);
  await expect(new SqliteLedger("/dev/null/ledger.db", LIMITS).open()).rejects.toThrow(/cannot be used/);
});

it("opens a file once for all services of a process", async () => {
  const name = `sqlite:${join(tempFolder(), "ledger.db")}`;
  const [one, two] = [ledgerOf(name, LIMITS), ledgerOf(name, LIMITS)];
  await Promise.all([one.open(), two.open()]);
  await one.begin("f:t:0", { delivery: 1, instance: "a" });
  await one.close();
  expect(await two.begin("f:t:0", { delivery: 2, instance: "b" })).toEqual({ kind: "running", instance: "a" });
  await two.close();
  const three = ledgerOf(name, LIMITS);
  await three.open();
  expect(await three.begin("f:t:0", { delivery: 2, instance: "b" })).toEqual({ kind: "running", instance: "a" });
  await three.close();
});

it.each(["", "sqlite:", "redis://x", "mongodb://", "mongo://user:secret@host/x"])(
  "refuses %j as a ledger, without its password",
  (name) => {
    expect(() => ledgerOf(name, LIMITS)).toThrow(/must be memory, sqlite:<file> or a mongodb/);
    expect(() => ledgerOf(name, LIMITS)).not.toThrow(/secret/);
  },
);

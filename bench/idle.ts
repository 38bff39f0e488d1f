/**
 * `npm run bench:idle -- [taskflows]`: what a coordinator costs while taskflows wait, 100,000 of
 * them unless told otherwise, on SQLite. Each waits an hour for its next attempt. Prints how long
 * a claim's search for what to take takes by itself, how long a start takes, under another name
 * and under the same, how long the longest claim and sweep took, memory, and the CPU of doing
 * nothing.
 */
import { ServiceBroker } from "moleculer";
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openFile } from "../lib/adapters/sqlite/file.ts";
import { SqliteOwners } from "../lib/adapters/sqlite/owners.ts";
import { SqliteStore } from "../lib/adapters/sqlite/store.ts";
import { FORMAT } from "../lib/coordinator/turn/settings.ts";
import { newRow } from "../lib/coordinator/turn/projection.ts";
import { build } from "../lib/core/journal/build.ts";
import { decide } from "../lib/core/decide.ts";
import type { Created } from "../lib/core/journal/facts.ts";
import { idBaseOf } from "../lib/core/model/ids.ts";
import type { Router } from "../lib/core/execution/dispatch.ts";
import type { Input } from "../lib/core/execution/inputs.ts";
import { encodeEntry } from "../lib/core/journal/journal.ts";
import { action } from "../lib/task-types/action/index.ts";
import { DEFAULT_OPTIONS } from "../lib/core/model/options.ts";
import type { Write } from "../lib/ports/store.ts";
import { TaskflowService } from "../services/taskflow.service.ts";

const HOUR_MS = 3_600_000;
const BATCH = 1_000;
const IDLE_MS = 20_000;
const SEARCHES = 50;

type Timed = Record<"claim" | "due" | "release", { calls: number; longestMs: number }>;

interface Figures {
  readonly readyMs: number;
  readonly rssBeforeMb: number;
  readonly rssMb: number;
  readonly cpuPercent: number;
  readonly inMemory: number;
  readonly timed: Timed;
}

/**
 * A taskflow of which one task failed, and is to be tried again in an hour: its first entry, and
 * the one after it.
 */
function waiting(taskflowId: string, now: number): Write[] {
  const task = { name: "call", type: "ACTION" as const, taskDetails: { serviceId: "nobody", actionName: "answers" } };
  const options = { maxRetries: 3, retryDelay: HOUR_MS };
  const definition = {
    name: "waits",
    stages: [{ name: "one", tasks: [{ ...task, params: { text: "x".repeat(100) }, options }] }],
  };
  const created: Created = {
    kind: "created",
    taskflowId,
    idBase: idBaseOf(crypto.randomUUID()),
    defaults: DEFAULT_OPTIONS,
    meta: {},
    definition,
  };
  const flow = build(created, now);
  const router: Router = {
    free: 1,
    types: { typeOf: () => action },
    resolve: () => undefined,
    route: () => "worker",
    full: () => {},
  };
  const step = (...inputs: Input[]) => decide(flow, inputs, now, router).facts;
  const first = step({ kind: "begin" });
  const entry = encodeEntry(now, [created, ...first]);
  const row = newRow(flow, "before");
  const error = { type: "Error", name: "Error", message: "Not yet." };
  const outcome = { kind: "failed", error, permanent: false } as const;
  const second = step({ kind: "answer", task: 0, attempt: 0, outcome });
  const write = {
    kind: "append",
    taskflowId,
    revision: 2,
    entry: encodeEntry(now, second),
    row: { dueAt: now + HOUR_MS },
  } as const;
  return [{ kind: "create", row, entry }, write];
}

async function fill(file: string, count: number): Promise<void> {
  const store = new SqliteStore({ file });
  await store.open();
  const now = Date.now();
  for (let start = 0; start < count; start += BATCH) {
    const writes = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) =>
      waiting(`waits-${String(start + index).padStart(8, "0")}`, now + start + index),
    );
    store.commit(writes.map(([create]) => create!));
    store.commit(writes.map(([, append]) => append!));
  }
  await store.close();
}

/**
 * What a claim reads, without what it writes: a thousand taskflows of a dead owner, again and
 * again.
 */
function timeSearch(file: string): { firstMs: number; medianMs: number; longestMs: number } {
  const opened = openFile(file);
  const owners = new SqliteOwners(opened.database);
  const times = Array.from({ length: SEARCHES }, () => {
    const began = performance.now();
    const found = owners.candidates(() => true, BATCH, FORMAT).length;
    if (found !== BATCH) throw new Error(`${found} taskflows were found where there are more than ${BATCH}.`);
    return performance.now() - began;
  });
  opened.close();
  const sorted = times.toSorted((a, b) => a - b);
  return { firstMs: times[0]!, medianMs: sorted[sorted.length >> 1]!, longestMs: sorted.at(-1)! };
}

/** A store whose calls are timed. */
function timedStore(file: string, timed: Timed): SqliteStore {
  const store = new SqliteStore({ file });
  for (const name of ["claim", "due", "release"] as const) {
    const call = store[name].bind(store) as (...given: unknown[]) => Promise<never>;
    store[name] = async (...given: unknown[]) => {
      const began = performance.now();
      try {
        return await call(...given);
      } finally {
        timed[name].calls++;
        timed[name].longestMs = Math.max(timed[name].longestMs, performance.now() - began);
      }
    };
  }
  return store;
}

const rssMb = (): number => {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().rss / 1024 ** 2);
};

/** One life of a coordinator, in a process of its own. */
async function live(file: string, nodeID: string): Promise<Figures> {
  const timed: Timed = {
    claim: { calls: 0, longestMs: 0 },
    due: { calls: 0, longestMs: 0 },
    release: { calls: 0, longestMs: 0 },
  };
  const broker = new ServiceBroker({ nodeID, logger: false });
  broker.createService(TaskflowService({ store: timedStore(file, timed) }));
  const rssBeforeMb = rssMb();
  const began = performance.now();
  await broker.start();
  const readyMs = performance.now() - began;
  await delay(2_000);
  const before = process.cpuUsage();
  await delay(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  const { data } = await broker.call<{ data: { owned: number } }, undefined>("taskflow.health", undefined);
  const figures = {
    readyMs,
    rssBeforeMb,
    rssMb: rssMb(),
    cpuPercent: (user + system) / IDLE_MS / 10,
    inMemory: data.owned,
    timed,
  };
  // As if it were killed: nothing is handed over.
  return figures;
}

function liveElsewhere(file: string, nodeID: string): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [file, nodeID], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    });
    let figures: Figures | undefined;
    child.once("message", (told) => (figures = told as Figures));
    // Not before: the file is its own as long as it lives.
    child.once("exit", (code) => (figures ? resolve(figures) : reject(new Error(`The coordinator ended with ${code}.`))));
  });
}

function tell(what: string, { readyMs, rssBeforeMb, rssMb: rss, cpuPercent, inMemory, timed }: Figures): void {
  const calls = Object.entries(timed).map(
    ([name, { calls: count, longestMs }]) => `${name} ${longestMs.toFixed(1)} ms of ${count}`,
  );
  console.log(
    `${what}: ready in ${Math.round(readyMs)} ms; RSS ${rssBeforeMb} → ${rss} MB; ${inMemory} in memory; idle CPU ${cpuPercent.toFixed(2)} % of a core; longest ${calls.join(", ")}`,
  );
}

const [first, nodeID] = process.argv.slice(2);
if (process.send && first !== undefined && nodeID !== undefined) {
  const figures = await live(first, nodeID);
  process.send(figures, () => process.exit(0));
} else {
  const count = Number(first ?? 100_000);
  const folder = mkdtempSync(join(tmpdir(), "taskflow-idle-"));
  const file = join(folder, "taskflow.db");
  try {
    tell("an empty store", await liveElsewhere(file, "empty"));
    const began = performance.now();
    await fill(file, count);
    console.log(`${count} taskflows that wait were stored in ${Math.round(performance.now() - began)} ms`);
    const { firstMs, medianMs, longestMs } = timeSearch(file);
    console.log(
      `a claim's search for ${BATCH} of them, without taking: first ${firstMs.toFixed(1)} ms, median ${medianMs.toFixed(1)} ms, longest ${longestMs.toFixed(1)} ms of ${SEARCHES}`,
    );
    tell("another name", await liveElsewhere(file, "after"));
    tell("the same name again", await liveElsewhere(file, "after"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

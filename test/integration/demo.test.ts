/**
 * The demos, as a visitor runs them: real processes, each on a folder of its own. They wait far
 * more than they work, so all of them are started at once, and each test waits for its own.
 */
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICES } from "../../examples/home-group/devices.ts";
import { Home, type Line } from "../../examples/home-group/home.ts";
import { eventually } from "../helpers/eventually.ts";
import { startProcess } from "../helpers/processes.ts";
import type { TestProcess } from "../helpers/processes.ts";
import { tempFolder } from "../helpers/temp.ts";

jest.setTimeout(60_000);

const DEVICE_NAMES = Object.keys(DEVICES);

const running: TestProcess[] = [];

function start(file: string, folder: string, ...args: string[]): TestProcess {
  const child = startProcess(`examples/home-group/${file}`, { args, env: { DEMO_DATA: folder, NATS_URL: undefined } });
  running.push(child);
  return child;
}

/** Rows of the table at the end: name, status, attempts. */
function summaryOf({ stdout }: TestProcess): Record<string, { status: string; attempts: number }> {
  const rows = stdout.matchAll(/^ {2}(\S+) +(SUCCESS|FAILED|WAITING) +(\d+) +[\d.]+ s/gm);
  return Object.fromEntries(
    [...rows].map(([, name = "", status = "", attempts]) => [name, { status, attempts: Number(attempts) }]),
  );
}

const asked = (folder: string, call: Line["call"]): Line[] =>
  new Home(join(folder, "home.jsonl")).lines().filter((line) => line.call === call && line.phase === "asked");

/**
 * @param blind attempts that the device may have needed which is offline twice: a delivery that a
 * crash has lost counts for the device only
 */
async function expectTenDevices(child: TestProcess, blind: readonly number[] = [3]): Promise<void> {
  expect({ ...(await child.exited), stderr: child.stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  expect(child.stdout).toMatch(/COMPLETED in [\d.]+ s: 11 of 11 tasks succeeded/);
  const summary = summaryOf(child);
  expect(Object.keys(summary)).toEqual(["createGroup", ...DEVICE_NAMES]);
  expect(DEVICE_NAMES).toHaveLength(10);
  for (const [name, row] of Object.entries(summary)) {
    expect(row.status).toBe("SUCCESS");
    expect(name === "window-blind" ? blind : [1]).toContain(row.attempts);
  }
}

/** False for a process that has ended, also where nobody has taken note of its end. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
}

// SIGTERM, so that they end the processes that they have started.
afterAll(async () => {
  await Promise.all(running.filter(({ exit }) => exit === undefined).map((child) => child.end("SIGTERM")));
});

interface Run {
  readonly folder: string;
  readonly child: TestProcess;
}

function begin(file: string, ...args: string[]): Run {
  const folder = tempFolder();
  return { folder, child: start(file, folder, ...args) };
}

let plain: Run;
let crashed: Run;
let crashedToo: Run;
let overNats: Run;
let overNatsKilled: Run;

beforeAll(() => {
  plain = begin("demo.ts");
  crashed = begin("demo.ts", "--crash");
  crashedToo = begin("demo.ts", "--crash");
  overNats = begin("demo-nats.ts");
  overNatsKilled = begin("demo-nats.ts", "--kill");
});

describe("npm run demo", () => {
  it("adds ten devices to a group that is created once, and tries the one that is offline three times", async () => {
    await expectTenDevices(plain.child);
    expect(asked(plain.folder, "createGroup")).toHaveLength(1);
    expect(asked(plain.folder, "AddApplianceToGroup")).toHaveLength(12);
  });

  it("tells of every change as a line where there is no terminal, the wait for the next attempt included", async () => {
    await plain.child.exited;
    const { stdout } = plain.child;
    expect(stdout).not.toContain("\u001B");
    expect(stdout).toMatch(/TASK +window-blind +RETRY_DELAY +device offline: attempt 2 of 4 in 1\.5 s/);
    expect(stdout).toMatch(/TASK +window-blind +RUNNING +attempt 3 of 4/);
    for (const name of DEVICE_NAMES) expect(stdout).toMatch(new RegExp(`TASK +${name} +SUCCESS`));
    expect(stdout).toMatch(/TASKFLOW +configure-group +COMPLETED/);
  });

  it("says that there is nothing to resume after a run that has finished", async () => {
    await plain.child.exited;
    const again = start("demo.ts", plain.folder, "--resume");
    expect((await again.exited).code).toBe(1);
    expect(again.stdout).toContain("There is nothing to resume");
  });
});

describe("npm run demo:order", () => {
  it("undoes an order in reverse, and has another one go on by a person's decision", async () => {
    const order = startProcess("examples/order/demo.ts");
    running.push(order);
    expect({ ...(await order.exited), stderr: order.stderr }).toEqual({ code: 0, signal: null, stderr: "" });
    const told = [...order.stdout.matchAll(/^ {4}(undo \w+|\w+) {2,}([A-Z]+)/gm)].map(([, name, status]) => `${name} ${status}`);
    const steps = ["reserve RUNNING", "reserve SUCCESS", "book RUNNING", "book SUCCESS", "charge RUNNING", "charge FAILED"];
    const undo = ["undo book RUNNING", "undo book SUCCESS", "undo reserve RUNNING", "undo reserve SUCCESS"];
    const first = ["order WAITING", "order RUNNING", ...steps];
    const goOn = ["order PAUSED", "order RUNNING", "charge RUNNING", "charge SUCCESS", "order COMPLETED"];
    expect(told).toEqual([...first, "order FAILED", ...undo, ...first, ...goOn]);
    expect(order.stdout).toContain("A person must decide");
    expect(order.stdout).toContain("1 task will run, 2 keep what they have done");
  });
});

describe("npm run demo, killed in the middle", () => {
  it("is finished by --resume without creating the group again or repeating a device that was stored", async () => {
    const { folder, child } = crashed;
    expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
    const stored = DEVICE_NAMES.filter((name) => new RegExp(`TASK +${name} +SUCCESS`).test(child.stdout));
    expect(stored.length).toBeGreaterThanOrEqual(3);
    expect(stored.length).toBeLessThan(10);

    const resumed = start("demo.ts", folder, "--resume");
    await expectTenDevices(resumed, [2, 3]);

    expect(resumed.stdout).toContain("killed here");
    expect(resumed.stdout).toContain("delivered again after the crash");
    expect(asked(folder, "createGroup")).toHaveLength(1);
    const devices = asked(folder, "AddApplianceToGroup").map(({ applianceId = "" }) => applianceId);
    for (const name of stored) expect(devices.filter((device) => device === name)).toEqual([name]);
  });

  it("is finished meanwhile by a new run that does not ask for it", async () => {
    const { folder, child } = crashedToo;
    await child.exited;
    const next = start("demo.ts", folder);
    await expectTenDevices(next);
    expect(next.stdout).toContain("An interrupted run goes on by itself meanwhile");
    const groups = asked(folder, "createGroup").map(({ groupId }) => groupId);
    expect(groups).toHaveLength(2);
    const lines = new Home(join(folder, "home.jsonl")).lines();
    for (const groupId of groups) {
      const done = lines.filter(
        (line) => line.groupId === groupId && line.call === "AddApplianceToGroup" && line.phase === "done",
      );
      expect(new Set(done.map(({ applianceId }) => applianceId)).size).toBe(10);
    }
  });
});

const pidsOf = ({ stdout }: TestProcess): number[] => [...stdout.matchAll(/ process (\d+)/g)].map(([, pid]) => Number(pid));

describe("npm run demo:nats", () => {
  it("does the same as separate processes over NATS, and leaves none of them behind", async () => {
    const { folder, child } = overNats;
    await expectTenDevices(child);
    expect(asked(folder, "createGroup")).toHaveLength(1);
    expect(pidsOf(child)).toHaveLength(3);
    expect(pidsOf(child).filter(isRunning)).toEqual([]);
  });

  it("finishes after its coordinator was killed in the middle, without creating the group again", async () => {
    const { folder, child } = overNatsKilled;
    await expectTenDevices(child, [2, 3]);
    expect(child.stdout).toMatch(/kill -9 \d+: the coordinator is gone[^]*started again/);
    expect(asked(folder, "createGroup")).toHaveLength(1);
  });

  it("ends its processes when it is interrupted", async () => {
    const { child } = begin("demo-nats.ts");
    await eventually(() => expect(child.stdout).toMatch(/TASK +createGroup +RUNNING/), { timeoutMs: 20_000 });
    expect((await child.end("SIGINT")).code).toBe(130);
    expect(pidsOf(child)).toHaveLength(3);
    await eventually(() => expect(pidsOf(child).filter(isRunning)).toEqual([]));
  });
});

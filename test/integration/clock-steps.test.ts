/** The machine's clock steps while a retry delay runs, and while no coordinator does. */
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../lib/adapters/system/clock.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { tempFolder } from "../helpers/temp.ts";

afterEach(async () => {
  await stopLocalNodes();
  jest.restoreAllMocks();
});

const HOUR_MS = 3_600_000;
const DELAY_MS = 1_500;

function stepClock(byMs: number): void {
  const real = Date.now.bind(Date);
  jest.restoreAllMocks();
  jest.spyOn(Date, "now").mockImplementation(() => real() + byMs);
}

/** Fails once; remembers when it ran, by the monotonic clock. */
function failingOnce(runs: number[]): ServiceSchema {
  return {
    name: "svc",
    actions: {
      work() {
        runs.push(performance.now());
        if (runs.length === 1) throw new Error("Not yet.");
      },
    },
  };
}

const flow = {
  options: { maxRetries: 1, retryDelay: DELAY_MS },
  stages: [
    { name: "only", tasks: [{ name: "t", type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: "work" } }] },
  ],
};

const waited = ([first = 0, second = Number.POSITIVE_INFINITY]: number[]): number => second - first;

test.each([
  ["back", -HOUR_MS],
  ["forward", HOUR_MS],
])(
  "an armed delay takes its time when the clock is set %s an hour",
  async (_direction, byMs) => {
    const runs: number[] = [];
    const node = await startLocalNode({
      services: [failingOnce(runs)],
      taskflow: { store: `sqlite:${join(tempFolder(), "flow.db")}` },
    });
    const { taskflowId } = await node.client.produce(flow);
    await eventually(() => expect(runs).toHaveLength(1));
    await delay(200);
    stepClock(byMs);
    await eventually(() => expect(runs).toHaveLength(2), { timeoutMs: 10_000 });
    expect(waited(runs)).toBeGreaterThan(DELAY_MS - 50);
    expect(waited(runs)).toBeLessThan(DELAY_MS + 1_500);
    expect((await node.client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
  },
  20_000,
);

test("a stored delay takes the whole delay at most after a start with a clock an hour behind", async () => {
  const runs: number[] = [];
  const store = `sqlite:${join(tempFolder(), "flow.db")}`;
  const node = await startLocalNode({ services: [failingOnce(runs)], taskflow: { store } });
  await node.client.produce(flow);
  await eventually(() => expect(runs).toHaveLength(1));
  await delay(200);
  await node.stop();
  stepClock(-HOUR_MS);
  const from = performance.now();
  await startLocalNode({ services: [failingOnce(runs)], taskflow: { store } });
  await eventually(() => expect(runs).toHaveLength(2), { timeoutMs: 15_000 });
  expect(performance.now() - from).toBeLessThan(2 * DELAY_MS + 3_000);
}, 30_000);

describe("a timer of the machine's clock", () => {
  test("is armed once: a step of the clock changes nothing", async () => {
    const clock = new SystemClock();
    const fired: number[] = [];
    const from = performance.now();
    clock.at(clock.now() + 300, () => void fired.push(performance.now() - from));
    stepClock(-HOUR_MS);
    await eventually(() => expect(fired).toHaveLength(1));
    expect(fired[0]).toBeGreaterThan(250);
    clock.at(clock.now() + 300, () => void fired.push(0));
    stepClock(HOUR_MS);
    await delay(100);
    expect(fired).toHaveLength(1);
    await eventually(() => expect(fired).toHaveLength(2));
  });
});

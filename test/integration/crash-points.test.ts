/** A coordinator that is killed anywhere: the next one makes of it what would have been without the crash. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { Lanes } from "../../lib/adapters/lanes.ts";
import { NEVER, happeningOf } from "../crash/paths.ts";
import { answerOf, type CrashPoint, EFFECTS, POINTS } from "../crash/points.ts";
import { type Result, scenario } from "../crash/scenario.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { tempFolder } from "../helpers/temp.ts";

/** At once: each is a process that starts. */
const LANES = 3;
const ALL_MS = 900_000;

let nats: NatsServer;
beforeAll(async () => {
  nats = await startNatsServer();
});
afterAll(() => nats.stop());

test("the points cover every kind of effect, and what comes back of it", () => {
  for (const verb of Object.values(EFFECTS)) {
    for (const point of [`before ${verb}`, `after ${verb}`, `before ${answerOf(verb)}`, `after ${answerOf(verb)}`]) {
      expect(POINTS).toContain(point);
    }
  }
});

test("every point is reached on some store", () => {
  const unreachable = POINTS.filter((point) => Object.values(NEVER).every((never) => happeningOf(point) in never));
  expect(unreachable).toEqual([]);
});

function suite(kind: keyof typeof NEVER, newStore: () => string): void {
  const points = POINTS.filter((point) => !(happeningOf(point) in (NEVER[kind] ?? {})));
  const results = new Map<CrashPoint, Promise<Result>>();
  let reference: Result;
  beforeAll(async () => {
    const compiled = tempFolder();
    const run = (point?: CrashPoint): Promise<Result> => scenario({ natsUrl: nats.url, store: newStore(), compiled }, point);
    reference = await run();
    const lanes = new Lanes(LANES);
    for (const point of points) {
      const result = lanes.run(() => run(point));
      // Its test tells.
      result.catch(() => undefined);
      results.set(point, result);
    }
  }, 120_000);
  // What fails early must not leave others running behind it.
  afterAll(async () => {
    await Promise.allSettled(results.values());
  }, ALL_MS);

  test.each(points)(
    "killed %s",
    async (point) => {
      const result = await results.get(point);
      // Two taskflows, where the way to the point needs another one.
      expect(result).toMatchObject(reference);
    },
    ALL_MS,
  );
}

describe("a coordinator on SQLite ends its taskflows as without a crash", () => {
  suite("SQLite", () => `sqlite:${join(tempFolder(), "flow.db")}`);
});
describeOnMongo("a coordinator on MongoDB ends its taskflows as without a crash", (server) =>
  suite("MongoDB", () => server().newUrl()),
);

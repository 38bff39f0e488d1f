/** A coordinator that is killed anywhere: the next one makes of it what would have been without the crash. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { NEVER, happeningOf } from "../crash/paths.ts";
import { answerOf, BUS, CLOCK, commitOf, type CrashPoint, EFFECTS, FACTS, POINTS, STORE } from "../crash/points.ts";
import { type Result, scenario } from "../crash/scenario.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { tempFolder } from "../helpers/temp.ts";

/** Each is two or three processes, one after another. */
const AT_ONCE = 4;
const ONE_MS = 240_000;

let nats: NatsServer;
beforeAll(async () => {
  nats = await startNatsServer();
});
afterAll(() => nats.stop());

test("the points cover every kind of effect, and what comes back of it", () => {
  const kinds: Readonly<Record<string, string>> = Object.fromEntries(
    Object.entries({ store: STORE, bus: BUS, clock: CLOCK }).flatMap(([port, verbs]) =>
      Object.entries(verbs).map(([verb, kind]) => [`${port}.${verb}`, kind]),
    ),
  );
  const happenings: Readonly<Record<string, (verb: string) => string[]>> = {
    acts: (verb) => [verb],
    hears: (verb) => [verb, answerOf(verb)],
    commits: (verb) => Object.keys(FACTS).map((fact) => commitOf(verb, fact)),
    looks: () => [],
  };
  const covered = Object.values(EFFECTS).flatMap((verb) => happenings[kinds[verb] ?? ""]?.(verb) ?? [`${verb}: of no kind`]);
  expect(POINTS).toEqual(expect.arrayContaining(covered.flatMap((each) => [`before ${each}`, `after ${each}`])));
});

test("every point is reached on some store, but for what takes two coordinators", () => {
  const unreachable = POINTS.filter((point) => Object.values(NEVER).every((never) => happeningOf(point) in never));
  expect(unreachable.filter((point) => !point.endsWith("bus.forward"))).toEqual([]);
});

function suite(kind: keyof typeof NEVER, newStore: () => string): void {
  const points = POINTS.filter((point) => !(happeningOf(point) in (NEVER[kind] ?? {})));
  const begun: Promise<Result>[] = [];
  let run: (point?: CrashPoint) => Promise<Result>;
  let reference: Result;
  beforeAll(async () => {
    const compiled = tempFolder();
    run = (point) => scenario({ natsUrl: nats.url, store: newStore(), compiled }, point);
    reference = await run();
  }, ONE_MS);
  // What is ahead of a test that failed must not go on behind the tests.
  afterAll(async () => {
    await Promise.allSettled(begun);
  }, ONE_MS);

  /** The result at this place. Those that follow have begun by then. */
  function resultAt(place: number): Promise<Result> {
    for (const [ahead, point] of points.slice(place, place + AT_ONCE).entries()) {
      const result = (begun[place + ahead] ??= run(point));
      // Its test tells.
      result.catch(() => undefined);
    }
    return begun[place] as Promise<Result>;
  }

  test.each(points.map((point, place) => ({ point, place })))(
    "killed $point",
    async ({ place }) => {
      const result = Object.entries(await resultAt(place));
      // One that waits when its coordinator stops is in no other run.
      expect(reference).toMatchObject(Object.fromEntries(result.filter(([id]) => id in reference)));
    },
    ONE_MS,
  );
}

describe("a coordinator on SQLite ends its taskflows as without a crash", () => {
  suite("SQLite", () => `sqlite:${join(tempFolder(), "flow.db")}`);
});
describeOnMongo("a coordinator on MongoDB ends its taskflows as without a crash", (server) => {
  suite("MongoDB", () => server().newUrl());
});

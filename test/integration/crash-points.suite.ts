/**
 * A coordinator that is killed anywhere, on one store: the next one makes of it what would have
 * been without the crash.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { NEVER, happeningOf } from "../crash/paths.ts";
import { type CrashPoint, POINTS } from "../crash/points.ts";
import { type Result, scenario } from "../crash/scenario.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { tempFolder } from "../helpers/temp.ts";

/** Each is two or three processes, one after another. */
const AT_ONCE = 4;
const ONE_MS = 240_000;

/**
 * For the body of a `describe`.
 * @param isWanted which of the points that the store has; absent: all
 */
export function crashPoints(
  kind: keyof typeof NEVER,
  newStore: () => string,
  isWanted: (point: CrashPoint) => boolean = () => true,
): void {
  const points = POINTS.filter((point) => !(happeningOf(point) in (NEVER[kind] ?? {})) && isWanted(point));
  const begun: Promise<Result>[] = [];
  let run: (point?: CrashPoint) => Promise<Result>;
  let reference: Result;
  let nats: NatsServer;
  beforeAll(async () => {
    nats = await startNatsServer();
    const compiled = tempFolder();
    run = (point) => scenario({ natsUrl: nats.url, store: newStore(), compiled }, point);
    reference = await run();
  }, ONE_MS);
  // What is ahead of a test that failed must not go on behind the tests.
  afterAll(async () => {
    await Promise.allSettled(begun);
    await nats.stop();
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

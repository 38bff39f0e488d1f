/** Crash points on SQLite, and that the list of them is whole. */
import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { NEVER, happeningOf } from "../crash/paths.ts";
import { answerOf, BUS, CLOCK, commitOf, EFFECTS, FACTS, POINTS, SANDBOX, STORE } from "../crash/points.ts";
import { tempFolder } from "../helpers/temp.ts";
import { crashPoints } from "./crash-points.suite.ts";

test("the points cover every kind of effect, and what comes back of it", () => {
  const kinds: Readonly<Record<string, string>> = Object.fromEntries(
    Object.entries({ store: STORE, bus: BUS, clock: CLOCK, sandbox: SANDBOX }).flatMap(([port, verbs]) =>
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

test("every point is reached on some store, but for what takes two coordinators, two workers, a long journal or a commit without an answer", () => {
  const unreachable = POINTS.filter((point) => Object.values(NEVER).every((never) => happeningOf(point) in never));
  const takesMore = /bus\.forward$|store\.compact$|store\.repair$|store\.commit of undelivered$/;
  expect(unreachable.filter((point) => !takesMore.test(point))).toEqual([]);
});

describe("a coordinator on SQLite ends its taskflows as without a crash", () => {
  crashPoints("SQLite", () => `sqlite:${join(tempFolder(), "flow.db")}`);
});

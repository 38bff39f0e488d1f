/** Every reason of `explainTaskflow`, with a state that has it. */
import { describe, expect, test } from "@jest/globals";
import { explain } from "../../lib/core/explain/explain.ts";
import type { Explanation } from "../../schemas/explanation.schema.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { REASON_CODES, type ReasonCode } from "../../schemas/reasons.ts";
import type { Observations } from "../../lib/core/explain/observed.ts";
import { CoreRun, error, failed, json, START } from "../helpers/core-run.ts";
import { readText } from "../helpers/source-files.ts";
import { observed, type Case, command, own, rule, sentFlow } from "./explain/case.ts";
import { END_CASES } from "./explain/end-cases.ts";
import { FLOW_CASES } from "./explain/flow-cases.ts";
import { TASK_CASES } from "./explain/task-cases.ts";

const CASES: readonly Case[] = [...TASK_CASES, ...FLOW_CASES, ...END_CASES];

const explained = ({ make, more = {}, later = 0 }: Case): Explanation => {
  const run = make();
  run.now += later;
  return explain(run.flow, observed(run, more));
};

describe("each reason", () => {
  test.each(CASES.map((each) => [each.code, each.title, each] as const))("%s: %s", (code, _title, each) => {
    const { reasons, summary } = explained(each);
    const reason = reasons.find((candidate) => candidate.code === code);
    expect(reason).toMatchObject({ code, sentence: each.sentence, data: each.data ?? {} });
    // toMatch looks for a string literally.
    expect(reason?.movedBy).toMatch(each.movedBy ?? /\S{3}/);
    expect(summary).toMatch(/^Taskflow "flow-1" is [A-Z_]+(, \d+ of \d+ tasks? (is|are) done)?\. \S/);
    for (const { sentence } of reasons) expect(sentence).not.toMatch(/undefined|null|NaN/);
  });

  test("occurs in some state, and in the documentation", () => {
    expect(REASON_CODES.filter((code) => !CASES.some((each) => each.code === code))).toEqual([]);
    const documented = [...readText("docs/explain.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    expect(documented).toEqual(REASON_CODES);
  });
});

describe("other reasons do not occur", () => {
  test.each<[string, Partial<Observations>, ReasonCode[]]>([
    ["nothing in the way", {}, ["DUE", "EARLIER_STAGE"]],
    ["no worker", { offers: () => 0 }, ["NO_WORKER", "EARLIER_STAGE"]],
    ["its action paused, and no worker", { offers: () => 0, pausedBy: () => rule }, ["ACTION_PAUSED", "EARLIER_STAGE"]],
    ["the bus down", { isBusUp: false, offers: () => 0 }, ["BUS_DOWN", "EARLIER_STAGE"]],
    ["draining", { owner: own({ isDraining: true }) }, ["DRAINING", "EARLIER_STAGE"]],
    ["at rest in the store", { owner: own({ isLoaded: false, restsUntil: START + 1 }) }, ["DUE", "EARLIER_STAGE"]],
  ])("a due task with %s", (_title, more, codes) => {
    const run = new CoreRun([["a"], ["b"]]).begin();
    expect(explain(run.flow, observed(run, more)).reasons.map(({ code }) => code)).toEqual(codes);
  });

  test("a paused taskflow has reasons of running tasks, not of waiting ones", () => {
    const run = new CoreRun([["a", "b"]], { options: { maxConcurrency: 1 } }).begin();
    run.send();
    command(run, { kind: "pause" });
    expect(explain(run.flow, observed(run)).reasons.map(({ code }) => code)).toEqual(["PAUSED", "RUNNING"]);
  });

  test("a state from the store has the same reasons as the one in memory", () => {
    const run = sentFlow({ maxRetries: 1 });
    run.answer("a", failed());
    const flow = replay(run.entries.map(({ at, facts }) => decodeEntry(encodeEntry(at, facts))));
    expect(explain(flow, observed(run))).toEqual(explain(run.flow, observed(run)));
  });
});

test("lists at most 20 reasons of a code and 100 in all, and counts the others", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
  const run = new CoreRun([names, ...Array.from({ length: 200 }, (_, index) => [`later${index}`])]).begin();
  run.send(500);
  const { reasons, omitted, summary } = explain(run.flow, observed(run));
  const kept = Map.groupBy(reasons, ({ code }) => code);
  expect(Array.from(kept, ([code, list]) => [code, list.length])).toEqual([
    ["DUE", 20],
    ["RUNNING", 20],
    ["EARLIER_STAGE", 20],
  ]);
  expect(omitted).toEqual({ DUE: 480, RUNNING: 480, EARLIER_STAGE: 180 });
  expect(summary).toContain("(1199 more reasons)");
});

test("an answer with the longest names and errors still fits into a message", () => {
  const names = Array.from({ length: 300 }, (_, index) => `${index}`.padEnd(256, "€"));
  const run = new CoreRun([names]).begin();
  run.send();
  const long = { ...error("X".repeat(256)), message: "€".repeat(100_000), nodeID: "n".repeat(256) };
  for (const name of names) run.answer(name, failed({ error: long }));
  const answer = explain(run.flow, observed(run));
  expect(Buffer.byteLength(json(answer))).toBeLessThan(256 * 1024);
});

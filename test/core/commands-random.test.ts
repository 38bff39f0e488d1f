import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isEvent } from "../../lib/core/apply.ts";
import { assertFlow } from "../../lib/core/assert-flow.ts";
import { type Flow, isFinished } from "../../lib/core/flow.ts";
import { taskId } from "../../lib/core/ids.ts";
import type { Outcome } from "../../lib/core/inputs.ts";
import { decodeEntry, replay } from "../../lib/core/journal.ts";
import { aMove, anOutcome, aRetry, play, someFlow } from "../helpers/core-moves.ts";
import { answered, type CoreRun, fingerprint, NEVER, picture, written } from "../helpers/core-run.ts";

/** The journal tells the same taskflow, and its events are numbered without gaps. */
function expectReplayed(run: CoreRun): void {
  const again = replay(written(run).map(decodeEntry));
  // Much faster than `toEqual`, which is to say where they differ.
  if (!isDeepStrictEqual(picture(again), picture(run.flow))) expect(picture(again)).toEqual(picture(run.flow));
  assertFlow(again);
  expect(run.flow.seq).toBe(run.entries.flatMap(({ facts }) => facts.filter(isEvent)).length);
}

const idsOf = (data: Readonly<Record<string, unknown>>, key: string): string[] =>
  (data[key] as { taskId: string }[]).map((one) => one.taskId);

const namesOf = ({ tasks, idBase }: Flow, ids: readonly string[]): string[] =>
  tasks.filter(({ ordinal }) => ids.includes(taskId(idBase, ordinal))).map(({ definition }) => definition.name);

/** Goes on to the end, or until somebody has to decide. Answers what was sent. */
function drive(run: CoreRun, outcomes: () => Outcome): Set<string> {
  const sent = new Set<string>();
  for (let turn = 0; turn < 200; turn++) {
    const { due, tasks } = run.flow;
    for (const task of tasks) {
      if (task.open && task.doubt !== null && !due.has(task.ordinal)) run.reply(task.definition.name, NEVER);
      if (task.open && task.retryAt !== null && !due.has(task.ordinal)) run.endDelay(task.definition.name);
    }
    for (const name of run.send()) sent.add(name);
    const running = tasks.filter((task) => task.status === "RUNNING");
    for (const task of running) if (task.status === "RUNNING") run.answer(task.definition.name, outcomes());
    if (running.length === 0 && (due.size === 0 || run.flow.status !== "RUNNING")) return sent;
  }
  throw new Error("It does not come to an end.");
}

describe("whatever is commanded and happens, in any order", () => {
  test("the taskflow stays sound, and its journal tells all of it", () => {
    fc.assert(
      fc.property(someFlow, fc.array(aMove, { maxLength: 40 }), (flow, moves) => {
        expectReplayed(play(flow, moves));
      }),
      { numRuns: 2_000 },
    );
  });

  test("it comes to an end once nobody holds it and everybody decides", () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(someFlow, fc.array(aMove, { maxLength: 40 }), (flow, moves) => {
        const run = play(flow, moves);
        if (run.flow.hold) run.obey({ kind: "resume" });
        for (let turn = 0; turn < 20 && !isFinished(run.flow.status); turn++) {
          for (const ordinal of run.flow.awaiting) {
            const name = run.flow.tasks[ordinal]?.definition.name ?? "";
            if (!run.flow.aborting) run.obey({ kind: "resolveTask", task: name, outcome: "SKIPPED", reason: "enough" });
          }
          drive(run, () => answered(1));
        }
        expect(isFinished(run.flow.status)).toBe(true);
        ends.add(run.flow.status);
        expectReplayed(run);
      }),
      { numRuns: 2_000 },
    );
    expect([...ends].sort()).toEqual(["CANCELLED", "COMPLETED", "FAILED", "PARTIAL_COMPLETED"]);
  });
});

describe("a dry run of a retry", () => {
  test("answers what then happens: with handlers that succeed exactly that is sent, and nothing else ever", () => {
    const seen = { refused: 0, nothing: 0, exact: 0, paused: 0, spared: 0, cut: 0 };
    fc.assert(
      fc.property(
        someFlow,
        fc.array(aMove, { maxLength: 30 }),
        aRetry,
        fc.array(anOutcome, { maxLength: 5 }),
        (flow, moves, retry, failing) => {
          const run = play(flow, moves);
          const before = fingerprint(run.flow);
          const dry = run.command({ ...retry, dryRun: true });
          expect(dry.facts).toEqual([]);
          expect(dry.effects).toEqual([]);
          expect(fingerprint(run.flow)).toBe(before);
          if (!dry.answer.ok) {
            seen.refused++;
            expect(run.command(retry).answer).toEqual(dry.answer);
            expect(fingerprint(run.flow)).toBe(before);
            return;
          }
          const running = run.flow.tasks.filter((task) => task.status === "RUNNING").map((task) => task.definition.name);
          const wasFinished = isFinished(run.flow.status);
          const from = run.facts.length;
          const told = namesOf(run.flow, [...idsOf(dry.answer.data, "retried"), ...idsOf(dry.answer.data, "follows")]);
          const reused = idsOf(dry.answer.data, "reused");
          const kept = run.flow.tasks.map(({ attempts }) => attempts.length);
          const real = run.command(retry);
          const { reused: _, compensated, follows: _follows, ...answer } = dry.answer.data;
          expect(compensated).toEqual([]);
          expect(real.answer).toEqual({ ok: true, data: answer });
          if (told.length === 0) {
            seen.nothing++;
            expect(real.facts).toEqual([]);
            if (wasFinished) return;
          }
          if (run.flow.hold) run.obey({ kind: "resume" });
          const paused = run.flow.status === "PAUSED";
          const outcomes = failing.values();
          const sent = drive(run, () => outcomes.next().value ?? answered(1));
          const others = Array.from(sent).filter((name) => !told.includes(name) && !running.includes(name));
          if (told.length > 0) expect(others).toEqual([]);
          // What is taken over keeps its answer, and is not touched.
          for (const task of run.flow.tasks)
            if (reused.includes(taskId(run.flow.idBase, task.ordinal)))
              expect(task.attempts).toHaveLength(kept[task.ordinal] ?? 0);
          expectReplayed(run);
          if (paused) return void seen.paused++;
          const after = run.facts.slice(from);
          const isTooOld = after.some((fact) => fact.kind === "settled" && fact.error?.type === "MAX_AGE_EXCEEDED");
          if (failing.length > 0 || told.length === 0 || isTooOld) return void seen.cut++;
          // A success that came late is taken instead of a call.
          const settled = after.flatMap((fact) => (fact.kind === "settled" && fact.status === "SUCCESS" ? [fact.task] : []));
          const spared = told.filter((name) => !sent.has(name));
          expect(spared.filter((name) => !settled.includes(run.task(name).ordinal))).toEqual([]);
          if (spared.length > 0) seen.spared++;
          seen.exact++;
        },
      ),
      { numRuns: 10_000 },
    );
    // The cases that matter came up.
    for (const [name, least] of Object.entries({ refused: 500, nothing: 50, exact: 1_000, paused: 50, spared: 10, cut: 1_000 }))
      expect([name, seen[name as keyof typeof seen]]).toEqual([name, expect.any(Number)]);
    process.stdout.write(JSON.stringify(seen) + "\n");
  });
});

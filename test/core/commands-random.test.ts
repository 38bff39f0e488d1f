import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isEvent } from "../../lib/core/journal/apply.ts";
import type { Command, RetryCommand } from "../../lib/core/model/command.ts";
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { decide, type Decision } from "../../lib/core/decide.ts";
import { type Flow, isFinished } from "../../lib/core/model/flow.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import type { Outcome } from "../../lib/core/execution/inputs.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { aMove, anOutcome, aRetry, fitting, play, someFlow } from "../helpers/core-moves.ts";
import { answered, type CoreRun, failed, fingerprint, NEVER, picture, written } from "../helpers/core-run.ts";
import { IS_LONG, runs } from "../helpers/runs.ts";

const TRIED: readonly Command[] = [{ kind: "cancel" }, { kind: "retry", mode: "all" }];

/**
 * Replaying the journal gives the same taskflow, also after a decision on another state of the
 * same entries, and its events are numbered without gaps.
 */
function expectReplayed(run: CoreRun): void {
  const entries = written(run).map(decodeEntry);
  const tried = replay(entries);
  for (const command of TRIED) decide(tried, [{ kind: "command", correlationId: 0, command }], run.now);
  const again = replay(entries);
  // Much faster than `toEqual`.
  expect(isDeepStrictEqual(picture(again), picture(run.flow))).toBe(true);
  assertFlow(again);
  expect(run.flow.seq).toBe(run.entries.flatMap(({ facts }) => facts.filter(isEvent)).length);
}

const idsOf = (data: Readonly<Record<string, unknown>>, key: string): string[] =>
  (data[key] as { taskId: string }[]).map((one) => one.taskId);

const namesOf = ({ tasks, idBase }: Flow, ids: readonly string[]): string[] =>
  tasks.filter(({ ordinal }) => ids.includes(taskId(idBase, ordinal))).map(({ definition }) => definition.name);

/** Runs to the end, or until a decision is needed. Returns the attempts that were sent. */
function drive(run: CoreRun, outcomes: () => Outcome): Set<string> {
  const sent = new Set<string>();
  for (let turn = 0; turn < 200; turn++) {
    const { due, tasks } = run.flow;
    for (const task of tasks) {
      if (task.open && task.inDoubt !== null && !due.has(task.ordinal)) run.reply(task.definition.name, NEVER);
      if (task.open && task.retryAt !== null && !due.has(task.ordinal)) run.endDelay(task.definition.name);
    }
    for (const name of run.send()) sent.add(name);
    const running = tasks.filter((task) => task.status === "RUNNING");
    for (const task of running) if (task.status === "RUNNING") run.answer(task.definition.name, outcomes());
    if (running.length === 0 && (due.size === 0 || run.flow.status !== "RUNNING")) return sent;
  }
  throw new Error("It does not come to an end.");
}

describe("commands and inputs in any order", () => {
  test("keep the invariants, and replaying the journal gives the same taskflow", () => {
    fc.assert(
      fc.property(someFlow, fc.array(aMove, { maxLength: 40 }), (flow, moves) => {
        expectReplayed(play(flow, moves));
      }),
      { numRuns: runs(200, 2_000) },
    );
  });

  test("lead to an end once every pause has ended and every decision is made", () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(someFlow, fc.array(aMove, { maxLength: 40 }), (flow, moves) => {
        const run = play(flow, moves);
        if (run.flow.pause) run.handleCommand({ kind: "resume" });
        for (let turn = 0; turn < 20 && !isFinished(run.flow.status); turn++) {
          for (const ordinal of run.flow.awaiting) {
            const name = run.flow.tasks[ordinal]?.definition.name ?? "";
            if (!run.flow.aborting) run.handleCommand({ kind: "resolveTask", task: name, outcome: "SKIPPED", reason: "enough" });
          }
          drive(run, () => answered(1));
        }
        expect(isFinished(run.flow.status)).toBe(true);
        ends.add(run.flow.status);
        expectReplayed(run);
      }),
      { numRuns: runs(200, 2_000) },
    );
    expect([...ends].sort()).toEqual(["CANCELLED", "COMPLETED", "FAILED", "PARTIAL_COMPLETED"]);
  });
});

/** Runs until it has ended or a decision is needed, whatever the handlers answer. */
function driveSomewhere(run: CoreRun, outcomes: readonly Outcome[]): void {
  const next = outcomes.values();
  drive(run, () => next.next().value ?? failed({ permanent: true }));
}

describe("a dry run of a retry", () => {
  const RETRIES = runs(1_000, 10_000);
  const seen = { refused: 0, nothing: 0, exact: 0, failing: 0, paused: 0, skipped: 0 };

  function expectRefused(run: CoreRun, before: string, dry: Decision, real: Decision): void {
    seen.refused++;
    expect(real).toEqual(dry);
    expect(fingerprint(run.flow)).toBe(before);
  }

  /** One retry of a taskflow with a history: compares the dry run's answer with the actual run. */
  function check(run: CoreRun, retry: RetryCommand, outcomes: readonly Outcome[]): void {
    const before = fingerprint(run.flow);
    const dry = run.command({ ...retry, dryRun: true });
    expect([dry.facts, dry.effects]).toEqual([[], []]);
    expect(fingerprint(run.flow)).toBe(before);
    const start = run.facts.length;
    const running = run.flow.tasks.filter((task) => task.status === "RUNNING").map((task) => task.definition.name);
    const attempts = run.flow.tasks.map((task) => task.attempts.length);
    const real = run.command(retry);
    if (!dry.answer.ok) return expectRefused(run, before, dry, real);
    const { reused, compensated, follows, ...answer } = dry.answer.data;
    expect(compensated).toEqual([]);
    expect(real.answer).toEqual({ ok: true, data: answer });
    const previewed = namesOf(run.flow, [...idsOf(answer, "retried"), ...idsOf({ follows }, "follows")]);
    seen.nothing += previewed.length === 0 ? 1 : 0;
    expect(previewed.length > 0 || real.facts.length === 0).toBe(true);
    if (previewed.length === 0) return;
    if (run.flow.pause) run.handleCommand({ kind: "resume" });
    const isPaused = run.flow.status === "PAUSED";
    const next = outcomes.values();
    const sent = drive(run, () => next.next().value ?? answered(1));
    expect(Array.from(sent).filter((name) => !previewed.includes(name) && !running.includes(name))).toEqual([]);
    // Reused tasks keep their answers and do not run.
    for (const name of namesOf(run.flow, idsOf({ reused }, "reused")))
      expect([name, run.task(name).attempts.length]).toEqual([name, attempts[run.task(name).ordinal]]);
    const after = run.facts.slice(start);
    const isTooOld = after.some((fact) => fact.kind === "settled" && fact.error?.type === "MAX_AGE_EXCEEDED");
    if (isPaused) return void seen.paused++;
    if (outcomes.length > 0 || isTooOld) return void seen.failing++;
    // A late success replaces a new attempt.
    const succeeded = after.flatMap((fact) => (fact.kind === "settled" && fact.status === "SUCCESS" ? [fact.task] : []));
    const skipped = previewed.filter((name) => !sent.has(name));
    expect(skipped.filter((name) => !succeeded.includes(run.task(name).ordinal))).toEqual([]);
    if (skipped.length > 0) seen.skipped++;
    seen.exact++;
  }

  test("previews the run exactly: if all handlers succeed, the previewed tasks are sent, and no others", () => {
    fc.assert(
      fc.property(
        someFlow,
        fc.array(aMove, { maxLength: 20 }),
        fc.array(anOutcome, { minLength: 1, maxLength: 8 }),
        aRetry,
        fc.oneof(fc.constant([]), fc.array(anOutcome, { maxLength: 5 })),
        (flow, moves, past, retry, outcomes) => {
          const run = play(flow, moves);
          // Most retries have something to run.
          if (moves.length % 8 !== 0) driveSomewhere(run, past);
          check(run, moves.length % 8 === 1 ? retry : fitting(retry, flow), outcomes);
          if (moves.length % 4 === 0) expectReplayed(run);
        },
      ),
      { numRuns: RETRIES },
    );
    // The random runs covered every relevant case, and often; the rarest one in the long run.
    const shares = {
      refused: 0.1,
      exact: 0.15,
      failing: 0.1,
      paused: 0.02,
      nothing: 0.002,
      ...(IS_LONG ? { skipped: 1e-4 } : {}),
    };
    for (const [what, share] of Object.entries(shares))
      expect([what, seen[what as keyof typeof seen] >= share * RETRIES]).toEqual([what, true]);
  });
});

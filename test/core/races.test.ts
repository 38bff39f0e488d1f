import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CommandResult, Command, Expect } from "../../lib/core/model/command.ts";
import type { Fact } from "../../lib/core/journal/facts.ts";
import type { Input } from "../../lib/core/execution/inputs.ts";
import { PAUSE } from "../helpers/commands.ts";
import { answered, CoreRun, failed, json, routerTo } from "../helpers/core-run.ts";
import { runs } from "../helpers/runs.ts";

const RUNS = { numRuns: runs(600, 2_500) };

const command = (correlationId: number, given: Command, expected?: Expect): Input => ({
  kind: "command",
  correlationId,
  command: given,
  ...(expected ? { expect: expected } : {}),
});

/** Two commands and other inputs, in any order, in any number of commits. */
const anOrder = <Noise>(noise: fc.Arbitrary<Noise>) =>
  fc.record({
    noise: fc.array(noise, { maxLength: 4 }),
    at: fc.tuple(fc.nat(4), fc.nat(4)),
    swapped: fc.boolean(),
    together: fc.boolean(),
  });

/** An input, or a moment at which attempts may be sent. */
type Stimulus = Input | { readonly kind: "dispatch" };

interface Result {
  readonly answer: CommandResult;
  /** Its changes; unknown if it was handled together with others. */
  readonly facts: readonly Fact[] | undefined;
}

/** Gives the inputs; returns the results of the commands by correlation id. */
function give(run: CoreRun, inputs: readonly Stimulus[], together: boolean): Map<number, Result> {
  const results = new Map<number, Result>();
  for (const batch of together ? [inputs] : inputs.map((input) => [input])) {
    const given = batch.filter((input) => input.kind !== "dispatch");
    const { answers, facts } = run.decide(given, given.length < batch.length ? routerTo("w2") : undefined);
    for (const { correlationId, answer } of answers) results.set(correlationId, { answer, facts: together ? undefined : facts });
  }
  return results;
}

function arranged(
  { noise, at, swapped }: { noise: Stimulus[]; at: readonly [number, number]; swapped: boolean },
  pair: [Input, Input],
) {
  const inputs = [...noise];
  const [one, two] = swapped ? [pair[1], pair[0]] : pair;
  inputs.splice(at[0], 0, one);
  inputs.splice(Math.max(at[0] + 1, at[1]), 0, two);
  return inputs;
}

/** Exactly one succeeded; the other was refused with one of these types, and changed nothing. */
function expectOneWinner(results: Map<number, Result>, types: readonly string[]): number {
  const [one, two] = [results.get(1), results.get(2)];
  if (!one || !two) throw new Error("A command was not answered.");
  const [winner, loser] = one.answer.ok ? [one, two] : [two, one];
  expect([winner.answer.ok, loser.answer.ok]).toEqual([true, false]);
  expect(types).toContain(loser.answer.ok ? "none" : loser.answer.type);
  expect(loser.facts ?? []).toEqual([]);
  return one.answer.ok ? 1 : 2;
}

const answer = (task: number, attempt: number) =>
  fc.constantFrom(answered(1), failed({ permanent: true }), failed()).map((outcome): Stimulus => ({
    kind: "answer",
    task,
    attempt,
    outcome,
  }));

const noiseOf = (tasks: number, attempts: number): fc.Arbitrary<Stimulus> =>
  fc
    .tuple(fc.nat(tasks), fc.nat(attempts))
    .chain(([task, attempt]) =>
      fc.oneof(
        answer(task, attempt),
        fc.constant<Stimulus>({ kind: "timeout", task, attempt }),
        fc.constant<Stimulus>({ kind: "age" }),
        fc.constant<Stimulus>({ kind: "dispatch" }),
        fc.constant<Stimulus>({ kind: "retry-due", task, attempt }),
      ),
    );

describe("exactly one of two concurrent decisions wins, whatever other inputs arrive", () => {
  test("cancel and completion", () => {
    const ends = { COMPLETED: 0, CANCELLED: 0 };
    fc.assert(
      fc.property(fc.nat(2), fc.nat(2), fc.boolean(), fc.boolean(), (before, at, together, isRetried) => {
        const run = new CoreRun([["a", "b", "c"]]).begin();
        run.send();
        if (isRetried) {
          for (const name of ["a", "b", "c"]) run.answer(name, failed());
          run.handleCommand({ kind: "retry" });
          run.send();
        }
        const attempt = isRetried ? 1 : 0;
        const inputs: Input[] = [0, 1, 2].map((task) => ({ kind: "answer", task, attempt, outcome: answered(task) }));
        inputs.splice(before + at, 0, command(1, { kind: "cancel" }));
        const result = give(run, inputs, together).get(1);
        const isCompleted = run.flow.status === "COMPLETED";
        expect(run.flow.status).toBe(isCompleted ? "COMPLETED" : "CANCELLED");
        expect(result?.answer).toMatchObject(isCompleted ? { ok: false, type: "TASKFLOW_ALREADY_FINISHED" } : { ok: true });
        expect((isCompleted && result?.facts) || []).toEqual([]);
        ends[isCompleted ? "COMPLETED" : "CANCELLED"]++;
        // Later inputs change no status.
        const { status, seq } = run.flow;
        give(run, inputs.slice(0, 2), false);
        expect(run.flow).toMatchObject({ status, seq });
      }),
      RUNS,
    );
    expect(Math.min(ends.COMPLETED, ends.CANCELLED)).toBeGreaterThan(RUNS.numRuns / 25);
  });

  test("retry and retry, and retry while it runs", () => {
    const retries: Command[] = [
      { kind: "retry" },
      { kind: "retry", mode: "failed" },
      { kind: "retry", selection: [{ stage: "s0" }] },
      { kind: "retry", selection: [{ tasks: ["a"] }, { tasks: ["c"] }], cascade: true },
    ];
    fc.assert(
      fc.property(
        anOrder(noiseOf(2, 0)),
        fc.constantFrom(...retries),
        fc.constantFrom(...retries),
        fc.constantFrom("FAILED", "CANCELLED"),
        (order, first, second, status) => {
          const run = new CoreRun([["a", "b"], ["c"]], { options: { maxAge: 1_000 } }).begin();
          run.send();
          run.answer("b", answered(1));
          if (status === "CANCELLED") run.handleCommand({ kind: "cancel" });
          else run.answer("a", failed());
          const inputs = arranged(order, [command(1, first), command(2, second)]);
          // No concurrent input ends the new run.
          const results = give(
            run,
            inputs.filter(({ kind }) => kind !== "dispatch" && kind !== "answer"),
            order.together,
          );
          expectOneWinner(results, ["TASKFLOW_NOT_RETRYABLE"]);
          expect(run.flow.retryAttempt).toBe(1);
          expect(run.refusal(first)).toBe("TASKFLOW_NOT_RETRYABLE");
        },
      ),
      RUNS,
    );
  });

  test("decision and decision about one attempt", () => {
    const decisions: Command[] = [
      { kind: "retry" },
      { kind: "retry", selection: [{ tasks: ["a"] }] },
      { kind: "retry", selection: [{ stage: "s0" }], cascade: true },
      { kind: "resolveTask", task: "a", outcome: "SUCCESS", response: json(1), reason: "by hand" },
      { kind: "resolveTask", task: "a", outcome: "SKIPPED", reason: "by hand" },
      { kind: "cancel" },
    ];
    const types = ["TASKFLOW_CONFLICT", "TASKFLOW_NOT_RETRYABLE", "TASKFLOW_ALREADY_FINISHED", "TASK_NOT_ACTIVE", "TASK_RUNNING"];
    const winners = { 1: 0, 2: 0 };
    fc.assert(
      fc.property(
        anOrder(noiseOf(2, 1)),
        fc.constantFrom(...decisions),
        fc.constantFrom(...decisions),
        fc.boolean(),
        (order, first, second, isHeld) => {
          const run = new CoreRun([["a", "b"], ["c"]], { options: { onFailure: PAUSE } }).begin();
          run.send();
          run.answer("a", failed());
          run.answer("b", answered(1));
          if (isHeld) run.handleCommand({ kind: "pause" });
          const expected = { taskId: "a", attempt: 0 };
          const inputs = arranged(order, [command(1, first, expected), command(2, second, expected)]);
          const results = give(run, inputs, order.together);
          winners[expectOneWinner(results, types) === 1 ? 1 : 2]++;
        },
      ),
      RUNS,
    );
    expect(Math.min(winners[1], winners[2])).toBeGreaterThan(RUNS.numRuns / 5);
  });

  test("decision and decision about one revision", () => {
    const decisions: Command[] = [
      { kind: "retry" },
      { kind: "resolveTask", task: "a", outcome: "SKIPPED", reason: "by hand" },
      { kind: "cancel" },
      { kind: "pause" },
      { kind: "cancelTask", task: "c" },
      { kind: "updateTask", task: "c", params: 1 },
    ];
    fc.assert(
      fc.property(fc.constantFrom(...decisions), fc.constantFrom(...decisions), fc.boolean(), (first, second, together) => {
        const run = new CoreRun([["a", "b"], ["c"]], { options: { onFailure: PAUSE } }).begin();
        run.send();
        run.answer("a", failed());
        const { revision } = run.flow;
        const results = give(run, [command(1, first, { revision }), command(2, second, { revision })], together);
        expect(expectOneWinner(results, ["TASKFLOW_CONFLICT"])).toBe(1);
      }),
      RUNS,
    );
  });
});

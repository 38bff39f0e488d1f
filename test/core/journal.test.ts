import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { isEvent } from "../../lib/core/journal/apply.ts";
import { idBaseOf, stageId, stageIndexOf, taskId, taskOrdinalOf } from "../../lib/core/model/ids.ts";
import type { Input, Outcome } from "../../lib/core/execution/inputs.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal/journal.ts";
import { snapshotOf } from "../../lib/core/journal/snapshot.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, CoreRun, error, failed, ID_BASE, picture, type StageSketch, written } from "../helpers/core-run.ts";
import { runs } from "../helpers/runs.ts";

const anOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue().map(answered) },
  fc.constant(answered({ success: false })),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("failed" as const), permanent: fc.boolean(), error: fc.string().map(error) }),
  },
  fc.constant(failed({ retryAfterMs: 10 })),
  fc.constant(failed({ abort: "task", permanent: true })),
  fc.constant(failed({ abort: "workflow", permanent: true })),
  fc.constant<Outcome>({ kind: "unknown", error: error("WORKER_LOST") }),
  fc.constant<Outcome>({ kind: "not-sent" }),
);

const someOptions: fc.Arbitrary<Options> = fc.record(
  {
    maxRetries: fc.constantFrom(0, 1, 3, -1),
    retryDelay: fc.constantFrom(0, 10, 1_000),
    continueOnTaskFailure: fc.boolean(),
    exactlyOnceTaskExecution: fc.boolean(),
    checkSuccess: fc.boolean(),
    maxConcurrency: fc.constantFrom(1, 2),
    maxAge: fc.constantFrom(50, 5_000),
  },
  { requiredKeys: [] },
);

const someStages: fc.Arbitrary<StageSketch[]> = fc
  .array(fc.array(someOptions, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
  .map((stages) => stages.map((tasks, s) => Object.fromEntries(tasks.map((options, t) => [`t${s}${t}`, options]))));

type Move = { readonly late: number; readonly send?: number; readonly input?: Input };

const aMove: fc.Arbitrary<Move> = fc
  .tuple(fc.nat(12), fc.nat(3), fc.nat(60), fc.nat(9), anOutcome)
  .map(([task, attempt, late, choice, outcome]): Move => {
    if (choice <= 3) return { late, send: choice + 1 };
    if (choice <= 6) return { late, input: { kind: "answer", task, attempt, outcome } };
    if (choice === 7) return { late, input: { kind: "timeout", task, attempt } };
    if (choice === 8) return { late, input: { kind: "age", ...(task > 6 ? {} : { task }) } };
    return { late, input: { kind: "recover", fence: 1 + attempt } };
  });

function carryOut(stages: StageSketch[], maxAge: number | undefined, moves: readonly Move[]): CoreRun {
  const run = new CoreRun(stages, maxAge === undefined ? {} : { options: { maxAge } }).begin();
  for (const { late, send, input } of moves) {
    run.now += late;
    for (const task of run.flow.tasks) if (task.retryAt !== null && task.retryAt <= run.now) run.endDelay(task.definition.name);
    if (send !== undefined) run.send(send);
    // Most answers are of the latest attempt, because others rarely matter.
    else if (input?.kind === "answer" && input.attempt < 3)
      run.give({ ...input, attempt: run.flow.tasks[input.task]?.attempt ?? 0 });
    else if (input) run.give(input);
  }
  return run;
}

describe("the journal", () => {
  test("any history, read back from its text, gives the same taskflow, without gaps", () => {
    fc.assert(
      fc.property(
        someStages,
        fc.option(fc.constantFrom(100, 1_000), { nil: undefined }),
        fc.array(aMove, { maxLength: 60 }),
        (stages, maxAge, moves) => {
          const run = carryOut(stages, maxAge, moves);
          const entries = written(run).map(decodeEntry);
          expect(entries).toEqual(JSON.parse(JSON.stringify(run.entries)));
          const again = replay(entries);
          expect(picture(again)).toEqual(picture(run.flow));
          assertFlow(again);
          const middle = Math.ceil(entries.length / 2);
          const snapshot = [...snapshotOf(replay(entries.slice(0, middle)), run.created)];
          const texts = snapshot.map((fact) => decodeEntry(encodeEntry(0, [fact])));
          const compacted = replay([...entries.slice(0, 1), ...texts, ...entries.slice(middle)], entries.length);
          expect(picture(compacted)).toEqual(picture(again));
          expect([...compacted.due]).toEqual([...again.due]);
          const events = run.entries.flatMap(({ facts }) => facts.filter(isEvent));
          expect(run.flow.seq).toBe(events.length);
          expect(again.revision).toBe(run.entries.length);
        },
      ),
      { numRuns: runs(200, 600) },
    );
  });

  test("a taskflow that was read back reaches an end, whatever happened before", () => {
    fc.assert(
      fc.property(someStages, fc.array(aMove, { maxLength: 40 }), (stages, moves) => {
        const run = carryOut(stages, undefined, moves);
        run.flow = replay(written(run).map(decodeEntry));
        run.takeOver(9);
        for (let turn = 0; turn < 60 && run.flow.finishedAt === null; turn++) {
          for (const task of run.flow.tasks)
            if (task.status === "WAITING" && task.retryAt !== null) run.endDelay(task.definition.name);
          for (const name of run.send()) run.answer(name, answered(1));
        }
        expect(run.flow.finishedAt).not.toBeNull();
      }),
      { numRuns: runs(100, 300) },
    );
  });

  test.each([0, false, "", null, "ä\u2028🚀", { __proto__: null, a: [1, { b: null }] }, 1e21, -0.5])(
    "keeps the response %j as it is",
    (value) => {
      const run = new CoreRun([["a"]]).begin();
      run.send();
      run.answer("a", answered(value));
      const again = replay(written(run).map(decodeEntry));
      expect(again.tasks[0]?.response).toBe(JSON.stringify(value));
    },
  );

  test("keeps keys such as __proto__ as data", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    const response = '{"__proto__":{"polluted":true},"constructor":{"prototype":1}}';
    run.answer("a", { kind: "answered", response: response as never, reportedFailure: false });
    const again = replay(written(run).map(decodeEntry));
    expect(again.tasks[0]?.response).toBe(response);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("is refused if it does not begin with a definition, or names a task or stage that does not exist", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(() => replay([])).toThrow('The first fact of a journal must be "created", got none.');
    expect(() => replay([{ at: 1, facts: [{ kind: "owned", fence: 2 }] }])).toThrow('must be "created", got "owned"');
    const started = { kind: "started", task: 7, attempt: 0, node: "w" } as const;
    expect(() => replay([...run.entries, { at: 2, facts: [started] }])).toThrow(/no task 7/);
    expect(() => replay([...run.entries, { at: 2, facts: [{ kind: "stage", stage: 7, status: "RUNNING" }] }])).toThrow(
      /no stage 7/,
    );
  });

  test("a change costs the same few bytes whatever the size of the taskflow", () => {
    const size = (tasks: number): number => {
      const run = new CoreRun([Array.from({ length: tasks }, (_, index) => `t${index}`)]).begin();
      run.send(1);
      run.answer("t0", answered("ok"));
      return encodeEntry(run.now, run.entries.at(-1)?.facts ?? []).length;
    };
    expect(size(20_000)).toBe(size(2));
  });
});

describe("ids", () => {
  test("ids of stages and tasks are UUIDs that give their positions, and nothing in another taskflow", () => {
    const idBase = idBaseOf("f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    for (const place of [0, 1, 255, 99_999, 2 ** 32 - 1]) {
      expect(stageId(idBase, place)).toMatch(uuid);
      expect(taskId(idBase, place)).toMatch(uuid);
      expect(stageIndexOf(idBase, stageId(idBase, place))).toBe(place);
      expect(taskOrdinalOf(idBase, taskId(idBase, place))).toBe(place);
      expect(stageIndexOf(idBase, taskId(idBase, place))).toBeUndefined();
      expect(taskOrdinalOf(ID_BASE, taskId(idBase, place))).toBeUndefined();
    }
  });

  test("other texts are not ids", () => {
    const id = taskId(ID_BASE, 1);
    for (const other of ["", "a", `${id}0`, id.slice(0, -1), id.toUpperCase(), `${id.slice(0, -1)}g`, `${id.slice(0, -1)} `]) {
      expect(taskOrdinalOf(ID_BASE, other)).toBeUndefined();
    }
  });
});

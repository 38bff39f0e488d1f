import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { boundOfTask, truncateTask, truncateTree, shapeOf } from "../../lib/coordinator/queries/truncate.ts";
import { taskDetails, taskflowDetails } from "../../lib/core/views/details.ts";
import { bytesOf, fitEvents, truncateEvent } from "../../lib/protocol/truncate.ts";
import type { TaskDetails, TaskflowDetails } from "../../lib/index.ts";
import { answered, CoreRun, failed } from "../helpers/core-run.ts";

/** A finished stage of tasks with these responses. */
function runOf(responses: readonly unknown[]): CoreRun {
  const run = new CoreRun([
    Object.fromEntries(responses.map((_, index) => [`t${index}`, { continueOnTaskFailure: true }])),
  ]).begin();
  run.send(100_000);
  run.give(
    ...responses.map((response, task) => {
      const outcome = response instanceof Error ? failed() : answered(response);
      return { kind: "answer" as const, task, attempt: 0, outcome };
    }),
  );
  return run;
}

type Tree = TaskflowDetails & { stagesOmitted?: number };

/** As the coordinator truncates. */
function fitted({ flow }: CoreRun, maxBytes: number): Tree {
  const shape = shapeOf(flow, undefined, maxBytes);
  const tree = taskflowDetails(flow, undefined, undefined, shape);
  return (shape ? truncateTree(tree, maxBytes) : tree) as unknown as Tree;
}

const whole = ({ flow }: CoreRun): number => bytesOf(taskflowDetails(flow));
const tasksOf = (tree: Tree): TaskDetails[] => Object.values(tree.stages).flatMap((stage) => Object.values(stage.tasks));

describe("truncating a tree", () => {
  test("omits nothing if it fits, almost to the byte; otherwise the largest values first", () => {
    const run = runOf(["a".repeat(5_000), "b".repeat(20_000), "c", { d: "d".repeat(10_000) }]);
    const bytes = whole(run);
    expect(fitted(run, bytes * 10)).toEqual(taskflowDetails(run.flow));
    expect(fitted(run, bytes + 200)).toEqual(taskflowDetails(run.flow));
    const less = fitted(run, bytes - 1);
    expect(less.truncated).toBe(true);
    expect(tasksOf(less).map((task) => task.response)).toEqual([
      "a".repeat(5_000),
      { $omitted: 20_002 },
      "c",
      { d: "d".repeat(10_000) },
    ]);
    const least = fitted(run, bytes - 25_000);
    expect(tasksOf(least).map((task) => task.response)).toEqual([
      "a".repeat(5_000),
      { $omitted: 20_002 },
      "c",
      { $omitted: 10_008 },
    ]);
  });

  test("then omits attempts, then tasks, and counts them", () => {
    const run = new CoreRun([{ a: { maxRetries: -1, retryDelay: 0 }, b: {}, c: {} }, { d: {} }]).begin();
    for (let attempt = 0; attempt < 60; attempt++) {
      run.send();
      run.answer("a", failed());
      run.endDelay("a");
    }
    const bytes = whole(run);
    const withoutAttempts = fitted(run, bytes - 5_000);
    expect(tasksOf(withoutAttempts)[0]).toMatchObject({ attempts: [], attemptsOmitted: 60 });
    expect(tasksOf(withoutAttempts).length).toBe(4);
    const cut = fitted(run, 2_800);
    expect(cut.truncated).toBe(true);
    expect(Object.values(cut.stages).map((stage) => [Object.keys(stage.tasks).length, stage.tasksOmitted])).toEqual([
      [2, 1],
      [0, 1],
    ]);
  });

  test("of 20,000 tasks, or of 10,000 stages, keeps those that fit, and counts the others", () => {
    const run = runOf(Array.from({ length: 20_000 }, () => 1));
    const tree = fitted(run, 1_000_000);
    const [stage] = Object.values(tree.stages);
    expect(bytesOf(tree)).toBeLessThanOrEqual(1_000_000);
    expect(bytesOf(tree)).toBeGreaterThan(990_000);
    expect(Object.keys(stage?.tasks ?? {}).length + (stage?.tasksOmitted ?? 0)).toBe(20_000);
    const long = new CoreRun(Array.from({ length: 10_000 }, (_, index) => [`t${index}`]));
    const short = fitted(long, 1_000_000);
    expect(bytesOf(short)).toBeLessThanOrEqual(1_000_000);
    expect(Object.keys(short.stages).length + (short.stagesOmitted ?? 0)).toBe(10_000);
  });

  test("never exceeds the limit, and does not change the state", () => {
    const aResponse = fc.oneof(
      fc.jsonValue(),
      fc.nat(30_000).map((length) => "x".repeat(length)),
      fc.nat(8_000).map((length) => 'ä\u2028🚀"'.repeat(length)),
      fc.constant(new Error("failed")),
    );
    fc.assert(
      fc.property(
        fc.array(aResponse, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 3_000, max: 200_000 }),
        (responses, maxBytes) => {
          const run = runOf(responses);
          const before = JSON.stringify(taskflowDetails(run.flow));
          const tree = fitted(run, maxBytes);
          expect(bytesOf(tree)).toBeLessThanOrEqual(maxBytes);
          const all = Object.values(tree.stages).reduce(
            (sum, stage) => sum + Object.keys(stage.tasks).length + (stage.tasksOmitted ?? 0),
            0,
          );
          expect(all).toBe(responses.length);
          expect(tree.truncated === true || JSON.stringify(tree) === before).toBe(true);
          expect(JSON.stringify(taskflowDetails(run.flow))).toBe(before);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("does not even measure a small one", () => {
    const run = runOf(Array.from({ length: 20 }, () => ({ ok: true })));
    expect(shapeOf(run.flow, undefined, 1_000_000)).toBeUndefined();
    const rounds = 2_000;
    const before = performance.now();
    for (let round = 0; round < rounds; round++) shapeOf(run.flow, undefined, 1_000_000);
    const micros = ((performance.now() - before) * 1_000) / rounds;
    console.log(`a tree of 20 tasks is known to fit in ${micros.toFixed(2)} µs`);
    expect(micros).toBeLessThan(100);
  });
});

describe("truncating a task", () => {
  const referTo = (field: string, text: string): object => ({ $ref: field, bytes: Buffer.byteLength(text) });

  test("keeps all but its largest values, and never underestimates its size", () => {
    const run = runOf(["x".repeat(50_000), "ä".repeat(50_000), new Error("failed"), null]);
    for (const task of run.flow.tasks) {
      const row = taskDetails(run.flow, task);
      expect(boundOfTask(task)).toBeGreaterThanOrEqual(bytesOf(row));
      expect(bytesOf(truncateTask(row, 20_000, referTo))).toBeLessThanOrEqual(20_000);
    }
    const [first] = run.flow.tasks;
    if (!first) throw new Error("no task");
    expect(truncateTask(taskDetails(run.flow, first), 20_000, referTo)).toMatchObject({
      name: "t0",
      status: "SUCCESS",
      response: { $ref: "response", bytes: 50_002 },
    });
  });
});

describe("truncating an event", () => {
  const event = (taskResponse: unknown, taskflowObject: unknown): string =>
    JSON.stringify({ eventType: "TASK", seq: 5, timestamp: 1, data: { taskflowId: "f", taskResponse, taskflowObject } });

  test("omits the stages of its tree first, then its response, and nothing if it fits", () => {
    const tree = {
      taskflowId: "f",
      status: "RUNNING",
      stages: { s: { tasks: { a: { status: "SUCCESS", response: "x".repeat(900) }, b: { status: "FAILED" } } } },
    };
    const text = event("y".repeat(900), tree);
    expect(truncateEvent(text, text.length)).toBe(text);
    const counted = { taskflowId: "f", status: "RUNNING", truncated: true, counts: { SUCCESS: 1, FAILED: 1 } };
    expect(JSON.parse(truncateEvent(text, text.length - 1))).toMatchObject({
      seq: 5,
      data: { taskResponse: "y".repeat(900), taskflowObject: counted },
    });
    expect(JSON.parse(truncateEvent(text, 500))).toMatchObject({
      seq: 5,
      data: { taskResponse: { $omitted: 902 }, taskflowObject: counted },
    });
  });

  test("leaves it alone on its page if no other one fits", () => {
    const texts = [event("a".repeat(400), {}), event("b".repeat(400), {}), event("c", {})];
    expect(fitEvents(texts, 100_000)).toEqual(texts);
    expect(fitEvents(texts, 1_050)).toEqual(texts.slice(0, 2));
    expect(fitEvents(texts, 520).length).toBe(1);
    expect(fitEvents(texts, 10).length).toBe(1);
    expect(fitEvents([], 10)).toEqual([]);
  });
});

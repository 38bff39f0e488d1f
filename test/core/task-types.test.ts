/** Task types as the engine uses them: computed, sent, failing and unknown ones. */
import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { explain } from "../../lib/core/explain/explain.ts";
import type { Router } from "../../lib/core/execution/dispatch.ts";
import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import type { DueTask, TaskType } from "../../lib/core/model/task-type.ts";
import type { StoredDefinition, TaskDefinition } from "../../lib/core/model/values.ts";
import type { Bus } from "../../lib/ports/bus.ts";
import { taskTypesWith } from "../../lib/task-types/index.ts";
import { TaskTypeRegistry } from "../../lib/task-types/registry.ts";
import { validateTaskflow } from "../../lib/validation/index.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, calls, CoreRun, failed, fingerprint, routerTo, START, written } from "../helpers/core-run.ts";
import { CONTEXT } from "../helpers/definitions.ts";
import { observed } from "./explain/case.ts";

/** Returns its details, and fails if they say so. */
const echo: TaskType<{ value?: unknown; fails?: string }> = {
  name: "ECHO",
  schema: { type: "object" },
  begin({ definition: { taskDetails } }) {
    if (taskDetails.fails !== undefined) throw Object.assign(new Error("It cannot be worked out."), { type: taskDetails.fails });
    return { kind: "done", response: taskDetails.value };
  },
};

const types = new TaskTypeRegistry(taskTypesWith([echo]), { bus: {} as Bus, nodeID: "c1" });
const router = (free?: number, full?: () => void): Router => ({ ...routerTo("w1", free), types, ...(full ? { full } : {}) });

const echoes = (name: string, taskDetails: object, options?: Options): TaskDefinition => ({
  name,
  type: "ECHO",
  taskDetails,
  ...(options ? { options } : {}),
});
const action = (name: string, options: Options = {}): TaskDefinition => ({
  name,
  type: "ACTION",
  taskDetails: { serviceId: "svc", actionName: name },
  options,
});

/** A started run of stages "s0", "s1", …. */
function runOf(stages: readonly (readonly TaskDefinition[])[], rest: Omit<StoredDefinition, "stages"> = {}): CoreRun {
  return new CoreRun({ ...rest, stages: stages.map((tasks, index) => ({ name: `s${index}`, tasks })) }).begin();
}

const replayed = (run: CoreRun): string => fingerprint(replay(written(run).map(decodeEntry)));

describe("computed work", () => {
  test("is stored as an attempt and its success in one commit, and no worker is called", () => {
    const run = runOf([[echoes("a", { value: { n: 1 } })]]);
    const { facts, effects } = run.decide([], router());
    expect(facts).toEqual([
      { kind: "started", task: 0, attempt: 0 },
      { kind: "settled", task: 0, status: "SUCCESS", response: '{"n":1}' },
      { kind: "stage", stage: 0, status: "COMPLETED" },
      { kind: "flow", status: "COMPLETED" },
    ]);
    expect(effects).toEqual([]);
    expect(run.task("a")).toMatchObject({ response: '{"n":1}', attempt: 0 });
    expect(run.task("a").attempts).toEqual([
      { attempt: 0, deliveries: 1, startedAt: START, finishedAt: START, nodeID: null, status: "SUCCESS" },
    ]);
    expect(replayed(run)).toBe(fingerprint(run.flow));
  });

  test.each([
    [undefined, "null"],
    [null, "null"],
    [0, "0"],
    [false, "false"],
    ["", '""'],
    [{ success: false }, '{"success":false}'],
  ])("has any JSON value as its response: %j", (value, response) => {
    const run = runOf([[echoes("a", { value })]]);
    run.decide([], router());
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", response });
  });

  test("continues within the same commit with the next stage", () => {
    const run = runOf([[echoes("a", {})], [echoes("b", {}), action("c")], [echoes("d", {})]]);
    const { effects } = run.decide([], router());
    expect(calls(effects)).toMatchObject([{ task: 2, node: "w1" }]);
    expect(run.status().tasks).toEqual({ a: "SUCCESS", b: "SUCCESS", c: "RUNNING", d: "WAITING" });
    run.answer("c", answered(1));
    run.decide([], router());
    expect(run.flow.status).toBe("COMPLETED");
    expect(replayed(run)).toBe(fingerprint(run.flow));
  });

  test("is bounded by the free slots of a turn, and requests another turn for the others", () => {
    const run = runOf([Array.from({ length: 10 }, (_, index) => echoes(`t${index}`, {}))]);
    let asked = 0;
    const turn = (free: number): number => {
      run.decide(
        [],
        router(free, () => asked++),
      );
      return run.flow.settled;
    };
    expect([turn(4), asked]).toEqual([4, 1]);
    expect([turn(0), asked]).toEqual([4, 2]);
    expect([turn(6), asked]).toEqual([10, 2]);
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("waits while the taskflow is paused, or without a router", () => {
    const run = runOf([[echoes("a", {})]]);
    run.handleCommand({ kind: "pause" });
    run.decide([], router());
    expect(run.task("a").status).toBe("WAITING");
    run.handleCommand({ kind: "resume" });
    expect(run.task("a").status).toBe("WAITING");
    run.decide([], router());
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("does not start after its maxAge", () => {
    const run = runOf([[echoes("a", {}, { maxAge: 100 })]]);
    run.now += 100;
    run.decide([], router());
    expect(run.task("a")).toMatchObject({ status: "FAILED", attempts: [], error: { type: "MAX_AGE_EXCEEDED" } });
  });

  test("is computed again in a retry, as the next attempt", () => {
    const run = runOf([[echoes("a", { value: 1 })]]);
    run.decide([], router());
    run.handleCommand({ kind: "retry" });
    run.decide([], router());
    expect(run.task("a")).toMatchObject({ status: "SUCCESS", attempt: 1 });
    expect(run.task("a").attempts).toHaveLength(2);
    expect(replayed(run)).toBe(fingerprint(run.flow));
  });

  test("can compensate a task of its type", () => {
    const undone = { ...echoes("a", { value: 1 }), compensate: { taskDetails: { value: "undone" } } };
    const run = runOf([[undone], [action("b")]], { options: { onFailure: "compensate" } });
    run.decide([], router());
    run.answer("b", failed());
    run.decide([], router());
    expect(run.task("a").undo).toMatchObject({ status: "SUCCESS", response: '"undone"', definition: { type: "ECHO" } });
    expect(run.flow).toMatchObject({ status: "FAILED", undo: { status: "COMPLETED" } });
    expect(replayed(run)).toBe(fingerprint(run.flow));
  });

  test("fails for good with the error that its type throws, whatever retries are left", () => {
    const run = runOf([[echoes("a", { fails: "TOO_ODD" }, { maxRetries: 3 })]]);
    const { effects } = run.decide([], router());
    expect(run.task("a")).toMatchObject({
      status: "FAILED",
      error: { type: "TOO_ODD", name: "Error", message: "It cannot be worked out." },
      attempts: [{ attempt: 0, status: "FAILED" }],
    });
    expect(effects).toEqual([]);
    expect(run.flow.status).toBe("FAILED");
  });

  test.each<[string, () => unknown, object]>([
    ["a BigInt", () => 1n, { type: "RESPONSE_NOT_SERIALIZABLE", name: "TypeError" }],
    [
      "text that is thrown",
      () => {
        const thrown: unknown = "nonsense";
        throw thrown;
      },
      { type: "Error", name: "Error", message: "nonsense" },
    ],
  ])("survives a type that misbehaves: %s", (_title, respond, error) => {
    const odd: TaskType = { name: "ODD", schema: {}, begin: () => ({ kind: "done", response: respond() }) };
    const registry = new TaskTypeRegistry(taskTypesWith([odd]), { bus: {} as Bus, nodeID: "c1" });
    const run = runOf([[{ ...echoes("a", {}), type: "ODD" }]]);
    run.decide([], { ...router(), types: registry });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error });
  });

  test("its type sees the task's definition and attempt, and the time", () => {
    const seen: [DueTask, number][] = [];
    const watcher: TaskType = {
      name: "WATCH",
      schema: {},
      begin: (task, now) => {
        seen.push([structuredClone<DueTask>({ ...task, stage: { name: task.stage.name } }), now]);
        return { kind: "done", response: null };
      },
    };
    const registry = new TaskTypeRegistry(taskTypesWith([watcher]), { bus: {} as Bus, nodeID: "c1" });
    const run = runOf([[{ name: "a", type: "WATCH", taskDetails: { x: 1 }, params: { p: 2 }, meta: { m: 3 } }]]);
    run.now += 5;
    run.decide([], { ...router(), types: registry });
    expect(seen).toMatchObject([
      [
        {
          definition: { name: "a", type: "WATCH", taskDetails: { x: 1 }, params: { p: 2 }, meta: { m: 3 } },
          stage: { name: "s0" },
          attempt: 0,
          runAttempts: 0,
        },
        START + 5,
      ],
    ]);
  });

  test("replays to the state in memory, together with any other facts", () => {
    const task = fc.oneof(
      fc.record({ value: fc.jsonValue() }).map((details) => (name: string) => echoes(name, details)),
      fc.constant((name: string) => echoes(name, { fails: "NO" }, { continueOnTaskFailure: true })),
      fc.constant((name: string) => action(name, { maxRetries: 1 })),
    );
    const stages = fc.array(fc.array(task, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(stages, fc.array(fc.boolean(), { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), (made, luck, free) => {
        const run = runOf(made.map((tasks, stage) => tasks.map((make, index) => make(`${stage}-${index}`))));
        for (let turn = 0; turn < 200 && run.flow.finishedAt === null; turn++) {
          const { effects } = run.decide([], router(free));
          for (const { task: ordinal, attempt } of calls(effects)) {
            const outcome = (luck[(turn + ordinal) % (luck.length || 1)] ?? true) ? answered(1) : failed();
            run.give({ kind: "answer", task: ordinal, attempt, outcome });
            run.give({ kind: "retry-due", task: ordinal, attempt });
          }
          run.now += 1_000;
          for (const { ordinal, attempt, retryAt } of run.flow.tasks)
            if (retryAt !== null) run.give({ kind: "retry-due", task: ordinal, attempt });
        }
        expect(run.flow.finishedAt).not.toBeNull();
        expect(replayed(run)).toBe(fingerprint(run.flow));
      }),
      { numRuns: 300 },
    );
  });
});

describe("an unknown type", () => {
  const unknown = (): CoreRun => runOf([[{ name: "a", type: "GONE", taskDetails: {} }]]);

  test("makes its task wait: it is sent to no worker", () => {
    const run = unknown();
    const route: Router["route"] = (task) => types.dispatchOf(task).route("GONE");
    expect(run.decide([], { ...router(), route }).facts).toEqual([]);
    expect(run.task("a")).toMatchObject({ status: "WAITING", attempts: [] });
  });

  test("is named by explain, with the remedy", () => {
    const run = unknown();
    const offers = (): number => types.dispatchOf(run.task("a")).offers("GONE");
    expect(explain(run.flow, observed(run, { types, offers })).reasons).toMatchObject([
      {
        code: "NO_WORKER",
        sentence: 'Task "a" of stage "s0" waits: this coordinator does not know the type GONE.',
        data: { type: "GONE" },
        movedBy: expect.stringContaining("TaskflowService({ taskTypes })") as unknown,
      },
    ]);
  });

  test("leaves the outcome of its attempts unknown", async () => {
    const run = unknown();
    const question = { target: "GONE", node: "c1", key: "k", delivery: 1, ageMs: 0, patienceMs: 0 };
    const reply = await new Promise((resolve) => types.dispatchOf(run.task("a")).queryOutcome(question, resolve));
    expect(reply).toEqual({ kind: "silent" });
  });
});

describe("a user's types", () => {
  test("without an explanation of their own are explained in general words when no worker serves them", () => {
    const far: TaskType = { name: "FAR", schema: {}, begin: () => ({ kind: "send" }), target: () => "mars" };
    const registry = new TaskTypeRegistry(taskTypesWith([far]), { bus: {} as Bus, nodeID: "c1" });
    const run = runOf([[{ name: "a", type: "FAR", taskDetails: {} }]]);
    const { reasons } = explain(run.flow, observed(run, { types: registry, offers: () => 0 }));
    expect(reasons).toMatchObject([
      {
        code: "NO_WORKER",
        sentence: 'Task "a" of stage "s0" waits: no worker serves mars (type FAR) right now.',
        data: { type: "FAR", target: "mars" },
      },
    ]);
  });

  test.each<[unknown, string]>([
    ["http", 'taskTypes[0].name must be 1 to 64 characters of A-Z 0-9 _, starting with a letter, got "http".'],
    [undefined, "taskTypes[0].name must be 1 to 64 characters of A-Z 0-9 _, starting with a letter, got nothing."],
    ["__proto__", 'taskTypes[0].name must be 1 to 64 characters of A-Z 0-9 _, starting with a letter, got "__proto__".'],
    ["ACTION", "taskTypes[0].name must not be ACTION, a built-in type: choose another name."],
    ["WAIT", "taskTypes[0].name must not be WAIT, a built-in type: choose another name."],
  ])("need an unused name: %j", (name, message) => {
    expect(() => taskTypesWith([{ ...echo, name: name as string }])).toThrow(new RangeError(message));
  });

  test("need distinct names", () => {
    expect(() => taskTypesWith([echo, echo])).toThrow(
      new RangeError("taskTypes[1].name must be unique, got ECHO a second time."),
    );
  });
});

test.each<[string, Partial<TaskType>]>([
  ["check", { check: () => JSON.parse("{") as undefined }],
  ["target", { target: (details) => new URL((details as { url: string }).url).host }],
])("details that a type's %s cannot read are a problem of the definition", (_member, more) => {
  const web: TaskType = { name: "WEB", schema: {}, begin: () => ({ kind: "send" }), ...more };
  const tasks = [{ name: "a", type: "WEB", taskDetails: { url: "nonsense" } }];
  const checked = validateTaskflow({ tasks }, { ...CONTEXT, taskTypes: taskTypesWith([web]) });
  expect(checked).toMatchObject({
    ok: false,
    problems: [
      { path: "/tasks/0/taskDetails", message: expect.stringContaining("the type WEB can read, got an error: ") as unknown },
    ],
  });
});

import { describe, expect, test } from "@jest/globals";
import { COMMANDS_KEPT } from "../../lib/core/apply.ts";
import type { Command, Expect } from "../../lib/core/command.ts";
import { executionContext } from "../../lib/core/context.ts";
import { decodeEntry, replay } from "../../lib/core/journal.ts";
import type { Options } from "../../lib/options.ts";
import { answered, CoreRun, failed, json, type StageSketch, written } from "../helpers/core-run.ts";

/** Typed as the only value that `produce` takes so far: the core knows all. */
const PAUSE: Options = { onFailure: "pause" as string as "fail" };
const GO_ON: Options = { continueOnTaskFailure: true };
const FATAL = failed({ permanent: true });
const resolve = (task: string, outcome: "SUCCESS" | "SKIPPED" = "SUCCESS"): Command => ({
  kind: "resolveTask",
  task,
  outcome,
  reason: "seen to by hand",
  ...(outcome === "SUCCESS" ? { response: json({ by: "hand" }) } : {}),
});
const cancelTask = (task: string): Command => ({ kind: "cancelTask", task });
const retry = (...tasks: string[]): Command => ({ kind: "retry", ...(tasks.length > 0 ? { selection: [{ tasks }] } : {}) });

/** Those tasks have failed, all others succeeded, as far as it went. */
function failedAt(stages: readonly StageSketch[], failing: readonly string[], options: Options = {}): CoreRun {
  const run = new CoreRun(stages, { options }).begin();
  for (let names = run.send(); names.length > 0; names = run.send())
    for (const name of names) run.answer(name, failing.includes(name) ? FATAL : answered(name));
  return run;
}

describe("a task resolved by hand", () => {
  test.each(["SUCCESS", "SKIPPED"] as const)("that a decision was waited for goes on from there as %s", (outcome) => {
    const run = failedAt([["a"], ["b"]], ["a"], PAUSE);
    expect(run.flow).toMatchObject({ status: "PAUSED", statusReason: "AWAITING_DECISION" });
    expect(run.obey(resolve("a", outcome))).toMatchObject({ taskStatus: outcome, status: "RUNNING" });
    expect(run.task("a")).toMatchObject({ status: outcome, attempts: [{ status: "FAILED" }], isResolved: true });
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.flow).toMatchObject({ status: "COMPLETED", retryAttempt: 0 });
  });

  test("of two that wait for a decision leaves it waiting for the other", () => {
    const run = failedAt([["a", "b"], ["c"]], ["a", "b"], PAUSE);
    expect(run.obey(resolve("a"))).toMatchObject({ status: "PAUSED" });
    expect(run.obey(resolve("b"))).toMatchObject({ status: "RUNNING" });
    expect(run.send()).toEqual(["c"]);
  });

  test("of a taskflow that FAILED goes on with what was never reached, under a new age budget", () => {
    const run = failedAt([["a", "x"], ["b"]], ["a"], { maxAge: 1_000 });
    run.now += 900;
    run.obey(resolve("a"));
    expect(run.timers("age").at(-1)).toBe(run.now + 1_000);
    expect(run.status()).toMatchObject({ flow: "RUNNING", stages: ["COMPLETED", "RUNNING"] });
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("of a taskflow that a handler ended runs what the end kept from running", () => {
    const run = new CoreRun([{ a: {}, b: { maxConcurrency: 1 } }, ["c"]], { options: { maxConcurrency: 1 } }).begin();
    run.send();
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.status()).toMatchObject({ flow: "FAILED", tasks: { b: "WAITING" } });
    run.obey(resolve("a"));
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["c"]);
  });

  test("that failed is not, while a taskflow that a handler ended waits for what runs", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send();
    run.answer("a", failed({ abort: "workflow", permanent: true }));
    expect(run.refusal(resolve("a"))).toBe("TASKFLOW_NOT_FINISHED");
    run.answer("b", answered(1));
    expect(run.obey(resolve("a"))).toMatchObject({ status: "COMPLETED" });
  });

  test("ahead of its turn is passed over, and so is a stage of nothing else", () => {
    const run = new CoreRun([["a"], ["b"], [...["c", "d"]]]).begin();
    run.obey(resolve("b", "SKIPPED"));
    run.obey(resolve("c"));
    run.send();
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["d"]);
    run.answer("d", answered(1));
    expect(run.status()).toMatchObject({ flow: "COMPLETED", stages: ["COMPLETED", "COMPLETED", "COMPLETED"] });
  });

  test("before it has begun ends a taskflow of nothing else when it begins", () => {
    const run = new CoreRun([["a"]]);
    run.obey(resolve("a"));
    expect(run.begin().flow.status).toBe("COMPLETED");
  });

  test("in a retry delay gets no other attempt", () => {
    const run = new CoreRun([{ a: { maxRetries: 3 } }, ["b"]]).begin();
    run.send();
    run.answer("a", failed());
    run.obey(resolve("a"));
    expect(run.endDelay("a").facts).toEqual([]);
    expect(run.task("a")).toMatchObject({ retryAt: null, response: '{"by":"hand"}' });
    expect(run.send()).toEqual(["b"]);
  });

  test("behind which chosen tasks run has what it blocked run too, and no task is forgotten", () => {
    const run = failedAt([["a"], ["b"], ["c", "d"]], ["a"]);
    run.obey(retry("c"));
    expect(run.send()).toEqual(["c"]);
    run.obey(resolve("a"));
    run.answer("c", answered(1));
    expect(run.send()).toEqual(["b"]);
    run.answer("b", answered(1));
    expect(run.send()).toEqual(["d"]);
    run.answer("d", answered(1));
    expect(run.flow.status).toBe("COMPLETED");
  });

  test("of a stage that has ended betters how that ended, and is seen by the next one", () => {
    const run = failedAt([{ a: GO_ON, x: {} }, ["b"]], ["a"]);
    expect(run.flow.status).toBe("PARTIAL_COMPLETED");
    const told = (): unknown => {
      const { previousStageRes } = JSON.parse(executionContext(run.flow, run.task("b"), () => true)) as {
        previousStageRes: { response: unknown }[];
      };
      return previousStageRes.map(({ response }) => response);
    };
    expect(told()).toEqual([null, "x"]);
    run.obey(resolve("a"));
    expect(run.status()).toMatchObject({ flow: "COMPLETED", stages: ["COMPLETED", "COMPLETED"] });
    expect(told()).toEqual([{ by: "hand" }, "x"]);
  });

  test.each<[string, (run: CoreRun) => void, string]>([
    ["runs", (run) => run.send(), "TASK_RUNNING"],
    ["succeeded", (run) => run.send().forEach((name) => run.answer(name, answered(1))), "TASK_NOT_ACTIVE"],
    ["was resolved", (run) => run.obey(resolve("a", "SKIPPED")), "TASK_NOT_ACTIVE"],
    ["is of a cancelled taskflow", (run) => run.obey({ kind: "cancel" }), "TASKFLOW_ALREADY_FINISHED"],
  ])("is refused where it %s", (_, prepare, type) => {
    const run = new CoreRun([["a", "x"]]).begin();
    prepare(run);
    expect(run.refusal(resolve("a"))).toBe(run.flow.status === "COMPLETED" ? "TASKFLOW_ALREADY_FINISHED" : type);
    expect(run.refusal(resolve("nobody"))).toBe("TASK_NOT_FOUND");
  });
});

describe("a cancelled task", () => {
  test.each([
    [{}, "FAILED", []],
    [GO_ON, "RUNNING", ["c"]],
  ] as const)("counts like a failure under %j", (options, status, next) => {
    const run = new CoreRun([{ a: options, b: options }, ["c"]]).begin();
    run.send();
    const { effects } = run.command(cancelTask("a"));
    expect(effects).toEqual([{ kind: "abort", task: 0, attempt: 0, node: "w1" }]);
    run.answer("b", answered(1));
    expect(run.flow.status).toBe(status);
    expect(run.send()).toEqual(next);
  });

  test("has its answer recorded, and moves nothing by it", () => {
    const run = new CoreRun([["a", "b"]]).begin();
    run.send();
    run.command(cancelTask("a"));
    expect(run.answer("a", answered(5)).facts).toEqual([{ kind: "late", task: 0, status: "SUCCESS", response: "5" }]);
    expect(run.task("a")).toMatchObject({ status: "CANCELLED", response: "5", attempts: [{ status: "SUCCESS" }] });
    expect(run.timeOut("a")).toMatchObject({ facts: [], effects: [] });
  });

  test("ahead of its turn does not run, and the others of its stage do", () => {
    const run = new CoreRun([["a"], ["b", "c"], ["d"]]).begin();
    run.obey(cancelTask("b"));
    run.send();
    run.answer("a", answered(1));
    expect(run.send()).toEqual(["c"]);
    run.answer("c", answered(1));
    expect(run.status()).toMatchObject({ flow: "FAILED", stages: ["COMPLETED", "PARTIAL_COMPLETED", "WAITING"] });
  });

  test("in a retry delay gets no other attempt, and a decision is not waited for", () => {
    const run = new CoreRun([{ a: { maxRetries: 3, ...PAUSE } }]).begin();
    run.send();
    run.answer("a", failed());
    expect(run.obey(cancelTask("a"))).toMatchObject({ status: "FAILED", taskStatus: "CANCELLED" });
    expect(run.endDelay("a").facts).toEqual([]);
  });

  test("is refused where nothing of it is open", () => {
    const run = failedAt([["a", "b"], ["c"]], ["a"], PAUSE);
    expect(run.refusal(cancelTask("a"))).toBe("TASK_NOT_ACTIVE");
    expect(run.refusal(cancelTask("b"))).toBe("TASK_NOT_ACTIVE");
    run.obey({ kind: "cancel" });
    expect(run.refusal(cancelTask("c"))).toBe("TASKFLOW_ALREADY_FINISHED");
  });
});

describe("a cancelled taskflow", () => {
  test("has nothing sent and no timer heeded; stages that were never reached are cancelled", () => {
    const run = new CoreRun([{ a: { maxRetries: 3 }, b: {}, c: { maxConcurrency: 1 } }, ["d"]]).begin();
    run.send(2);
    run.answer("a", failed());
    const { effects } = run.command({ kind: "cancel", reason: "enough" });
    expect(effects).toEqual([{ kind: "abort", task: 1, attempt: 0, node: "w1" }]);
    expect(run.status()).toEqual({
      flow: "CANCELLED",
      stages: ["CANCELLED", "CANCELLED"],
      tasks: { a: "CANCELLED", b: "CANCELLED", c: "CANCELLED", d: "CANCELLED" },
    });
    expect(run.flow.statusReason).toBe("enough");
    run.now += 1_000_000;
    expect(run.endDelay("a").facts).toEqual([]);
    expect(run.timeOut("b").facts).toEqual([]);
    expect(run.give({ kind: "age" }).facts).toEqual([]);
    expect(run.give({ kind: "begin" }).facts).toEqual([]);
    expect(run.send()).toEqual([]);
    expect(run.give({ kind: "dispatch", tasks: [{ task: 2, node: "w1" }] }).facts).toEqual([]);
  });

  test("stays so: a second cancelling succeeds and changes nothing; a finished one is not cancelled", () => {
    const run = new CoreRun([["a"]]).begin();
    run.obey({ kind: "cancel" });
    const again = run.command({ kind: "cancel" });
    expect(again).toMatchObject({ facts: [], answer: { ok: true, data: { status: "CANCELLED", alreadyFinished: true } } });
    expect(failedAt([["a"]], []).refusal({ kind: "cancel" })).toBe("TASKFLOW_ALREADY_FINISHED");
    expect(failedAt([["a"]], ["a"]).refusal({ kind: "cancel" })).toBe("TASKFLOW_ALREADY_FINISHED");
  });

  test("is told in order: tasks, their stage, the taskflow", () => {
    const run = new CoreRun([["a", "b"], ["c"]]).begin();
    const { facts } = run.command({ kind: "cancel" });
    expect(facts.map((fact) => ("status" in fact ? `${fact.kind} ${fact.status}` : fact.kind))).toEqual([
      ...["settled CANCELLED", "settled CANCELLED", "stage CANCELLED"],
      ...["settled CANCELLED", "stage CANCELLED", "flow CANCELLED"],
    ]);
  });
});

describe("an updated task", () => {
  test("has its new params and options in the next attempt, after a restart too", () => {
    const run = failedAt([{ a: { retryDelay: 5 }, b: {} }], ["a"], { timeout: 70 });
    run.obey({ kind: "updateTask", task: "a", params: { fixed: true }, options: { maxRetries: 2, timeout: "2s" } });
    run.flow = replay(written(run).map(decodeEntry));
    run.obey(retry("a"));
    run.send();
    const { definition, options } = run.task("a");
    expect(definition).toMatchObject({ params: { fixed: true }, options: { retryDelay: 5, maxRetries: 2, timeout: "2s" } });
    expect(options).toMatchObject({ timeoutMs: 2_000, maxRetries: 2, retryDelayMs: 5 });
    expect(JSON.parse(executionContext(run.flow, run.task("a"), () => true))).toMatchObject({
      taskflow: { taskInfo: { params: { fixed: true }, options: { timeout: 2_000, maxRetries: 2 } } },
    });
    expect(run.task("b").options).toMatchObject({ timeoutMs: 70, maxRetries: 0 });
    run.answer("a", failed());
    expect(run.task("a").status).toBe("WAITING");
  });

  test("keeps its params where only its options change, and takes null for params", () => {
    const run = new CoreRun([["a"]]).begin();
    run.obey({ kind: "updateTask", task: "a", params: null });
    run.obey({ kind: "updateTask", task: "a", options: { timeout: 5 } });
    expect(run.task("a").definition).toMatchObject({ params: null, options: { timeout: 5 } });
  });

  test("that waits is watched for its new age", () => {
    const run = new CoreRun([["a"]]).begin();
    run.obey({ kind: "updateTask", task: "a", options: { maxAge: 50 } });
    expect(run.timers("age")).toEqual([run.now + 50]);
    run.now += 50;
    run.give({ kind: "age", task: 0 });
    expect(run.task("a")).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
  });

  test("is refused while it runs", () => {
    const run = new CoreRun([["a"]]).begin();
    run.send();
    expect(run.refusal({ kind: "updateTask", task: "a", params: {} })).toBe("TASK_RUNNING");
  });
});

describe("a decision made for a state", () => {
  const button: Expect = { taskId: "a", attempt: 0 };

  test.each<[string, Command]>([
    ["retry", retry()],
    ["resolve", resolve("a")],
    ["cancel", { kind: "cancel" }],
  ])("is taken once: after %s each of them is refused, and changes nothing", (_, first) => {
    for (const second of [retry(), retry("a"), resolve("a"), cancelTask("a")]) {
      const run = failedAt([["a"], ["b"]], ["a"], PAUSE);
      run.obey(first, { expect: button });
      expect(["TASKFLOW_CONFLICT", "TASKFLOW_ALREADY_FINISHED"]).toContain(run.refusal(second, { expect: button }));
    }
  });

  test("is refused after the task was tried again, and failed again", () => {
    const run = failedAt([["a"]], ["a"], PAUSE);
    run.obey(retry(), { expect: button });
    run.send();
    run.answer("a", FATAL);
    expect(run.refusal({ kind: "cancel" }, { expect: button })).toBe("TASKFLOW_CONFLICT");
    expect(run.obey({ kind: "cancel" }, { expect: { taskId: "a", attempt: 1 } })).toMatchObject({ status: "CANCELLED" });
  });

  test("is refused where the task was asked for instead, and had succeeded", () => {
    const run = new CoreRun([{ a: { exactlyOnceTaskExecution: true, ...PAUSE } }, ["b"]]).begin();
    run.send();
    run.timeOut("a");
    run.reply("a", { kind: "silent" });
    run.obey(retry(), { expect: button });
    run.reply("a", { kind: "done", outcome: answered(1) });
    expect(run.refusal(retry("a"), { expect: button })).toBe("TASKFLOW_CONFLICT");
  });

  test("takes the task of the command where none is named", () => {
    const run = failedAt([["a"]], ["a"], PAUSE);
    expect(run.refusal(resolve("a"), { expect: { attempt: 4 } })).toBe("TASKFLOW_CONFLICT");
    expect(run.refusal(retry(), { expect: { attempt: 0 } })).toBe("TASKFLOW_CONFLICT");
    expect(run.refusal(retry(), { expect: { taskId: "nobody" } })).toBe("TASK_NOT_FOUND");
    expect(run.obey(resolve("a"), { expect: { attempt: 0 } })).toMatchObject({ status: "COMPLETED" });
  });

  test("names a revision: the very one, also within one commit", () => {
    const run = failedAt([["a"]], ["a"], PAUSE);
    const { revision } = run.flow;
    expect(run.refusal(retry(), { expect: { revision: revision - 1 } })).toBe("TASKFLOW_CONFLICT");
    const decide = (ticket: number, command: Command) => ({ kind: "command", ticket, command, expect: { revision } }) as const;
    expect(run.give(decide(1, retry()), decide(2, { kind: "cancel" })).answers).toMatchObject([
      { ticket: 1, answer: { ok: true } },
      { ticket: 2, answer: { ok: false, type: "TASKFLOW_CONFLICT", data: { revision: revision + 1, expected: revision } } },
    ]);
    expect(run.flow.status).toBe("RUNNING");
  });

  test("that names the revision has seen what was decided before", () => {
    const run = failedAt([["a", "b"]], ["a", "b"]);
    run.obey(resolve("a", "SKIPPED"));
    expect(run.refusal(retry("a"), { expect: button })).toBe("TASKFLOW_CONFLICT");
    expect(run.obey(retry("a"), { expect: { ...button, revision: run.flow.revision } })).toMatchObject({ retryAttempt: 2 });
  });
});

describe("a command with an id", () => {
  test("gets its first answer again, whatever has happened since, and does nothing", () => {
    const run = failedAt([["a"]], ["a"]);
    const first = run.obey(retry(), { id: "once" });
    run.send();
    run.answer("a", FATAL);
    run.flow = replay(written(run).map(decodeEntry));
    const again = run.command(retry(), { id: "once", expect: { revision: 1 } });
    expect(again.answer).toEqual({ ok: true, data: first });
    expect(again.facts).toEqual([]);
    expect(run.flow).toMatchObject({ status: "FAILED", retryAttempt: 1 });
  });

  test("is decided once within one commit", () => {
    const run = failedAt([["a"]], ["a"]);
    const given = { kind: "command", ticket: 1, id: "once", command: retry() } as const;
    const { answers } = run.give(given, { ...given, ticket: 2 });
    expect(answers[1]).toEqual({ ...answers[0], ticket: 2 });
    expect(run.flow.retryAttempt).toBe(1);
  });

  test("that was refused may be carried out later", () => {
    const run = new CoreRun([["a"]]).begin();
    expect(run.refusal(retry(), { id: "once" })).toBe("TASKFLOW_NOT_RETRYABLE");
    run.send();
    run.answer("a", FATAL);
    expect(run.obey(retry(), { id: "once" })).toMatchObject({ retryAttempt: 1 });
  });

  test(`is remembered among the last ${COMMANDS_KEPT}, after a restart too`, () => {
    const run = new CoreRun([["a"]]).begin();
    for (let n = 0; n <= COMMANDS_KEPT; n++) run.obey({ kind: "annotate", type: "n", value: n }, { id: `id-${n}` });
    for (const flow of [run.flow, replay(written(run).map(decodeEntry))]) {
      expect(Array.from(flow.commands.keys())).toEqual(Array.from({ length: COMMANDS_KEPT }, (_, n) => `id-${n + 1}`));
    }
    expect(run.command({ kind: "annotate", type: "n", value: 1 }, { id: "id-1" }).facts).toEqual([]);
    expect(run.command({ kind: "annotate", type: "n", value: 0 }, { id: "id-0" }).facts).toHaveLength(2);
  });
});

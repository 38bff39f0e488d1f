import { describe, expect, test } from "@jest/globals";
import { metaOf } from "../../lib/core/views/execution-context.ts";
import { isOver } from "../../lib/core/model/flow.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, failed, SILENT } from "../helpers/core-run.ts";
import { compensationsOf, details, failing, undoable, UndoRun } from "../helpers/undo-run.ts";

const ONCE: Options = { exactlyOnceTaskExecution: true };

describe("tasks that succeeded are undone", () => {
  test("in reverse order of completion, one after another, and the status does not change", () => {
    const run = failing();
    expect(run.flow.status).toBe("FAILED");
    expect(isOver(run.flow)).toBe(false);
    const called: string[][] = [];
    for (const name of ["c", "a", "b"]) {
      called.push(run.send());
      expect(run.send()).toEqual([]);
      run.answer(`undo ${name}`, answered(null));
    }
    expect(called).toEqual([["undo.c"], ["undo.a"], ["undo.b"]]);
    expect(run.send()).toEqual([]);
    expect(run.flow.status).toBe("FAILED");
    expect(isOver(run.flow)).toBe(true);
  });

  test("only with a compensate, and once: tasks that failed, were cancelled or have none are left alone", () => {
    const run = new UndoRun(undoable([["a", "b", "c"], ["d"]], {}, ["b"])).begin();
    run.send();
    for (const name of ["a", "b"]) run.answer(name, answered(1));
    run.answer("c", failed());
    expect(run.send()).toEqual(["undo.a"]);
    run.answer("undo a", answered(1));
    run.answer("undo a", answered(2));
    expect(run.send()).toEqual([]);
    expect(isOver(run.flow)).toBe(true);
  });

  test("not if no task succeeded, no option asks for it, or the failure is allowed", () => {
    const first = new UndoRun(undoable([["a"]])).begin();
    first.send();
    first.answer("a", failed());
    expect(isOver(first.flow)).toBe(true);
    const silent = failing({ onFailure: "fail" });
    expect(silent.flow.status).toBe("FAILED");
    expect(isOver(silent.flow)).toBe(true);
    const allowed = failing({ continueOnTaskFailure: true });
    expect(allowed.flow.status).toBe("PARTIAL_COMPLETED");
    expect(isOver(allowed.flow)).toBe(true);
  });

  test("if the blocking task asks for it, whatever the taskflow's option is", () => {
    const definition = undoable([["a"], { b: { onFailure: "compensate" } }], { onFailure: "fail" });
    const run = new UndoRun(definition).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", failed());
    expect(run.send()).toEqual(["undo.a"]);
  });

  test("also after a handler ended the whole taskflow", () => {
    const run = new UndoRun(undoable([["a"], ["b", "c"]])).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", failed({ abort: "workflow" }));
    run.answer("c", answered(1));
    expect(run.flow.status).toBe("FAILED");
    expect(run.send()).toEqual(["undo.c"]);
  });

  test("with the task's params and response, or with params from the definition's templates", () => {
    const taskDetails = { serviceId: "undo", actionName: "a" };
    const params = { id: "${response.items[1].id}", all: "${params}", none: "${response.no.such}", list: ["${params.no}", 1] };
    const run = new UndoRun({
      options: { onFailure: "compensate" },
      stages: [
        {
          name: "s0",
          tasks: [
            { name: "a", type: "ACTION", taskDetails, params: { x: 1 }, compensate: { taskDetails } },
            {
              name: "b",
              type: "ACTION",
              taskDetails,
              params: { y: 2 },
              compensate: { taskDetails, params },
              meta: { who: "me" },
            },
          ],
        },
        { name: "s1", tasks: [{ name: "c", type: "ACTION", taskDetails }] },
      ],
    }).begin();
    run.send();
    run.answer("a", answered({ ok: true }));
    run.answer("b", answered({ items: [{ id: 1 }, { id: "two" }] }));
    run.send();
    run.answer("c", failed());
    expect(run.compensation("a")?.definition.params).toEqual({ params: { x: 1 }, response: { ok: true } });
    const made = { id: "two", all: { y: 2 }, list: [null, 1] };
    expect(run.compensation("b")?.definition.params).toEqual(made);
    expect(metaOf(run.flow, run.task("undo b"))).toEqual({ who: "me" });
  });
});

describe("undoing", () => {
  test("is retried by the options of the task, and a final failure does not stop the others", () => {
    const run = failing({ maxRetries: 1, retryDelay: 500 }, [["a", "b"], ["c"], ["d"]]);
    run.endDelay("d");
    run.send();
    run.answer("d", failed());
    run.send();
    run.answer("undo c", failed());
    expect(run.task("undo c").retryAt).toBe(run.now + 500);
    expect(run.send()).toEqual([]);
    run.endDelay("undo c");
    expect(run.send()).toEqual(["undo.c"]);
    run.answer("undo c", failed());
    expect(run.send()).toEqual(["undo.a"]);
    run.answer("undo a", answered(1));
    run.send();
    run.answer("undo b", answered(1));
    expect(isOver(run.flow)).toBe(true);
    expect(details(run).compensation).toMatchObject({ status: "FAILED", attempts: 4, error: { type: "BROKEN" } });
    expect(compensationsOf(run)).toMatchObject({
      a: { status: "SUCCESS", attempts: 1 },
      b: { status: "SUCCESS", attempts: 1 },
      c: { status: "FAILED", attempts: 2, error: { type: "BROKEN" } },
    });
  });

  test("has the timeout of its task, and under exactlyOnce an unknown outcome is queried, never repeated blindly", () => {
    const run = failing();
    run.send();
    run.timeOut("undo c");
    expect(run.task("undo c").error?.type).toBe("TASK_TIMEOUT");
    const once = failing(ONCE);
    once.send();
    once.timeOut("undo c");
    once.reply("undo c", SILENT);
    expect(once.task("undo c")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
    expect(once.send()).toEqual(["undo.a"]);
  });

  test("waits for a worker, and ends with the task's own maxAge, but not with the taskflow's", () => {
    const run = new UndoRun(undoable([{ a: { maxAge: 5_000 } }, ["b"]], { maxAge: 1_000 })).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.now += 2_000;
    run.answer("b", failed());
    expect(run.flow.error?.type).toBe("MAX_AGE_EXCEEDED");
    expect(run.send(1, () => undefined)).toEqual([]);
    const ages = run.effects.filter((effect) => effect.kind === "timer" && effect.input.kind === "age");
    expect(ages.at(-1)).toEqual({ kind: "timer", at: run.now + 5_000, input: { kind: "age", task: 2 } });
    run.now += 4_999;
    run.give({ kind: "age", task: 2 });
    expect(isOver(run.flow)).toBe(false);
    run.now += 1;
    run.give({ kind: "age", task: 2 });
    expect(run.task("undo a")).toMatchObject({ status: "FAILED", error: { type: "MAX_AGE_EXCEEDED" } });
    expect(isOver(run.flow)).toBe(true);
  });

  test("is neither paused nor cancelled, and other commands are refused while it runs", () => {
    const run = failing();
    expect(run.refusal({ kind: "pause" })).toBe("TASKFLOW_ALREADY_FINISHED");
    expect(run.refusal({ kind: "cancel" })).toBe("TASKFLOW_ALREADY_FINISHED");
    expect(run.refusal({ kind: "retry" })).toBe("TASKFLOW_NOT_RETRYABLE");
    expect(run.send()).toEqual(["undo.c"]);
  });

  test("accepts an answer that its worker reports late", () => {
    const run = failing({ maxRetries: 3 });
    run.endDelay("d");
    run.send();
    run.answer("d", failed({ permanent: true }));
    run.send();
    run.timeOut("undo c");
    run.answer("undo c", answered(1));
    expect(run.task("undo c").status).toBe("SUCCESS");
    expect(run.send()).toEqual(["undo.a"]);
  });
});

describe("cancelling with compensation", () => {
  test("undoes the tasks that succeeded, also of running stages, and the status stays CANCELLED", () => {
    const run = new UndoRun(undoable([["a"], ["b", "c"]], { onFailure: "fail" })).begin();
    run.send();
    run.answer("a", answered(1));
    run.send();
    run.answer("b", answered(2));
    expect(run.handleCommand({ kind: "cancel", compensate: true })).toEqual({ taskflowId: "flow-1", status: "CANCELLED" });
    expect(run.send()).toEqual(["undo.b"]);
    run.answer("undo b", answered(1));
    expect(run.send()).toEqual(["undo.a"]);
    run.answer("undo a", answered(1));
    expect(isOver(run.flow)).toBe(true);
    expect(run.flow.status).toBe("CANCELLED");
    // Cancelled while it ran: its late answer is recorded and changes no status.
    run.answer("c", answered(3));
    expect(isOver(run.flow)).toBe(true);
    expect(compensationsOf(run)["c"]).toBeUndefined();
  });

  test("without compensation undoes nothing, whatever a failure would do", () => {
    const run = new UndoRun(undoable([["a"], ["b"]])).begin();
    run.send();
    run.answer("a", answered(1));
    run.handleCommand({ kind: "cancel" });
    expect(isOver(run.flow)).toBe(true);
  });
});

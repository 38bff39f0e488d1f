import { describe, expect, test } from "@jest/globals";
import { actionNameOf } from "../../lib/protocol/action-name.ts";
import { executionContext, idempotencyKey, metaOf } from "../../lib/core/views/execution-context.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import type { TaskflowExecutionContext } from "../../schemas/execution-context.schema.ts";
import { answered, CoreRun, failed, ID_BASE, START } from "../helpers/core-run.ts";

function contextOf(run: CoreRun, name: string): TaskflowExecutionContext {
  return JSON.parse(executionContext(run.flow, run.task(name), () => true)) as TaskflowExecutionContext;
}

describe("the execution context", () => {
  test("has all documented fields, and no previousStageRes in the first stage", () => {
    const definition = {
      context: { secret: 1 },
      stages: [
        {
          name: "s0",
          tasks: [
            {
              name: "a",
              type: "ACTION" as const,
              taskDetails: { serviceId: "svc", actionName: "do", version: 2 },
              params: { x: [1] },
              meta: { own: true, user: "task's" },
              options: { maxRetries: 1 },
            },
          ],
        },
      ],
    };
    const run = new CoreRun(definition, { meta: { user: "caller's", trace: "t" } }).begin();
    run.send();
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
    const id = taskId(ID_BASE, 0);
    const context = contextOf(run, "a");
    expect(context).toEqual({
      taskflow: {
        id: "flow-1",
        stageId: stageId(ID_BASE, 0),
        createdAt: START,
        taskId: id,
        delivery: 1,
        fence: run.flow.fence,
        taskInfo: {
          id,
          attempt: 1,
          meta: { own: true, user: "task's", trace: "t" },
          params: { x: [1] },
          options: expect.objectContaining({ maxRetries: 1, timeout: 60_000, checkSuccess: true }),
          status: "RUNNING",
          nestedActiveRunningTaskFlowIds: [],
          nestedTaskflows: [],
          name: "a",
          type: "ACTION",
          taskDetails: { serviceId: "svc", actionName: "do", version: 2 },
        },
      },
    });
    expect("previousStageRes" in context).toBe(false);
    expect(idempotencyKey(run.flow, run.task("a"))).toBe(`flow-1:${id}:1`);
    expect(metaOf(run.flow, run.task("a"))).toEqual({ own: true, user: "task's", trace: "t" });
  });

  test("previousStageRes is exact, in definition order, with null for failed tasks", () => {
    const go = { continueOnTaskFailure: true };
    const run = new CoreRun([{ zero: {}, no: {}, text: {}, nil: {}, bad: go, refused: go, object: {} }, { next: {} }]).begin();
    run.send();
    run.answer("object", answered({ "ä\u2028": '🚀\u0000"\\' }));
    run.answer("bad", failed());
    run.answer("nil", answered(null));
    run.answer("text", answered(""));
    run.answer("no", answered(false));
    run.answer("refused", answered({ success: false }));
    run.answer("zero", answered(0));
    run.send();
    const row = (taskName: string, ordinal: number, response: unknown, status = "SUCCESS") => ({
      taskName,
      response,
      taskId: taskId(ID_BASE, ordinal),
      status,
    });
    expect(contextOf(run, "next").previousStageRes).toEqual([
      row("zero", 0, 0),
      row("no", 1, false),
      row("text", 2, ""),
      row("nil", 3, null),
      row("bad", 4, null, "FAILED"),
      row("refused", 5, null, "FAILED"),
      row("object", 6, { "ä\u2028": '🚀\u0000"\\' }),
    ]);
  });

  test("previousStageRes is that of the stage right before, even after a restart", () => {
    const run = new CoreRun([["a"], ["b"], ["c"]]).begin();
    for (const name of ["a", "b"]) {
      run.send();
      run.answer(name, answered(name));
    }
    run.send();
    expect(contextOf(run, "c").previousStageRes).toMatchObject([{ taskName: "b", response: "b" }]);
  });

  test("a skipped stage is ignored in favour of the nearest one before it", () => {
    const run = new CoreRun([["a"], ["b"], ["c"]]).begin();
    run.send();
    run.answer("a", answered(1));
    const [first, second] = run.flow.stages;
    if (!first || !second) throw new Error("no stages");
    second.status = "SKIPPED";
    expect(contextOf(run, "c").previousStageRes).toMatchObject([{ taskName: "a", response: 1 }]);
    first.status = "SKIPPED";
    expect(contextOf(run, "c").previousStageRes).toBeUndefined();
  });

  test("the taskflow's context travels only with forwardContext, unchanged", () => {
    const context = { ü: [1, null], __proto__: undefined };
    const run = new CoreRun([{ a: { forwardContext: true }, b: {} }], { context }).begin();
    run.send();
    expect(contextOf(run, "a").context).toEqual({ ü: [1, null] });
    expect("context" in contextOf(run, "b")).toBe(false);
    const without = new CoreRun([{ a: { forwardContext: true } }]).begin();
    without.send();
    expect(contextOf(without, "a").context).toBeNull();
  });

  test("names that need escaping stay exact", () => {
    const name = '"quoted"\\ \u2028 ümläut 🚀 </script>';
    const run = new CoreRun([[name], ["b"]]).begin();
    run.send();
    expect(contextOf(run, name).taskflow.taskInfo.name).toBe(name);
    run.answer(name, answered(1));
    run.send();
    expect(contextOf(run, "b").previousStageRes).toMatchObject([{ taskName: name }]);
  });

  test.each([
    [undefined, "svc.do"],
    [2, "v2.svc.do"],
    ["staging", "staging.svc.do"],
  ])("version %j calls %s", (version, expected) => {
    expect(actionNameOf({ serviceId: "svc", actionName: "do", ...(version === undefined ? {} : { version }) })).toBe(expected);
  });
});

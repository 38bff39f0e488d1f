import { describe, expect, test } from "@jest/globals";
import { progressOf, taskDetails, taskflowDetails } from "../../lib/core/views/details.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import { answered, CoreRun, failed, ID_BASE, START } from "../helpers/core-run.ts";

const KEYS =
  "taskflowId name status statusReason createdAt startedAt finishedAt retryAttempt revision options context tags attributes annotations tenant rootId parentTaskflowDetails progress";
const TASK_KEYS =
  "id stageId name index type taskDetails params options meta status statusReason attempt attempts response nestedTaskflows nestedActiveRunningTaskFlowIds needs";

describe("the tree", () => {
  test("has every documented field, also those that are not set", () => {
    const run = new CoreRun([["a"]]);
    const tree = taskflowDetails(run.flow);
    expect(Object.keys(tree)).toEqual([...KEYS.split(" "), "stages"]);
    expect(tree).toMatchObject({
      taskflowId: "flow-1",
      name: null,
      status: "WAITING",
      statusReason: null,
      createdAt: START,
      startedAt: null,
      finishedAt: null,
      retryAttempt: 0,
      context: {},
      tags: [],
      attributes: {},
      annotations: [],
      tenant: null,
      rootId: "flow-1",
      parentTaskflowDetails: null,
      progress: 0,
    });
    const task = taskDetails(run.flow, run.task("a"));
    expect(Object.keys(task)).toEqual(TASK_KEYS.split(" "));
    expect(task).toMatchObject({ params: {}, meta: {}, attempt: 0, attempts: [], response: null, needs: [], index: 0 });
  });

  test("returns the definition as it was produced", () => {
    const rest = {
      name: "n",
      context: { a: 1 },
      tags: ["x"],
      attributes: { b: false },
      tenant: "acme",
      options: { timeout: "5s" },
    };
    const run = new CoreRun([["a"]], rest);
    const tree = taskflowDetails(run.flow);
    expect(tree).toMatchObject({ ...rest, options: { timeout: 5_000 } });
  });

  test("stages and tasks are keyed by their ids, in definition order", () => {
    const run = new CoreRun([["b", "a"], ["c"]]);
    const stages = taskflowDetails(run.flow)["stages"] as Record<string, { tasks: Record<string, { name: string }> }>;
    expect(Object.keys(stages)).toEqual([stageId(ID_BASE, 0), stageId(ID_BASE, 1)]);
    expect(Object.keys(stages[stageId(ID_BASE, 0)]?.tasks ?? {})).toEqual([taskId(ID_BASE, 0), taskId(ID_BASE, 1)]);
    expect(stages[stageId(ID_BASE, 1)]).toMatchObject({ id: stageId(ID_BASE, 1), name: "s1", index: 1, status: "WAITING" });
    expect(stages[stageId(ID_BASE, 1)]?.tasks[taskId(ID_BASE, 2)]).toMatchObject({
      name: "c",
      stageId: stageId(ID_BASE, 1),
      index: 0,
    });
  });

  test("contains only the requested stages", () => {
    const run = new CoreRun([["a"], ["b"], ["c"]]);
    const [, second] = run.flow.stages;
    if (!second) throw new Error("no stage");
    const { stages } = taskflowDetails(run.flow, undefined, new Set([second]));
    expect(Object.keys(stages as object)).toEqual([stageId(ID_BASE, 1)]);
  });

  test.each([0, false, "", null, [], {}, "text", -1.5, { success: true, nested: [null] }])(
    "a response of %j is just that",
    (value) => {
      const run = new CoreRun([["a"]]).begin();
      run.send();
      run.answer("a", answered(value));
      expect(taskDetails(run.flow, run.task("a"))["response"]).toEqual(value);
    },
  );

  test("shares no object with the state", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    const attempts = taskDetails(run.flow, run.task("a"))["attempts"] as { status: string }[];
    if (attempts[0]) attempts[0].status = "changed";
    expect(run.task("a").attempts[0]?.status).toBe("RUNNING");
  });
});

describe("status and reason as callers read them", () => {
  const effectiveStatus = (run: CoreRun, name: string, reason?: "NO_WORKER" | "CONCURRENCY_LIMIT"): unknown[] => {
    const details = taskDetails(run.flow, run.task(name), () => reason);
    return [details["status"], details["statusReason"]];
  };

  test("a task is WAITING, QUEUED, RUNNING, WAITING between attempts, and settled, each with its reason", () => {
    const run = new CoreRun([{ a: { maxRetries: 1 } }, { later: {} }]);
    expect(effectiveStatus(run, "a")).toEqual(["WAITING", null]);
    run.begin();
    expect(effectiveStatus(run, "a")).toEqual(["QUEUED", "CONCURRENCY_LIMIT"]);
    expect(effectiveStatus(run, "a", "NO_WORKER")).toEqual(["WAITING", "NO_WORKER"]);
    expect(effectiveStatus(run, "later", "NO_WORKER")).toEqual(["WAITING", null]);
    run.send();
    expect(effectiveStatus(run, "a")).toEqual(["RUNNING", null]);
    run.answer("a", failed());
    expect(effectiveStatus(run, "a")).toEqual(["WAITING", "RETRY_DELAY"]);
    expect(taskDetails(run.flow, run.task("a"))["nextAttemptAt"]).toBe(START + 1_000);
    run.endDelay("a");
    expect(effectiveStatus(run, "a", "NO_WORKER")).toEqual(["WAITING", "NO_WORKER"]);
    run.send();
    run.answer("a", failed());
    expect(effectiveStatus(run, "a")).toEqual(["FAILED", null]);
    expect(effectiveStatus(run, "later")).toEqual(["WAITING", null]);
  });

  test("a retried task has its latest error, response and attempts", () => {
    const run = new CoreRun([{ a: { maxRetries: -1 } }]).begin();
    run.send();
    run.answer("a", answered({ success: false }));
    expect(taskDetails(run.flow, run.task("a"))).toMatchObject({
      attempt: 0,
      error: { type: "TASK_REPORTED_FAILURE" },
      response: { success: false },
      attempts: [{ attempt: 0, deliveries: 1, startedAt: START, finishedAt: START, nodeID: "w1", status: "FAILED" }],
    });
  });

  test("progress is the share of settled tasks, rounded down: 100 only at the end", () => {
    const run = new CoreRun([["a", "b", "c"]]).begin();
    run.send();
    run.answer("a", answered(1));
    expect(progressOf(run.flow)).toBe(33);
    run.answer("b", failed());
    expect(progressOf(run.flow)).toBe(66);
    run.answer("c", answered(1));
    expect(progressOf(run.flow)).toBe(100);
  });
});

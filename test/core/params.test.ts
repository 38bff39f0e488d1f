import { describe, expect, test } from "@jest/globals";
import { compileActionPatterns } from "../../lib/config/allowed-actions.ts";
import { readEnvironment } from "../../lib/config/environment.ts";
import { SERVICE_SETTINGS } from "../../lib/config/service-settings.ts";
import { valuesOf } from "../../lib/util/setting.ts";
import { isTaskflowError } from "../../lib/errors/errors.ts";
import { type CheckedAction, validateParams, type Problem } from "../../lib/validation/index.ts";
import { ACTIONS } from "../../schemas/actions/index.ts";

function problemsOf(action: CheckedAction, params: unknown): Problem[] {
  try {
    validateParams(action, params);
    return [];
  } catch (err) {
    if (!isTaskflowError(err, "TASKFLOW_VALIDATION_ERROR")) throw err;
    return err.data as Problem[];
  }
}

const taskflowId = "flow:1";

describe("params of actions", () => {
  test.each<[CheckedAction, unknown]>([
    ["getTaskflowDetails", { taskflowId }],
    ["getTaskflowDetails", { taskflowId, depth: 0, stages: ["one"] }],
    ["getTask", { taskflowId, taskId: "task" }],
    ["getValue", { ref: "a/b", offset: 5 }],
    ["listTasks", { taskflowId, status: ["FAILED", "QUEUED"], pageSize: 1_000, cursor: "x" }],
    ["listTasks", { taskflowId, status: "FAILED", stageId: "one" }],
    ["getPreviousStageRes", { taskflowId, taskId: "task", cursor: "x" }],
    ["listTaskflows", {}],
    ["listTaskflows", undefined],
    [
      "listTaskflows",
      { status: "RUNNING", tags: ["a"], attributes: { a: 1 }, sort: "-createdAt", errorType: ["A"], pageSize: 1 },
    ],
    ["waitForTaskflow", { taskflowId, timeout: "5s", depth: 1 }],
    ["waitForTaskflow", { taskflowId, timeout: 0 }],
    ["deleteTaskflow", { taskflowId }],
    ["cancelTaskflow", { taskflowId, reason: "because", commandId: "x".repeat(128), expect: { revision: 3 } }],
    ["retryTaskflow", { taskflowId }],
    ["retryTaskflow", { taskflowId, stagesInfo: ["one", { stageId: "two", taskIds: ["a"] }], mode: "failed", dryRun: true }],
    ["retryTaskflow", { taskflowId, tasksInfo: [{ taskId: "a" }, { stageId: "one", taskId: "b" }], force: true, cascade: false }],
    ["resolveTask", { taskflowId, taskId: "a", outcome: "SKIPPED", reason: "because" }],
    ["updateTask", { taskflowId, taskId: "a", params: {}, options: { timeout: "5s" }, expect: { taskId: "a", attempt: 0 } }],
    ["annotateTaskflow", { taskflowId, type: "note", value: null }],
    ["health", undefined],
    ["health", null],
    ["health", {}],
  ])("%s accepts %j", (action, params) => {
    expect(validateParams(action, params)).toEqual(params ?? {});
  });

  test.each<[CheckedAction, unknown, string[]]>([
    ["getTaskflowDetails", {}, ["/taskflowId"]],
    ["getTaskflowDetails", { taskflowId: { $ne: null } }, ["/taskflowId"]],
    ["getTaskflowDetails", { taskflowId: "a.b", depth: -1, stages: [1] }, ["/taskflowId", "/depth", "/stages/0"]],
    ["getTask", { taskflowId, taskId: "" }, ["/taskId"]],
    ["getTask", [], [""]],
    ["getTask", "x", [""]],
    ["getValue", { ref: 5, offset: 1.5 }, ["/ref", "/offset"]],
    ["listTasks", { taskflowId, status: "DONE" }, ["/status"]],
    ["listTasks", { taskflowId, status: [] }, ["/status"]],
    ["listTaskflows", { pageSize: 0 }, ["/pageSize"]],
    ["listTaskflows", { pageSize: 1_001 }, ["/pageSize"]],
    ["listTaskflows", { pageSize: "10" }, ["/pageSize"]],
    ["listTaskflows", { annotations: {}, nmae: "x" }, ["/nmae", "/annotations/type"]],
    ["waitForTaskflow", { taskflowId, timeout: "soon" }, ["/timeout"]],
    ["cancelTaskflow", { taskflowId, commandId: "x".repeat(129), reason: "" }, ["/commandId", "/reason"]],
    [
      "cancelTaskflow",
      { taskflowId, expect: { revision: 0, attempt: -1, seq: 1 } },
      ["/expect/seq", "/expect/attempt", "/expect/revision"],
    ],
    ["retryTaskflow", { taskflowId, stagesInfo: [], tasksInfo: [] }, ["/stagesInfo", "/tasksInfo"]],
    ["retryTaskflow", { taskflowId, stagesInfo: [{ stageId: "one", taskIds: [] }] }, ["/stagesInfo/0/taskIds"]],
    ["retryTaskflow", { taskflowId, stagesInfo: [5, { taskIds: ["a"] }] }, ["/stagesInfo/0", "/stagesInfo/1/stageId"]],
    ["retryTaskflow", { taskflowId, tasksInfo: ["a"], mode: "some" }, ["/tasksInfo/0", "/mode"]],
    ["resolveTask", { taskflowId, taskId: "a", outcome: "FAILED" }, ["/reason", "/outcome"]],
    [
      "updateTask",
      { taskflowId, taskId: "a", options: { timeout: 0, eventTree: "full" } },
      ["/options/eventTree", "/options/timeout"],
    ],
    ["annotateTaskflow", { taskflowId, type: "note" }, ["/value"]],
    ["executeCommand", { taskflowId, request: { command: { kind: "cancel" }, more: 1 } }, ["/request/more"]],
    ["health", { verbose: true }, ["/verbose"]],
  ])("%s refuses %j with the exact paths", (action, params, paths) => {
    expect(problemsOf(action, params).map((problem) => problem.path)).toEqual(paths);
  });

  test.each(Object.keys(ACTIONS).filter((name) => name !== "produce") as CheckedAction[])(
    "%s refuses unknown params",
    (action) => {
      expect(problemsOf(action, { taskflowId, unknown: 1 }).map((problem) => problem.path)).toContain("/unknown");
    },
  );

  test("the error is 422, with the first problem in its message and all in its data", () => {
    const message = "The params of taskflow.getTask are not valid: /taskflowId is required. (and 1 more in data)";
    const expected = { code: 422, type: "TASKFLOW_VALIDATION_ERROR", retryable: false, message };
    expect(() => validateParams("getTask", {})).toThrow(expect.objectContaining(expected));
  });
});

describe("the actions that tasks may call", () => {
  test.each<[string | undefined, string, boolean]>([
    [undefined, "users.get", true],
    ["", "v2.users.get", true],
    [undefined, "$node.options", false],
    [undefined, "taskflow.produce", false],
    [undefined, "taskflows.produce", true],
    ["**", "$node.list", false],
    ["$node.**", "$node.options", false],
    ["**", "taskflow.cancelTaskflow", false],
    ["**,taskflow.annotateTaskflow", "taskflow.annotateTaskflow", true],
    ["**,taskflow.annotateTaskflow", "taskflow.deleteTaskflow", false],
    ["users.*", "users.get", true],
    ["users.*", "users.get.all", false],
    ["users.**", "users.get.all", true],
    ["users.*, mail.send", "mail.send", true],
    ["users.*", "mail.send", false],
    ["!admin.**", "admin.drop", false],
    ["!admin.**", "users.get", true],
    ["**,!users.remove", "users.remove", false],
    ["users.ge?", "users.get", true],
  ])("patterns %j and action %s: %s", (patterns, action, allowed) => {
    const given = readEnvironment(SERVICE_SETTINGS, { TASKFLOW_ALLOWED_ACTIONS: patterns });
    const isAllowed = compileActionPatterns(valuesOf(SERVICE_SETTINGS, given).allowedActions);
    expect([isAllowed(action), isAllowed(action)]).toEqual([allowed, allowed]);
  });
});

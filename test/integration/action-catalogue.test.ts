/**
 * Every action of a running service answers and throws as its entry in the catalogue says
 * (`test/helpers/catalogue-check.ts` compares).
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { isTaskflowError } from "../../lib/index.ts";
import type { ActionName, TaskflowErrorType, TaskflowServiceOptions } from "../../lib/index.ts";
import { refer } from "../../lib/protocol/value-ref.ts";
import { ACTIONS, EVERY_ACTION } from "../../schemas/actions/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { wrapStore } from "../helpers/store-wrapper.ts";

/** Lets handlers that wait answer. */
const release: (() => void)[] = [];
afterEach(async () => {
  for (const letGo of release.splice(0)) letGo();
  await stopLocalNodes();
});

const worker: ServiceSchema = {
  name: "svc",
  actions: {
    ok: () => ({ ok: true }),
    undo: () => null,
    fail() {
      throw new Error("It cannot be done.");
    },
    wait: () => new Promise<void>((resolve) => release.push(resolve)),
    make: (ctx) => ctx.call("taskflow.produce", { stages: [stageOf("inner", ["ok"])] }),
  },
};

const ONCE = { exactlyOnceTaskExecution: true };
const UNDONE = { compensate: { taskDetails: { serviceId: "svc", actionName: "undo" } } };

/** A node with taskflows in the states that actions ask for, named after those. */
async function open(taskflow: TaskflowServiceOptions = {}): Promise<LocalNode> {
  const node = await startLocalNode({ services: [worker], taskflow });
  const { client } = node;
  await client.produce({ taskflowId: "done", stages: [stageOf("one", ["ok", "two:ok"]), stageOf("two", ["last:ok"])] });
  await client.produce({
    taskflowId: "failed",
    stages: [stageOf("one", ["ok"], UNDONE), stageOf("two", ["fail"])],
    options: { eventTree: "full", onFailure: "compensate" },
  });
  await client.produce({ taskflowId: "asking", stages: [stageOf("one", ["fail", "wait"])], options: { onFailure: "pause" } });
  await client.produce({ taskflowId: "held", stages: [stageOf("one", ["ok", "wait"]), stageOf("two", ["later:ok"])] });
  await client.produce({ taskflowId: "tree", stages: [stageOf("one", ["make"])], options: { eventTree: "none" } });
  await client.produce({ taskflowId: "once", stages: [stageOf("one", ["ok", "fail"])], options: ONCE });
  for (const id of ["done", "failed", "tree", "once"]) await client.waitForTaskflow(id);
  await eventually(async () => {
    expect(await client.getTaskflowDetails("asking")).toMatchObject({ status: "PAUSED" });
    expect(await client.getTask("asking", "wait")).toMatchObject({ status: "RUNNING" });
    expect(await client.getTask("held", "wait")).toMatchObject({ status: "RUNNING" });
  });
  return node;
}

const ALL = ["done", "failed", "asking", "held", "tree", "once"].map((taskflowId) => ({ taskflowId }));

type Calls = readonly object[];

/** Params that each action answers, in an order in which the calls can follow one another. */
const ANSWERED: Record<ActionName, Calls | ((node: LocalNode) => Promise<Calls>)> = {
  produce: [{ stages: [stageOf("one", ["ok"])] }, { taskflowId: "done" }],
  getTaskflowDetails: ALL,
  listTaskflows: [{}, { pageSize: 2, status: ["COMPLETED", "FAILED"] }],
  waitForTaskflow: [{ taskflowId: "tree" }],
  getEvents: ALL,
  explainTaskflow: ALL,
  getTask: [
    { taskflowId: "failed", taskId: "ok" },
    { taskflowId: "failed", taskId: "fail" },
  ],
  listTasks: [{ taskflowId: "done" }, { taskflowId: "done", pageSize: 1 }],
  getPreviousStageRes: [{ taskflowId: "done", taskId: "last" }],
  getValue: async ({ client }) => [
    { ref: refer("failed", (await client.getTask("failed", "ok")).id, "response", '{"ok":true}').$ref },
  ],
  annotateTaskflow: [{ taskflowId: "held", type: "note", value: { a: 1 } }],
  pauseTaskflow: [{ taskflowId: "held", reason: "a look" }],
  resumeTaskflow: [{ taskflowId: "held" }],
  updateTask: [{ taskflowId: "held", taskId: "later", params: { b: 2 } }],
  produceBelow: async ({ client }) => {
    const { id: taskId } = await client.getTask("held", "wait");
    const taskflow = { stages: [stageOf("one", ["ok"])] };
    return [
      {
        producer: { taskflowId: "held", taskId, attempt: 0, delivery: 1 },
        taskflowId: "below",
        isChosen: true,
        taskflow,
        meta: {},
      },
    ];
  },
  cancelTask: [{ taskflowId: "held", taskId: "wait" }],
  resolveTask: [{ taskflowId: "asking", taskId: "fail", outcome: "SKIPPED", reason: "not needed" }],
  retryTaskflow: [
    { taskflowId: "failed", dryRun: true },
    { taskflowId: "done", commandId: "again" },
  ],
  executeCommand: [
    { taskflowId: "tree", request: { command: { kind: "retry", dryRun: true } } },
    { taskflowId: "tree", request: { command: { kind: "pause" } } },
  ],
  cancelTaskflow: [{ taskflowId: "asking" }, { taskflowId: "asking", reason: "twice" }],
  exportTaskflow: [{ taskflowId: "failed" }],
  importTaskflow: async ({ client }) => [{ ...(await client.exportTaskflow("failed")), newTaskflowId: "copy" }],
  bulk: [
    { action: "cancel", filter: { status: "RUNNING" }, dryRun: true },
    { action: "pause", filter: { status: "FAILED" } },
  ],
  deleteTaskflow: [{ taskflowId: "copy" }],
  pauseActions: [{ pattern: "svc.rest", reason: "maintenance" }],
  listPausedActions: [{}],
  resumeActions: [{ pattern: "svc.rest" }],
  health: [{}],
  live: [{}],
  ready: [{}],
  reportOutcome: [{ key: "unknown:x:0", action: "svc.ok", outcome: { ok: true, response: 1 } }],
};
const NAMES = Object.keys(ANSWERED) as ActionName[];

const callsOf = async (name: ActionName, node: LocalNode): Promise<Calls> => {
  const calls = ANSWERED[name];
  return typeof calls === "function" ? calls(node) : calls;
};

test("every action answers as its schema says", async () => {
  const node = await open();
  for (const name of NAMES) {
    for (const params of await callsOf(name, node)) await node.broker.call(`taskflow.${name}`, params);
  }
  expect([...node.check.answered].toSorted()).toEqual(Object.keys(ACTIONS).toSorted());
});

const unknown = { taskflowId: "unknown" };
const unknownTask = { taskflowId: "held", taskId: "unknown" };
const resolution = { outcome: "SUCCESS", reason: "by hand" };
const REFUSED: readonly (readonly [ActionName, object, TaskflowErrorType])[] = [
  ["getTaskflowDetails", unknown, "TASKFLOW_NOT_FOUND"],
  ["getTaskflowDetails", { taskflowId: "held", stages: ["unknown"] }, "STAGE_NOT_FOUND"],
  ["waitForTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["waitForTaskflow", { taskflowId: "held", stages: ["unknown"] }, "STAGE_NOT_FOUND"],
  ["waitForTaskflow", { taskflowId: "held", timeout: 0 }, "TASKFLOW_WAIT_TIMEOUT"],
  ["getEvents", unknown, "TASKFLOW_NOT_FOUND"],
  ["explainTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["deleteTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["deleteTaskflow", { taskflowId: "held" }, "TASKFLOW_NOT_FINISHED"],
  ["getTask", { ...unknown, taskId: "a" }, "TASKFLOW_NOT_FOUND"],
  ["getTask", unknownTask, "TASK_NOT_FOUND"],
  ["listTasks", unknown, "TASKFLOW_NOT_FOUND"],
  ["listTasks", { taskflowId: "held", stageId: "unknown" }, "STAGE_NOT_FOUND"],
  ["listTasks", { taskflowId: "held", cursor: "x" }, "TASKFLOW_VALIDATION_ERROR"],
  ["getPreviousStageRes", { ...unknown, taskId: "a" }, "TASKFLOW_NOT_FOUND"],
  ["getPreviousStageRes", unknownTask, "TASK_NOT_FOUND"],
  ["getValue", { ref: refer("unknown", "a", "response", "1").$ref }, "TASKFLOW_NOT_FOUND"],
  ["getValue", { ref: refer("held", "unknown", "response", "1").$ref }, "TASK_NOT_FOUND"],
  ["getValue", { ref: refer("held", "ok", "response", "1").$ref }, "TASKFLOW_CONFLICT"],
  ["cancelTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["cancelTaskflow", { taskflowId: "held", expect: { revision: 1 } }, "TASKFLOW_CONFLICT"],
  ["cancelTaskflow", { taskflowId: "held", expect: { taskId: "unknown" } }, "TASK_NOT_FOUND"],
  ["cancelTaskflow", { taskflowId: "done" }, "TASKFLOW_ALREADY_FINISHED"],
  ["retryTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["retryTaskflow", { taskflowId: "held" }, "TASKFLOW_NOT_RETRYABLE"],
  ["retryTaskflow", { taskflowId: "done", stagesInfo: ["unknown"] }, "STAGE_NOT_FOUND"],
  ["retryTaskflow", { taskflowId: "done", tasksInfo: [{ taskId: "unknown" }] }, "TASK_NOT_FOUND"],
  ["retryTaskflow", { taskflowId: "once", tasksInfo: [{ taskId: "ok" }] }, "TASKFLOW_EXACTLY_ONCE"],
  ["retryTaskflow", { taskflowId: "asking", tasksInfo: [{ taskId: "wait" }] }, "TASK_RUNNING"],
  ["pauseTaskflow", { taskflowId: "done" }, "TASKFLOW_ALREADY_FINISHED"],
  ["resumeTaskflow", { taskflowId: "done" }, "TASKFLOW_ALREADY_FINISHED"],
  ["resumeTaskflow", { taskflowId: "held" }, "TASKFLOW_CONFLICT"],
  ["cancelTask", unknownTask, "TASK_NOT_FOUND"],
  ["cancelTask", { taskflowId: "done", taskId: "ok" }, "TASKFLOW_ALREADY_FINISHED"],
  ["cancelTask", { taskflowId: "held", taskId: "ok" }, "TASK_NOT_ACTIVE"],
  ["resolveTask", { ...unknownTask, ...resolution }, "TASK_NOT_FOUND"],
  ["resolveTask", { taskflowId: "done", taskId: "ok", ...resolution }, "TASKFLOW_ALREADY_FINISHED"],
  ["resolveTask", { taskflowId: "held", taskId: "wait", ...resolution }, "TASK_RUNNING"],
  ["resolveTask", { taskflowId: "held", taskId: "ok", ...resolution }, "TASK_NOT_ACTIVE"],
  ["updateTask", { ...unknownTask, params: {} }, "TASK_NOT_FOUND"],
  ["updateTask", { taskflowId: "held", taskId: "wait", params: {} }, "TASK_RUNNING"],
  ["annotateTaskflow", { ...unknown, type: "note", value: 1 }, "TASKFLOW_NOT_FOUND"],
  ["exportTaskflow", unknown, "TASKFLOW_NOT_FOUND"],
  ["exportTaskflow", { taskflowId: "done", cursor: "x" }, "TASKFLOW_VALIDATION_ERROR"],
];

describe("errors", () => {
  test("what an action throws is named in its entry", async () => {
    const { broker, check } = await open();
    for (const [name, params, type] of REFUSED) {
      expect([name, (await rejection(broker.call(`taskflow.${name}`, params))).type]).toEqual([name, type]);
    }
    for (const name of NAMES) {
      expect((await rejection(broker.call(`taskflow.${name}`, { unknown: 1 }))).type).toBe("TASKFLOW_VALIDATION_ERROR");
      expect(check.thrown).toContain(`${name} TASKFLOW_VALIDATION_ERROR`);
    }
    const taskflow = { id: "done", taskId: "ok", taskInfo: { attempt: 0 } };
    const options = { meta: { taskflowExecutionContext: { taskflow } } };
    const child = broker.call<unknown, unknown>("taskflow.produce", { stages: [stageOf("one", ["ok"])] }, options);
    expect((await rejection(child)).type).toBe("PARENT_TASK_NOT_RUNNING");
  });

  test("so is what it throws while the store is out of reach", async () => {
    const store = wrapStore(new SqliteStore({ file: ":memory:" }));
    const node = await open({ store });
    const calls = await Promise.all(NAMES.map(async (name) => [name, await callsOf(name, node)] as const));
    store.failCommit = () => "before";
    store.failRead = () => true;
    // A command for a taskflow in memory would wait for the store: they are all about one that
    // has ended.
    const ofDone = (params: object) => ("taskflowId" in params ? { ...params, taskflowId: "done" } : params);
    for (const [name, all] of calls) {
      const known: readonly unknown[] = [...ACTIONS[name].errors, ...EVERY_ACTION, "none"];
      for (const params of all) {
        const outcome = await node.broker.call(`taskflow.${name}`, ofDone(params)).then(
          () => "none",
          (error: unknown) => (isTaskflowError(error) ? error.type : String(error)),
        );
        expect([name, outcome, known.includes(outcome)]).toEqual([name, outcome, true]);
      }
    }
    expect(node.check.thrown).toContain("getTaskflowDetails STORE_UNAVAILABLE");
    store.failCommit = () => undefined;
    store.failRead = () => false;
  });
});

/**
 * Task types of a user's own, on a store: one that is worked out, one that is done in the
 * coordinator's process, one with a dispatch of its own.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Context } from "moleculer";
import {
  type Call,
  type Dispatch,
  type Done,
  inProcess,
  PermanentError,
  SEND,
  type SendingTaskType,
  type TaskDetails,
  type TaskflowDetails,
  type TaskflowEvent,
  type TaskflowServiceOptions,
  type TaskType,
  type Work,
} from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { uniqueName } from "../helpers/unique.ts";

afterEach(stopLocalNodes);

/** The sum of numbers. */
const sum: TaskType<{ of: number[] }> = {
  name: "SUM",
  schema: {
    type: "object",
    properties: { of: { type: "array", items: { type: "number" }, minItems: 1 } },
    required: ["of"],
    additionalProperties: false,
  },
  check(details, at, rules) {
    if (details.of.length > 3) rules.add({ path: `${at()}/of`, message: `${at()}/of must have at most 3 numbers.` });
  },
  begin: ({ definition }): Done => ({ kind: "done", response: definition.taskDetails.of.reduce((a, b) => a + b, 0) }),
};

/** Does the work of a function, under a name. */
const job = (work: Work): SendingTaskType<{ job: string }> => ({
  name: "JOB",
  schema: { type: "object", properties: { job: { type: "string" } }, required: ["job"], additionalProperties: false },
  begin: () => SEND,
  target: (details) => `job.${details.job}`,
  dispatch: inProcess(work),
});

const adds = (name: string, of: unknown): object => ({ name, type: "SUM", taskDetails: { of } });
const jobs = (name: string, more: object = {}): object => ({ name, type: "JOB", taskDetails: { job: name }, ...more });

const taskOf = (tree: TaskflowDetails, name: string): TaskDetails => {
  const task = Object.values(tree.stages)
    .flatMap(({ tasks }) => Object.values(tasks))
    .find((one) => one.name === name);
  if (!task) throw new Error(`There is no task ${name}.`);
  return task;
};

const statusOf = ({ eventType, data }: TaskflowEvent): string => {
  const { taskStatus, stageStatus, taskflowStatus } = data as {
    taskStatus?: string;
    stageStatus?: string;
    taskflowStatus?: string;
  };
  return `${eventType} ${taskStatus ?? stageStatus ?? taskflowStatus}`;
};

const produce = async ({ broker }: LocalNode, definition: object): Promise<string> =>
  (await broker.call<{ data: { taskflowId: string } }, unknown>("taskflow.produce", definition)).data.taskflowId;

const run = async (node: LocalNode, ...tasks: object[]): Promise<TaskflowDetails> =>
  node.client.waitForTaskflow(await produce(node, { tasks }));

/** @param newUrl of a store of its own */
export function describeTaskTypes(storeName: string, newUrl: () => string): void {
  const start = (taskTypes: TaskflowServiceOptions["taskTypes"] = [], more: TaskflowServiceOptions = {}): Promise<LocalNode> =>
    startLocalNode({ taskflow: { store: newUrl(), ...more, taskTypes } });

  describe(`a type that is worked out, stored in ${storeName}`, () => {
    test("a taskflow of nothing else is over with its first commit, and survives a restart", async () => {
      const store = newUrl();
      const node = await startLocalNode({ taskflow: { store, taskTypes: [sum] } });
      const taskflowId = await produce(node, { stages: [{ name: "s", tasks: [adds("a", [1, 2]), adds("b", [0])] }] });
      const tree = await node.client.waitForTaskflow(taskflowId);
      expect(tree).toMatchObject({ status: "COMPLETED", progress: 100 });
      expect(taskOf(tree, "a")).toMatchObject({
        type: "SUM",
        taskDetails: { of: [1, 2] },
        status: "SUCCESS",
        response: 3,
        attempts: [{ attempt: 0, deliveries: 1, nodeID: null, status: "SUCCESS" }],
      });
      const { data } = await node.broker.call<{ data: { events: TaskflowEvent[] } }, unknown>("taskflow.getEvents", {
        taskflowId,
      });
      expect(data.events.map(statusOf)).toEqual([
        "TASKFLOW WAITING",
        "TASKFLOW RUNNING",
        "STAGE RUNNING",
        "TASK RUNNING",
        "TASK SUCCESS",
        "TASK RUNNING",
        "TASK SUCCESS",
        "STAGE COMPLETED",
        "TASKFLOW COMPLETED",
      ]);
      await node.stop();

      const again = await startLocalNode({ taskflow: { store, taskTypes: [sum] } });
      expect(await again.client.getTaskflowDetails(taskflowId)).toEqual(tree);
      const { rows } = await again.client.listTaskflows({ status: "COMPLETED" });
      expect(rows).toMatchObject([{ taskflowId, progress: 100 }]);
    });

    test("its response is what the next stage's action is given", async () => {
      const seen: unknown[] = [];
      const service = {
        name: "svc",
        actions: {
          look: (ctx: Context) => {
            const { taskflowExecutionContext } = ctx.meta as { taskflowExecutionContext: { previousStageRes: unknown } };
            return seen.push(taskflowExecutionContext.previousStageRes);
          },
        },
      };
      const node = await startLocalNode({ services: [service], taskflow: { store: newUrl(), taskTypes: [sum] } });
      const look = { name: "look", type: "ACTION", taskDetails: { serviceId: "svc", actionName: "look" } };
      const taskflowId = await produce(node, {
        stages: [
          { name: "one", tasks: [adds("a", [40, 2])] },
          { name: "two", tasks: [look] },
        ],
      });
      expect(await node.client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
      expect(seen).toMatchObject([[{ taskName: "a", response: 42, status: "SUCCESS" }]]);
    });

    test("more of them than there are slots are worked out turn by turn", async () => {
      const node = await start([sum], { maxInFlight: 3 });
      const tree = await run(node, ...Array.from({ length: 20 }, (_, index) => adds(`t${index}`, [index])));
      expect(tree).toMatchObject({ status: "COMPLETED" });
      expect(taskOf(tree, "t19").response).toBe(19);
    });

    test("what is wrong with its details is told like any problem, by its schema and by its check", async () => {
      const node = await start([sum]);
      const tasks = [adds("a", ["1"]), adds("b", [1, 2, 3, 4]), { name: "c", type: "SUM", taskDetails: { off: [1] } }];
      const { type, data } = await rejection(produce(node, { tasks }));
      expect(type).toBe("TASKFLOW_VALIDATION_ERROR");
      expect(data).toMatchObject([
        { path: "/tasks/0/taskDetails/of/0", message: '/tasks/0/taskDetails/of/0 must be a number, got "1".' },
        { path: "/tasks/1/taskDetails/of", message: "/tasks/1/taskDetails/of must have at most 3 numbers." },
        { path: "/tasks/2/taskDetails/off", message: '/tasks/2/taskDetails/off is unknown: did you mean "of"?' },
        { path: "/tasks/2/taskDetails/of" },
      ]);
    });

    test("a type that is not known is refused with those that are, and the nearest", async () => {
      const node = await start([sum]);
      const { data } = await rejection(produce(node, { tasks: [{ ...adds("a", [1]), type: "SUMM" }] }));
      expect(data).toMatchObject([
        {
          path: "/tasks/0/type",
          message: '/tasks/0/type must be one of "ACTION", "TRANSFORM", "SUM", got "SUMM" (did you mean "SUM"?).',
        },
      ]);
    });

    test("an export of it is imported where the type is known, and refused where it is not", async () => {
      const node = await start([sum]);
      const { taskflowId } = await run(node, adds("a", [1]));
      const { data: copy } = await node.broker.call<{ data: object }, unknown>("taskflow.exportTaskflow", { taskflowId });
      const there = await start([sum]);
      const { data } = await there.broker.call<{ data: { taskflowId: string } }, unknown>("taskflow.importTaskflow", copy);
      expect(await there.client.getTaskflowDetails(data.taskflowId)).toMatchObject({ status: "COMPLETED" });
      const elsewhere = await start();
      const { type, message } = await rejection(elsewhere.broker.call("taskflow.importTaskflow", copy));
      expect([type, message]).toEqual([
        "TASKFLOW_VALIDATION_ERROR",
        expect.stringContaining('must be one of "ACTION", "TRANSFORM", got "SUM"'),
      ]);
    });

    test("a coordinator that does not know it lets it wait and says so; one that does goes on", async () => {
      const store = newUrl();
      const nodeID = uniqueName("node");
      let letGo = (): void => {};
      const service = { name: "svc", actions: { wait: () => new Promise<void>((resolve) => (letGo = resolve)) } };
      const wait = { name: "wait", type: "ACTION", taskDetails: { serviceId: "svc", actionName: "wait" } };
      const first = await startLocalNode({
        services: [service],
        taskflow: { store, taskTypes: [sum], shutdownGrace: 10 },
        nodeID,
      });
      const taskflowId = await produce(first, {
        stages: [
          { name: "one", tasks: [wait] },
          { name: "two", tasks: [adds("a", [5])] },
        ],
      });
      await eventually(async () => expect(await first.client.getTask(taskflowId, "wait")).toMatchObject({ status: "RUNNING" }));
      await first.stop();
      letGo();

      const done = { name: "svc", actions: { wait: () => "done" } };
      const without = await startLocalNode({ services: [done], taskflow: { store, shutdownGrace: 10 }, nodeID });
      await eventually(async () =>
        expect(await without.client.getTask(taskflowId, "a")).toMatchObject({ status: "WAITING", statusReason: "NO_WORKER" }),
      );
      const { reasons } = await without.client.explainTaskflow(taskflowId);
      expect(reasons).toMatchObject([
        { code: "NO_WORKER", sentence: 'Task "a" of stage "two" waits: this coordinator does not know the type SUM.' },
      ]);
      await without.stop();

      const last = await startLocalNode({ services: [done], taskflow: { store, taskTypes: [sum] }, nodeID });
      const tree = await last.client.waitForTaskflow(taskflowId);
      expect([tree.status, taskOf(tree, "a").response]).toEqual(["COMPLETED", 5]);
    });
  });

  describe(`a type whose work is done in the coordinator's process, stored in ${storeName}`, () => {
    test("is given the task, copied, and answers its response", async () => {
      const calls: Call[] = [];
      const node = await start([
        job((call) => {
          calls.push(call);
          Object.assign(call.params as object, { changed: true });
          return { done: call.params };
        }),
      ]);
      const tree = await run(node, jobs("a", { params: { x: 1 }, meta: { user: "u" } }));
      expect(taskOf(tree, "a")).toMatchObject({
        status: "SUCCESS",
        params: { x: 1 },
        response: { done: { x: 1, changed: true } },
        attempts: [{ nodeID: node.broker.nodeID }],
      });
      const { taskflowId } = tree;
      const taskId = taskOf(tree, "a").id;
      expect(calls).toMatchObject([
        {
          target: "job.a",
          taskDetails: { job: "a" },
          meta: { user: "u" },
          taskflowId,
          taskId,
          attempt: 0,
          delivery: 1,
          idempotencyKey: `${taskflowId}:${taskId}:0`,
        },
      ]);
    });

    test("what it throws is retried by the task's options, unless it is permanent", async () => {
      const node = await start([
        job(({ target, attempt }) => {
          if (target === "job.never") throw new PermanentError("It is no use.");
          if (attempt < 2) throw new Error("Not yet.");
          return attempt;
        }),
      ]);
      const options = { maxRetries: 5, retryDelay: 1, continueOnTaskFailure: true };
      const tree = await run(node, jobs("often", { options }), jobs("never", { options }));
      expect(taskOf(tree, "often")).toMatchObject({ status: "SUCCESS", response: 2, attempt: 2 });
      expect(taskOf(tree, "never")).toMatchObject({ status: "FAILED", attempt: 0, error: { message: "It is no use." } });
    });

    test("its signal is aborted when the attempt has timed out, and when it is cancelled", async () => {
      const aborted: string[] = [];
      const hang: Work = ({ target, attempt }, signal) =>
        new Promise(() => signal.addEventListener("abort", () => aborted.push(`${target}:${attempt}`)));
      const node = await start([job(hang)]);
      expect(taskOf(await run(node, jobs("slow", { options: { timeout: 30 } })), "slow")).toMatchObject({
        status: "FAILED",
        error: { type: "TASK_TIMEOUT" },
      });
      expect(aborted).toEqual(["job.slow:0"]);
      const taskflowId = await produce(node, { tasks: [jobs("long")] });
      await eventually(async () => expect(await node.client.getTask(taskflowId, "long")).toMatchObject({ status: "RUNNING" }));
      await node.client.cancelTaskflow(taskflowId);
      await eventually(() => expect(aborted).toEqual(["job.slow:0", "job.long:0"]));
    });

    test("a rule that pauses its target keeps it back", async () => {
      const node = await start([job(() => "done")]);
      await node.broker.call("taskflow.pauseActions", { pattern: "job.*" });
      const taskflowId = await produce(node, { tasks: [jobs("a")] });
      await eventually(async () =>
        expect(await node.client.getTask(taskflowId, "a")).toMatchObject({ status: "WAITING", statusReason: "PAUSED" }),
      );
      await node.broker.call("taskflow.resumeActions", { pattern: "job.*" });
      expect(await node.client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
    });

    test("after a restart in the middle it is done again with the same key, or under exactly once not at all", async () => {
      const store = newUrl();
      const nodeID = uniqueName("node");
      const keys: string[] = [];
      const note =
        (answer: () => unknown): Work =>
        ({ idempotencyKey, delivery }) => {
          keys.push(`${idempotencyKey} ${delivery}`);
          return answer();
        };
      const hanging = [job(note(() => new Promise(() => {})))];
      const first = await startLocalNode({ taskflow: { store, taskTypes: hanging, shutdownGrace: 10 }, nodeID });
      const once = jobs("once", { options: { exactlyOnceTaskExecution: true, continueOnTaskFailure: true } });
      const taskflowId = await produce(first, { tasks: [jobs("again"), once] });
      await eventually(() => expect(keys).toHaveLength(2));
      await first.stop();

      const second = await startLocalNode({ taskflow: { store, taskTypes: [job(note(() => "done"))] }, nodeID });
      const tree = await second.client.waitForTaskflow(taskflowId);
      const again = taskOf(tree, "again");
      expect(again).toMatchObject({ status: "SUCCESS", attempts: [{ attempt: 0, deliveries: 2 }] });
      expect(taskOf(tree, "once")).toMatchObject({ status: "FAILED", error: { type: "TASK_OUTCOME_UNKNOWN" } });
      expect(keys.slice(2)).toEqual([`${taskflowId}:${again.id}:0 2`]);
    });
  });

  test(`a type with a dispatch of its own decides who does the work, stored in ${storeName}`, async () => {
    let isOpen = false;
    const sent: string[] = [];
    const dispatch: Dispatch = {
      route: () => (isOpen ? "the moon" : undefined),
      offers: () => (isOpen ? 1 : 0),
      carries: () => true,
      call({ target, node }, done) {
        sent.push(`${target} at ${node}`);
        const timer = setTimeout(
          () => done({ kind: "answered", response: JSON.stringify("hello") as never, reportedFailure: false }),
          5,
        );
        return () => clearTimeout(timer);
      },
      queryOutcome(_question, done) {
        const timer = setTimeout(() => done({ kind: "silent" }), 5);
        return () => clearTimeout(timer);
      },
      abort: () => {},
    };
    const rocket: SendingTaskType = {
      name: "ROCKET",
      schema: {},
      begin: () => SEND,
      dispatch: () => dispatch,
      explain: () => ({ sentence: "The sky is closed.", movedBy: "Weather." }),
    };
    const node = await start([rocket]);
    const taskflowId = await produce(node, { tasks: [{ name: "fly", type: "ROCKET", taskDetails: null }] });
    await eventually(async () =>
      expect((await node.client.explainTaskflow(taskflowId)).reasons).toMatchObject([
        { code: "NO_WORKER", sentence: "The sky is closed.", movedBy: "Weather." },
      ]),
    );
    isOpen = true;
    const tree = await node.client.waitForTaskflow(taskflowId);
    expect(taskOf(tree, "fly")).toMatchObject({ status: "SUCCESS", response: "hello", attempts: [{ nodeID: "the moon" }] });
    expect(sent).toEqual(["ROCKET at the moon"]);
  });
}

/**
 * What people decide, on a store: section by section what `docs/control.md` promises, with the
 * calls that workers got.
 */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { TaskflowClient, TaskflowDetails } from "../../lib/index.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { Recorder } from "../helpers/recorder.ts";
import { uniqueName } from "../helpers/unique.ts";
import { byStage, type FirstRun, REFUSED, STAGES, TABLE } from "./retry-table.ts";

const taskOf = (details: TaskflowDetails, name: string) => {
  const task = Object.values(details.stages)
    .flatMap(({ tasks }) => Object.values(tasks))
    .find((one) => one.name === name);
  if (!task) throw new Error(`There is no task ${name}.`);
  return task;
};

/** @param newUrl of a store of its own */
export function describeControl(name: string, newUrl: () => string): void {
  describe(`decisions, stored in ${name}`, () => {
    let worker: Recorder;
    let node: LocalNode;
    let client: TaskflowClient;
    let heard: string[] = [];
    let restart: () => Promise<void>;

    beforeEach(async () => {
      const store = newUrl();
      const nodeID = uniqueName("node");
      worker = new Recorder();
      heard = [];
      const start = async (): Promise<void> => {
        const listener = {
          name: "listener",
          events: {
            "taskflow.decision.needed": (ctx: { params: { data: { taskflowId: string } } }) =>
              void heard.push(ctx.params.data.taskflowId),
          },
        };
        node = await startLocalNode({ services: [worker.service, listener], taskflow: { store }, nodeID });
        client = node.client;
      };
      restart = async () => {
        await node.stop();
        await start();
      };
      await start();
    });
    afterEach(async () => {
      for (const action of ["a", "b", "c", "d", "e"]) worker.letGo(action);
      await stopLocalNodes();
    });

    const run = async (row: Pick<FirstRun, "options" | "fails">): Promise<TaskflowDetails> => {
      for (const action of row.fails ?? []) worker.failing.add(action);
      const { taskflowId } = await client.produce({ stages: STAGES, ...(row.options ? { options: row.options } : {}) });
      return client.waitForTaskflow(taskflowId);
    };
    const revisionOf = async (taskflowId: string): Promise<number> => (await client.getTaskflowDetails(taskflowId)).revision;

    test.each(REFUSED)("retry, refused: $title", async ({ refusal, retry = {}, ...row }) => {
      const { taskflowId, status, revision } = await run(row);
      expect(status).toBe(row.ends);
      worker.take();
      for (const dryRun of [true, false])
        expect(await rejection(client.retryTaskflow(taskflowId, { ...retry, dryRun }))).toMatchObject({ type: refusal });
      expect(await revisionOf(taskflowId)).toBe(revision);
      expect(worker.calls).toEqual([]);
    });

    test.each(TABLE)("retry: $title", async ({ retry = {}, runs, ...row }) => {
      const { taskflowId, status, revision } = await run(row);
      expect(status).toBe(row.ends);
      worker.take();
      worker.failing.clear();
      const { reused, compensated, follows, ...foretold } = await client.retryTaskflow(taskflowId, { ...retry, dryRun: true });
      expect([compensated, await revisionOf(taskflowId), worker.calls]).toEqual([[], revision, []]);
      expect(await client.retryTaskflow(taskflowId, retry)).toEqual(foretold);
      const after = await client.waitForTaskflow(taskflowId);
      expect(byStage(worker.calls)).toEqual(runs);
      expect(after.status).toBe(runs.length > 0 ? "COMPLETED" : row.ends);
      // Exactly what was foretold: others have no further attempt.
      const ids = new Set([...foretold.retried, ...(follows ?? [])].map(({ taskId }) => taskId));
      expect(ids.size).toBe(worker.calls.length);
      for (const { taskId } of reused ?? []) expect(ids.has(taskId)).toBe(false);
      expect(after.retryAttempt).toBe(foretold.retryAttempt);
    });

    test("both positional forms of the client, and attempts that go on counting", async () => {
      const { taskflowId } = await run({});
      worker.take();
      await client.retryTaskflow(taskflowId, undefined, [{ stageId: "s1", taskId: "c" }]);
      await client.waitForTaskflow(taskflowId);
      await client.retryTaskflow(taskflowId, [{ stageId: "s1", taskIds: ["c"] }], [{ taskId: "e" }]);
      const details = await client.waitForTaskflow(taskflowId);
      expect(worker.calls).toEqual(["c", "c", "e"]);
      expect(taskOf(details, "c").attempts.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
      expect(details.retryAttempt).toBe(2);
    });

    test("a taskflow that was cancelled is retried, also after a restart, and its id of a command is still known", async () => {
      worker.hold("c");
      const { taskflowId } = await client.produce({ stages: STAGES });
      await eventually(() => expect(worker.calls).toContain("c"));
      const answer = await client.cancelTaskflow(taskflowId, { commandId: "x" });
      expect(answer).toEqual({ taskflowId, status: "CANCELLED" });
      expect(await client.cancelTaskflow(taskflowId)).toEqual({ ...answer, alreadyFinished: true });
      worker.letGo("c");
      await restart();
      worker.take();
      expect(await client.cancelTaskflow(taskflowId, { commandId: "x" })).toEqual(answer);
      await client.retryTaskflow(taskflowId, { mode: "failed" });
      expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
      expect(worker.calls.filter((call) => call === "a" || call === "b")).toEqual([]);
      // Of a run that has ended: the first answer, and nothing is cancelled.
      expect(await client.cancelTaskflow(taskflowId, { commandId: "x" })).toEqual(answer);
      expect((await client.getTaskflowDetails(taskflowId)).status).toBe("COMPLETED");
    });

    test("once cancelTaskflow has answered, nothing is called during ten retry delays, and handlers see that they are aborted", async () => {
      const options = { maxRetries: -1, retryDelay: 50 };
      worker.hold("a");
      worker.failing.add("b");
      const flows = await Promise.all(
        Array.from({ length: 20 }, () => client.produce({ tasks: stageOf("main", ["a", "b"]).tasks, options })),
      );
      await eventually(() => expect(worker.calls.length).toBeGreaterThan(60));
      const delays: number[] = [];
      for (const { taskflowId } of flows) {
        const before = worker.aborts.length;
        const askedAt = performance.now();
        await client.cancelTaskflow(taskflowId);
        await eventually(() => expect(worker.aborts.length).toBeGreaterThan(before), { intervalMs: 1 });
        delays.push((worker.aborts.at(-1) ?? 0) - askedAt);
      }
      worker.take();
      // Ten retry delays of another one have passed when it gives up.
      worker.failing.add("f");
      const { taskflowId } = await client.produce({
        tasks: stageOf("main", ["f"]).tasks,
        options: { ...options, maxRetries: 10 },
      });
      await client.waitForTaskflow(taskflowId);
      expect(worker.calls.filter((call) => call !== "f")).toEqual([]);
      const median = delays.toSorted((a, b) => a - b)[10] ?? Infinity;
      console.log(`Handlers were aborted ${median.toFixed(1)} ms (median of ${delays.length}) after cancelTaskflow was asked.`);
      expect(median).toBeLessThan(250);
    });

    test("a late answer is recorded when its taskflow has ended, and a retry takes it", async () => {
      worker.hold("a");
      const { taskflowId } = await client.produce({ tasks: stageOf("main", ["a"]).tasks });
      await eventually(() => expect(worker.calls).toEqual(["a"]));
      await client.cancelTaskflow(taskflowId, { reason: "too slow" });
      worker.letGo("a");
      const recorded = await eventually(async () => {
        const task = taskOf(await client.getTaskflowDetails(taskflowId), "a");
        expect(task.attempts).toMatchObject([{ status: "SUCCESS" }]);
        return task;
      });
      expect(recorded).toMatchObject({ status: "CANCELLED", response: "a" });
      // A store may write the row a moment after the entry.
      await eventually(async () => {
        expect((await client.listTaskflows({ status: "CANCELLED" })).counts).toEqual({ CANCELLED: 1 });
      });
      await client.retryTaskflow(taskflowId);
      expect(await client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
      expect(worker.calls).toEqual(["a"]);
    });

    test("a pause outlives a restart: nothing is sent, answers are taken, and resume goes on", async () => {
      worker.hold("a");
      const { taskflowId } = await client.produce({ stages: STAGES });
      await eventually(() => expect(worker.calls.toSorted()).toEqual(["a", "b"]));
      expect(await client.pauseTaskflow(taskflowId, { reason: "lunch" })).toMatchObject({ status: "PAUSED" });
      worker.letGo("a");
      await eventually(async () => expect(taskOf(await client.getTaskflowDetails(taskflowId), "a").status).toBe("SUCCESS"));
      await restart();
      expect(await client.getTaskflowDetails(taskflowId)).toMatchObject({ status: "PAUSED", statusReason: "PAUSED" });
      expect(worker.calls.toSorted()).toEqual(["a", "b"]);
      expect(await client.resumeTaskflow(taskflowId)).toMatchObject({ status: "RUNNING" });
      expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
      expect(byStage(worker.calls)).toEqual(["ab", "cd", "e"]);
    });

    test('with onFailure "pause" a person decides, told by an event, also after a restart; an old button decides nothing', async () => {
      const { taskflowId } = await client.produce({ stages: STAGES, options: { onFailure: "pause" } });
      worker.failing.add("c").add("d");
      const waits = async () => {
        const details = await client.getTaskflowDetails(taskflowId);
        expect(details).toMatchObject({ status: "PAUSED", statusReason: "AWAITING_DECISION" });
        expect(["c", "d"].map((task) => taskOf(details, task).status)).toEqual(["FAILED", "FAILED"]);
      };
      await eventually(waits);
      await eventually(() => expect(heard).toEqual([taskflowId]));
      await restart();
      await waits();
      worker.take();
      worker.failing.delete("c");
      const byHand = { outcome: "SUCCESS", response: { by: "hand" }, reason: "done by phone" } as const;
      // The other one is still to be decided about.
      expect(await client.resolveTask(taskflowId, "d", byHand)).toMatchObject({ taskStatus: "SUCCESS", status: "PAUSED" });
      expect((await client.retryTaskflow(taskflowId, { tasksInfo: [{ taskId: "c" }] })).retried).toHaveLength(1);
      const old = { expect: { taskId: "c", attempt: 0 } };
      expect(await rejection(client.cancelTaskflow(taskflowId, old))).toMatchObject({ type: "TASKFLOW_CONFLICT" });
      const details = await client.waitForTaskflow(taskflowId);
      expect(details.status).toBe("COMPLETED");
      expect(taskOf(details, "d").response).toEqual({ by: "hand" });
      expect(worker.calls).toEqual(["c", "e"]);
    });

    test("single tasks: cancelled, changed before a retry, skipped", async () => {
      worker.hold("a");
      const { taskflowId } = await client.produce({ stages: STAGES, options: { continueOnTaskFailure: true } });
      await eventually(() => expect(worker.calls).toContain("a"));
      expect(await rejection(client.updateTask(taskflowId, "a", { params: {} }))).toMatchObject({ type: "TASK_RUNNING" });
      expect(await client.updateTask(taskflowId, "e", { params: { x: 1 }, options: { maxRetries: 2 } })).toMatchObject({
        taskStatus: "WAITING",
      });
      expect(await client.cancelTask(taskflowId, "a")).toMatchObject({ taskStatus: "CANCELLED" });
      const details = await client.waitForTaskflow(taskflowId);
      expect(details.status).toBe("PARTIAL_COMPLETED");
      expect(taskOf(details, "e")).toMatchObject({ params: { x: 1 }, options: { maxRetries: 2 } });
      await client.resolveTask(taskflowId, "a", { outcome: "SKIPPED", reason: "not needed" });
      expect((await client.waitForTaskflow(taskflowId)).status).toBe("COMPLETED");
    });

    test("annotations are in the details and found by type and value, of running and of finished ones", async () => {
      const { taskflowId } = await run({});
      worker.hold("a");
      const other = await client.produce({ stages: STAGES });
      await client.annotateTaskflow(taskflowId, "ticket", { id: 7, team: "x" });
      await client.annotateTaskflow(taskflowId, "note", "y".repeat(1_000));
      await client.annotateTaskflow(other.taskflowId, "ticket", { id: 8 });
      const find = async (type: string, value?: unknown) =>
        (
          await client.listTaskflows({ annotations: { type, ...(value === undefined ? {} : { value }) }, sort: "createdAt" })
        ).rows.map((row) => row.taskflowId);
      await eventually(async () => expect(await find("ticket")).toEqual([taskflowId, other.taskflowId]));
      expect(await find("ticket", { team: "x", id: 7 })).toEqual([taskflowId]);
      expect(await find("note", "y".repeat(1_000))).toEqual([taskflowId]);
      expect(await find("note", "y".repeat(999))).toEqual([]);
      expect(await find("nothing")).toEqual([]);
      const { annotations, status } = await client.getTaskflowDetails(taskflowId);
      expect(annotations).toEqual([
        { type: "ticket", value: { id: 7, team: "x" }, at: expect.any(Number) },
        { type: "note", value: "y".repeat(1_000), at: expect.any(Number) },
      ]);
      expect(status).toBe("COMPLETED");
      await eventually(async () =>
        expect((await client.listTaskflows({ status: "COMPLETED" })).rows).toMatchObject([{ taskflowId }]),
      );
    });

    test("what cannot be is refused with a typed error and changes nothing", async () => {
      const done = await run({});
      worker.hold("a");
      const { taskflowId } = await client.produce({ stages: STAGES });
      const id = taskflowId;
      await eventually(() => expect(worker.calls.filter((call) => call === "b")).toHaveLength(2));
      await eventually(async () => expect(taskOf(await client.getTaskflowDetails(id), "b").status).toBe("SUCCESS"));
      const before = [await revisionOf(id), await revisionOf(done.taskflowId)];
      const refusals: [Promise<unknown>, string][] = [
        [client.retryTaskflow(id), "TASKFLOW_NOT_RETRYABLE"],
        [client.resumeTaskflow(id), "TASKFLOW_CONFLICT"],
        [client.cancelTaskflow(id, { expect: { revision: 1 } }), "TASKFLOW_CONFLICT"],
        [client.cancelTask(id, "a", { expect: { attempt: 7 } }), "TASKFLOW_CONFLICT"],
        [client.cancelTask(id, "nobody"), "TASK_NOT_FOUND"],
        [client.cancelTask(id, "b"), "TASK_NOT_ACTIVE"],
        [client.resolveTask(id, "a", { outcome: "SUCCESS", reason: "x" }), "TASK_RUNNING"],
        [client.resolveTask(id, "b", { outcome: "SUCCESS", reason: "x" }), "TASK_NOT_ACTIVE"],
        [client.updateTask(id, "c", {}), "TASKFLOW_VALIDATION_ERROR"],
        [client.updateTask(id, "c", { options: { maxRetries: 2_000_000 } }), "TASKFLOW_VALIDATION_ERROR"],
        [client.annotateTaskflow(id, "large", "x".repeat(70_000)), "TASKFLOW_VALIDATION_ERROR"],
        [client.retryTaskflow(done.taskflowId, []), "TASKFLOW_VALIDATION_ERROR"],
        [client.retryTaskflow(done.taskflowId, [{ stageId: "s0", taskIds: [] }]), "TASKFLOW_VALIDATION_ERROR"],
        [client.cancelTaskflow(done.taskflowId), "TASKFLOW_ALREADY_FINISHED"],
        [client.pauseTaskflow(done.taskflowId), "TASKFLOW_ALREADY_FINISHED"],
        [client.resumeTaskflow(done.taskflowId), "TASKFLOW_ALREADY_FINISHED"],
        [client.cancelTask(done.taskflowId, "a"), "TASKFLOW_ALREADY_FINISHED"],
        [client.retryTaskflow(done.taskflowId, { expect: { revision: done.revision - 1 } }), "TASKFLOW_CONFLICT"],
        [client.cancelTaskflow("nobody"), "TASKFLOW_NOT_FOUND"],
        [client.retryTaskflow("nobody"), "TASKFLOW_NOT_FOUND"],
      ];
      const types = await Promise.all(refusals.map(async ([promise]) => (await rejection(promise)).type));
      expect(types).toEqual(refusals.map(([, type]) => type));
      expect([await revisionOf(id), await revisionOf(done.taskflowId)]).toEqual(before);
    });
  });
}

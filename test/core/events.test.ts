import { describe, expect, test } from "@jest/globals";
import { taskflowDetails } from "../../lib/core/views/details.ts";
import { EventWriter } from "../../lib/core/views/events.ts";
import { historyOf } from "../../lib/core/views/history.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import type { Decision } from "../../lib/core/decide.ts";
import type { Router } from "../../lib/core/execution/dispatch.ts";
import type { Input } from "../../lib/core/execution/inputs.ts";
import type { TaskflowEvent, TaskflowState } from "../../schemas/taskflow-event.schema.ts";
import { answered, CoreRun, failed, ID_BASE, START, routerTo } from "../helpers/core-run.ts";

const LIMIT = 4096;
const S0 = stageId(ID_BASE, 0);
const T0 = taskId(ID_BASE, 0);

/** A run whose events are written like a coordinator's. */
class EventRun extends CoreRun {
  readonly events: TaskflowEvent[] = [];
  readonly topics: string[] = [];
  #writer: EventWriter | undefined;
  limit = LIMIT;

  override decide(inputs: readonly Input[], router?: Router): Decision {
    const firstSeq = this.flow.seq + 1;
    if (!this.#writer) {
      this.#writer = new EventWriter(this.flow, this.limit);
      this.#take([this.#writer.creation(this.now)]);
    }
    const decision = super.decide(inputs, router);
    this.#take(this.#writer.write(decision.facts, this.now, firstSeq));
    return decision;
  }

  #take(written: readonly { text: string; topic: string; seq: number }[]): void {
    for (const { text, topic, seq } of written) {
      const event = JSON.parse(text) as TaskflowEvent;
      expect(event.seq).toBe(seq);
      this.events.push(event);
      this.topics.push(topic);
    }
  }

  get seqs(): number[] {
    return this.events.map((event) => event.seq);
  }

  tree(): TaskflowState {
    return this.events.at(-1)?.data.taskflowObject as TaskflowState;
  }

  history(since = 0, limit = 1_000): TaskflowEvent[] {
    return historyOf(this.entries, this.flow, since, limit, this.limit).events.map(
      ({ text }) => JSON.parse(text) as TaskflowEvent,
    );
  }
}

/** Makes every kind of change. */
function eventful(options = {}): EventRun {
  const run = new EventRun([{ a: { maxRetries: 1, continueOnTaskFailure: true }, b: {} }, { c: {} }], { options }).begin();
  run.now += 5;
  run.send();
  run.turnAway("a");
  run.send(1, () => undefined);
  run.send();
  run.answer("a", answered({ success: false }));
  run.endDelay("a");
  run.send();
  run.turnAway("a");
  run.send();
  run.give({ kind: "recover", fence: 2 });
  run.send();
  run.answer("b", answered({ b: [1] }));
  run.answer("a", failed());
  run.now += 5;
  run.send();
  run.answer("c", answered(null));
  return run;
}

const withoutTree = (events: readonly TaskflowEvent[]): unknown[] =>
  events.map(({ data: { taskflowObject: _, ...data }, ...head }) => ({ ...head, data }));

describe("events", () => {
  test("each change of status is an event, numbered from 1 without gaps: TASK before its STAGE before the TASKFLOW", () => {
    const run = new EventRun([["a"], ["b"]]).begin();
    for (const name of ["a", "b"]) {
      run.send();
      run.answer(name, answered(name));
    }
    expect(run.topics).toEqual([
      "flow.waiting",
      "flow.running",
      "stage.running",
      "task.running",
      "task.success",
      "stage.completed",
      "stage.running",
      "task.running",
      "task.success",
      "stage.completed",
      "flow.completed",
    ]);
    expect(run.seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(run.flow.seq).toBe(11);
    expect(run.events.map((event) => event.eventType).slice(4, 7)).toEqual(["TASK", "STAGE", "STAGE"]);
  });

  test("each has its own attempt, even if the next attempt starts in the same commit", () => {
    const run = new CoreRun(["a", "b"].map((name) => [name])).begin();
    for (const name of ["a", "b"]) {
      run.send();
      run.answer(name, answered(name));
    }
    const firstSeq = run.flow.seq + 1;
    const { facts } = run.command({ kind: "retry", mode: "all" });
    const sent = run.decide([], routerTo("w1", 1));
    const written = new EventWriter(run.flow, LIMIT).write([...facts, ...sent.facts], run.now, firstSeq);
    const announced = written.map(({ text }) => JSON.parse(text) as TaskflowEvent);
    const attempts = announced.flatMap(({ data }) => ("taskStatus" in data ? [[data.taskStatus, data.attempt]] : []));
    expect(attempts).toEqual([
      ["WAITING", 0],
      ["WAITING", 0],
      ["RUNNING", 1],
    ]);
    const history = historyOf(run.entries, run.flow, firstSeq - 1, 100, LIMIT).events.map(
      ({ text }) => JSON.parse(text) as TaskflowEvent,
    );
    expect(withoutTree(history)).toEqual(withoutTree(announced));
  });

  test("they have the documented fields", () => {
    const run = new EventRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", answered({ success: false }));
    const { taskflowObject: _1, ...flow } = run.events[0]?.data ?? ({} as never);
    expect({ ...run.events[0], data: flow }).toEqual({
      eventType: "TASKFLOW",
      seq: 1,
      timestamp: START,
      data: { taskflowId: "flow-1", createdAt: START, taskflowStatus: "WAITING" },
    });
    expect(run.events[2]).toMatchObject({
      eventType: "STAGE",
      data: { taskflowId: "flow-1", createdAt: START, stageId: S0, stageName: "s0", stageStatus: "RUNNING" },
    });
    const { taskflowObject: _2, ...running } = run.events[3]?.data ?? ({} as never);
    expect(running).toEqual({
      taskflowId: "flow-1",
      createdAt: START,
      attempt: 0,
      stageId: S0,
      stageName: "s0",
      taskId: T0,
      taskName: "a",
      taskStatus: "RUNNING",
      taskResponse: null,
    });
    const { taskflowObject: _3, ...waiting } = run.events[4]?.data ?? ({} as never);
    expect(waiting).toEqual({
      taskflowId: "flow-1",
      createdAt: START,
      attempt: 0,
      stageId: S0,
      stageName: "s0",
      taskId: T0,
      taskName: "a",
      taskStatus: "WAITING",
      taskResponse: { success: false },
      error: expect.objectContaining({ type: "TASK_REPORTED_FAILURE" }),
    });
  });

  test("a new owner and a redelivery are not events", () => {
    const run = new EventRun([["a"]]).begin();
    run.send();
    const { length } = run.events;
    run.takeOver(2);
    expect(run.send()).toEqual(["a"]);
    run.answer("a", { kind: "not-sent" });
    expect(run.events.length).toBe(length);
  });

  test("the history equals the announced events, apart from the trees", () => {
    const run = eventful();
    expect(run.seqs).toEqual(run.seqs.map((_, index) => index + 1));
    expect(withoutTree(run.history())).toEqual(
      withoutTree(run.events).map((event) => {
        // Attempt 1 replaced the response of attempt 0: the history omits it.
        const { data } = event as { data: Record<string, unknown> };
        return data["taskId"] === T0 && data["attempt"] === 0
          ? { ...(event as object), data: { ...data, taskResponse: null } }
          : event;
      }),
    );
  });

  test("also if an attempt was withdrawn and sent again in one commit", () => {
    const run = new EventRun([{ a: { maxRetries: 1 } }]).begin();
    run.send();
    run.answer("a", failed());
    run.endDelay("a");
    run.send();
    run.decide([{ kind: "answer", task: 0, attempt: 1, outcome: { kind: "not-sent" } }], routerTo("w2"));
    run.answer("a", answered(1));
    expect(withoutTree(run.history())).toEqual(withoutTree(run.events));
  });

  test("the history has the events after `since`, up to the limit, with the current tree", () => {
    const run = eventful();
    const all = run.history();
    expect(run.history(5, 3)).toEqual(all.slice(5, 8));
    expect(run.history(all.length)).toEqual([]);
    expect(run.history(1e9)).toEqual([]);
    expect(historyOf(run.entries, run.flow, 2, 1, LIMIT).lastSeq).toBe(all.length);
    for (const event of all) expect(event.data.taskflowObject).toEqual(run.tree());
  });
});

describe("the tree in events", () => {
  test("is the taskflow after the change, with the fields that have values", () => {
    const run = new EventRun([{ a: { maxRetries: 1 }, b: {} }, { c: {} }], { name: "n" }).begin();
    run.send();
    run.answer("a", failed());
    expect(run.tree()).toMatchObject({
      taskflowId: "flow-1",
      name: "n",
      status: "RUNNING",
      retryAttempt: 0,
      revision: run.flow.revision,
      progress: 0,
      startedAt: START,
      stages: {
        [S0]: {
          name: "s0",
          status: "RUNNING",
          tasks: {
            [T0]: { name: "a", status: "WAITING", statusReason: "RETRY_DELAY", attempt: 0, error: { type: "BROKEN" } },
            [taskId(ID_BASE, 1)]: { name: "b", status: "RUNNING", attempt: 0 },
          },
        },
        [stageId(ID_BASE, 1)]: {
          name: "s1",
          status: "WAITING",
          tasks: { [taskId(ID_BASE, 2)]: { name: "c", status: "WAITING" } },
        },
      },
    });
    run.endDelay("a");
    run.send();
    run.answer("a", answered({ x: 1 }));
    expect(run.tree().stages?.[S0]?.tasks[T0]).toMatchObject({ status: "SUCCESS", attempt: 1, response: { x: 1 } });
    expect(run.tree().stages?.[S0]?.tasks[T0]?.error).toBeUndefined();
    expect(run.tree().progress).toBe(33);
  });

  test("cached fragments follow every change: the text equals a fresh writer's", () => {
    const run = eventful();
    expect(JSON.stringify(run.tree())).toBe(new EventWriter(run.flow, LIMIT).tree());
  });

  test("is replaced by counts one byte above the limit", () => {
    const size = (limit: number): TaskflowState => JSON.parse(new EventWriter(run.flow, limit).tree()) as TaskflowState;
    const run = eventful();
    const whole = new EventWriter(run.flow, 1e9).tree();
    expect(size(whole.length)).toEqual(JSON.parse(whole));
    expect(size(whole.length - 1)).toMatchObject({
      status: "PARTIAL_COMPLETED",
      truncated: true,
      counts: { WAITING: 0, RUNNING: 0, SUCCESS: 2, FAILED: 1, SKIPPED: 0 },
    });
    expect(size(whole.length - 1).stages).toBeUndefined();
    expect(size(0).truncated).toBe(true);
  });

  test("is small and cheap in a taskflow of 20,000 tasks, with the right counts", () => {
    const run = new EventRun([Array.from({ length: 20_000 }, (_, index) => `t${index}`)]).begin();
    run.send(10);
    run.answer("t0", answered(1));
    expect(run.tree()).toMatchObject({ truncated: true, counts: { WAITING: 19_990, RUNNING: 9, SUCCESS: 1, FAILED: 0 } });
    expect(JSON.stringify(run.tree()).length).toBeLessThan(400);
  });

  test("is the tree of the details with eventTree full, and only the head with none", () => {
    const full = eventful({ eventTree: "full" });
    expect(full.tree()).toEqual(JSON.parse(JSON.stringify(taskflowDetails(full.flow))));
    const none = eventful({ eventTree: "none" });
    expect(none.tree()).toEqual({
      taskflowId: "flow-1",
      name: null,
      status: "PARTIAL_COMPLETED",
      retryAttempt: 0,
      revision: none.flow.revision,
      progress: 100,
    });
  });
});

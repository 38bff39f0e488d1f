/** Every reason that `explainTaskflow` knows, from the state that it belongs to. */
import { describe, expect, test } from "@jest/globals";
import type { Command } from "../../lib/core/command.ts";
import { explain, type Explanation } from "../../lib/core/explain.ts";
import { decodeEntry, encodeEntry, replay } from "../../lib/core/journal.ts";
import { REASON_CODES, type ReasonCode } from "../../lib/core/reason.ts";
import type { Driver, Surroundings } from "../../lib/core/surroundings.ts";
import { answered, CoreRun, error, failed, json, START } from "../helpers/core-run.ts";
import { readText } from "../helpers/source-files.ts";

type Own = Extract<Driver, { kind: "this" }>;

const own = (more: Partial<Own> = {}): Own => ({
  kind: "this",
  isLoaded: true,
  restsUntil: null,
  isHeld: true,
  isDraining: false,
  inFlight: 3,
  maxInFlight: 1_000,
  sent: () => ({ sentAt: START, heardAt: null, isUnsent: false }),
  ...more,
});

const around = (run: CoreRun, more: Partial<Surroundings> = {}): Surroundings => ({
  now: run.now,
  coordinator: "c1",
  driver: own(),
  isBusUp: true,
  nodes: 3,
  isConnected: () => true,
  offers: () => 1,
  pausedBy: () => undefined,
  everythingPausedBy: undefined,
  storeError: null,
  ...more,
});

const command = (run: CoreRun, given: Command): CoreRun => {
  run.give({ kind: "command", ticket: 1, command: given });
  return run;
};

const sentFlow = (options = {}): CoreRun => {
  const run = new CoreRun([{ a: options }, ["b"]]).begin();
  run.send();
  return run;
};

const rule = { pattern: "svc.*", reason: "a drill", since: START - 60_000, coordinator: null };

interface Case {
  readonly code: ReasonCode;
  readonly title: string;
  readonly sentence: string;
  readonly make: () => CoreRun;
  readonly more?: Partial<Surroundings>;
  readonly later?: number;
  readonly data?: Record<string, unknown>;
  readonly movedBy?: string | RegExp;
}

const CASES: readonly Case[] = [
  {
    code: "NOT_BEGUN",
    title: "stored, and not begun",
    make: () => new CoreRun([["a"]]),
    later: 2_000,
    sentence: "It is stored since 2 s and has not begun.",
  },
  {
    code: "RUNNING",
    title: "an attempt is out",
    make: () => sentFlow(),
    later: 5_000,
    sentence: 'Task "a" of stage "s0" runs on w1 since 5 s (attempt 0); it times out in 55 s.',
    data: { attempt: 0, nodeID: "w1", deliveries: 1, timeout: 60_000, timesOutAt: START + 60_000 },
  },
  {
    code: "RUNNING",
    title: "an attempt is out for the second time",
    make: () => {
      const run = sentFlow();
      run.takeOver(2);
      run.send(1_000, "w2");
      return run;
    },
    sentence: 'Task "a" of stage "s0" runs on w2 since 0 ms (attempt 0, delivered 2 times); it times out in 1 min.',
    data: { deliveries: 2 },
  },
  {
    code: "HEARTBEAT",
    title: "a handler says that it is at it",
    make: () => sentFlow(),
    later: 70_000,
    more: { driver: own({ sent: () => ({ sentAt: START, heardAt: START + 68_500, isUnsent: false }) }) },
    sentence:
      'Task "a" of stage "s0" runs on w1 since 1 min 10 s (attempt 0), its last heartbeat was 1.5 s ago; it times out in 58.5 s.',
    data: { heardAt: START + 68_500, timesOutAt: START + 128_500 },
  },
  {
    code: "ASKING",
    title: "nothing is heard of an attempt",
    make: () => sentFlow(),
    more: { driver: own({ sent: () => undefined }) },
    sentence: 'Nothing is heard of attempt 0 of task "a" of stage "s0": w1 is asked how it ended.',
    movedBy: /delivered again/,
  },
  {
    code: "EXACTLY_ONCE_UNKNOWN",
    title: "nothing is heard of an attempt that must not be repeated",
    make: () => sentFlow({ exactlyOnceTaskExecution: true }),
    more: { driver: own({ sent: () => undefined }) },
    sentence:
      'Nobody knows yet how attempt 0 of task "a" of stage "s0" ended, and it must not be repeated: w1 is asked, every 5 s while it is at work.',
    movedBy: /TASK_OUTCOME_UNKNOWN/,
  },
  {
    code: "DELIVERING_AGAIN",
    title: "an attempt is to be delivered again",
    make: () => {
      const run = sentFlow();
      run.takeOver(2);
      return run;
    },
    sentence: 'Attempt 0 of task "a" of stage "s0" is about to be delivered again (delivery 2 of at most 5): nobody knows of it.',
    data: { deliveries: 1, mostDeliveries: 5 },
  },
  {
    code: "NOT_SENT",
    title: "a delivery never left",
    make: () => sentFlow(),
    more: { driver: own({ sent: () => ({ sentAt: 0, heardAt: null, isUnsent: true }) }) },
    sentence: 'Attempt 0 of task "a" of stage "s0" could not be sent to w1; it is tried again at once.',
  },
  {
    code: "WORKER_GONE",
    title: "the worker is not there any more",
    make: () => sentFlow(),
    more: { isConnected: () => false },
    sentence: 'Attempt 0 of task "a" of stage "s0" was sent to w1, which is not connected any more.',
  },
  {
    code: "RETRY_DELAY",
    title: "another attempt follows",
    make: () => {
      const run = sentFlow({ maxRetries: 3, retryDelay: 4_100 });
      run.answer("a", failed());
      run.endDelay("a");
      run.send(1_000, "node-7");
      run.timeOut("a");
      return run;
    },
    sentence: 'Task "a" of stage "s0": retry 2 of 3 in 4.1 s after TASK_TIMEOUT on node-7.',
    data: { retry: 2, maxRetries: 3, nextAttemptAt: START + 8_200, nodeID: "node-7" },
  },
  {
    code: "RETRY_DELAY",
    title: "another attempt follows, without limit",
    make: () => {
      const run = sentFlow({ maxRetries: -1 });
      run.answer("a", failed());
      return run;
    },
    sentence: 'Task "a" of stage "s0": retry 1 in 1 s after BROKEN on w1.',
  },
  {
    code: "DOUBT",
    title: "its latest attempt may have succeeded unseen",
    make: () => {
      const run = sentFlow();
      command(run, { kind: "cancel" });
      return command(run, { kind: "retry" });
    },
    sentence: 'Task "a" of stage "s0" may have succeeded unseen in attempt 0: its worker is asked before it runs again.',
  },
  {
    code: "NO_WORKER",
    title: "no node offers the action",
    make: () => new CoreRun([["a"]]).begin(),
    more: { offers: () => 0 },
    sentence: 'Task "a" of stage "s0" waits: no node offers svc.a; 3 nodes are connected.',
    data: { action: "svc.a", nodes: 3 },
    movedBy: "A node that offers svc.a.",
  },
  {
    code: "ACTION_PAUSED",
    title: "its action is paused",
    make: () => new CoreRun([["a"]]).begin(),
    more: { pausedBy: () => rule },
    sentence: 'Task "a" of stage "s0" waits: calls of svc.* are paused since 1 min (a drill).',
    movedBy: 'resumeActions { pattern: "svc.*" }',
  },
  {
    code: "STAGE_CONCURRENCY",
    title: "enough tasks of the stage run",
    make: () => {
      const run = new CoreRun([["a", "b", "c"]], { options: { maxConcurrency: 2 } }).begin();
      run.send();
      return run;
    },
    sentence: 'Task "c" of stage "s0" waits its turn: 2 tasks of the stage run, and maxConcurrency is 2.',
    data: { running: 2, maxConcurrency: 2 },
  },
  {
    code: "IN_FLIGHT_LIMIT",
    title: "the coordinator has no slot",
    make: () => new CoreRun([["a"]]).begin(),
    more: { driver: own({ inFlight: 1_000 }) },
    sentence: 'Task "a" of stage "s0" waits for a free slot: its coordinator has 1000 attempts in flight, its limit.',
  },
  {
    code: "DUE",
    title: "nothing is in the way",
    make: () => new CoreRun([["a"]]).begin(),
    later: 3,
    sentence: 'Task "a" of stage "s0" is due since 3 ms and about to be sent.',
  },
  {
    code: "PAUSED",
    title: "a person paused it",
    make: () => command(new CoreRun([["a"]]).begin(), { kind: "pause", reason: "until Monday" }),
    later: 8_000_000,
    sentence: "It is paused since 2 h 13 min: until Monday.",
    data: { reason: "until Monday", since: START, by: null },
    movedBy: 'resumeTaskflow { taskflowId: "flow-1" }',
  },
  {
    code: "PAUSED_BY_PARENT",
    title: "it is paused with the one above it",
    make: () => command(new CoreRun([["a"]]).begin(), { kind: "pause", by: "parent" }),
    sentence: "It is paused together with taskflow parent, above it, since 0 ms.",
    movedBy: 'resumeTaskflow { taskflowId: "parent" }',
  },
  {
    code: "AWAITING_DECISION",
    title: "a person is to decide",
    make: () => {
      const run = sentFlow({ onFailure: "pause" });
      run.answer("a", failed());
      return run;
    },
    sentence: 'A person is to decide: task "a" of stage "s0" failed with BROKEN at attempt 0: It is BROKEN.',
    data: { decisions: ["retryTaskflow", "resolveTask", "cancelTaskflow"], attempt: 0 },
  },
  {
    code: "COORDINATOR_PAUSED",
    title: "the coordinator started paused",
    make: () => new CoreRun([["a"]]).begin(),
    more: (() => {
      const all = { pattern: "**", reason: "TASKFLOW_PAUSED", since: START - 5_000, coordinator: "c1" };
      return { pausedBy: () => all, everythingPausedBy: all };
    })(),
    sentence: "Coordinator c1 is paused since 5 s (TASKFLOW_PAUSED): nothing is sent.",
    movedBy: 'resumeActions { pattern: "**" }',
  },
  {
    code: "DRAINING",
    title: "the coordinator shuts down",
    make: () => new CoreRun([["a"]]).begin(),
    more: { driver: own({ isDraining: true }) },
    sentence: "Its coordinator c1 is shutting down and starts nothing new.",
  },
  {
    code: "LEASE_LAPSED",
    title: "the coordinator's lease has lapsed",
    make: () => new CoreRun([["a"]]).begin(),
    more: { driver: own({ isHeld: false }) },
    sentence:
      "Its coordinator c1 could not show the store that it lives, so that it sends nothing: another one may have taken over.",
  },
  {
    code: "BUS_DOWN",
    title: "the link to the bus is down",
    make: () => new CoreRun([["a"]]).begin(),
    more: { isBusUp: false },
    sentence: "Its coordinator c1 has no link to the bus: nothing is sent, and no answer comes.",
  },
  {
    code: "STORE_UNAVAILABLE",
    title: "the store cannot be used",
    make: () => sentFlow(),
    more: { storeError: "disk full" },
    sentence: "The store cannot be used, so that nothing can go on: disk full",
  },
  {
    code: "NO_OWNER",
    title: "nobody drives it",
    make: () => sentFlow(),
    more: { driver: { kind: "nobody" } },
    sentence: "No coordinator drives it: its last one gave it up.",
  },
  {
    code: "OWNER_SILENT",
    title: "the owner is silent",
    make: () => sentFlow(),
    more: { driver: { kind: "other", node: "c2", silentMs: 7_300, leaseMs: 10_000 } },
    sentence: "Its coordinator c2 is silent since 7.3 s; another one takes over after 10 s of silence.",
  },
  {
    code: "OWNER_SILENT",
    title: "nothing was ever seen of the owner",
    make: () => sentFlow(),
    more: { driver: { kind: "other", node: "c2", silentMs: null, leaseMs: 10_000 } },
    sentence: "Its coordinator c2 shows no sign of life; another one takes over after 10 s of silence.",
  },
  {
    code: "OWNER_ELSEWHERE",
    title: "the owner lives, and could not be asked",
    make: () => sentFlow(),
    more: { driver: { kind: "other", node: "c2", silentMs: 400, leaseMs: 10_000 } },
    sentence: "Coordinator c2 drives it and could not be asked; this is what the store tells.",
  },
  {
    code: "PUT_ASIDE",
    title: "its coordinator does not have it in its care",
    make: () => sentFlow(),
    more: { driver: own({ isLoaded: false }) },
    sentence:
      "It belongs to coordinator c1, which does not have it in its care: it is being read, or it was put aside after an error that the log tells.",
  },
  {
    code: "ABORTING",
    title: "a handler ended the whole",
    make: () => {
      const run = new CoreRun([["a", "b"]]).begin();
      run.send();
      run.answer("a", failed({ permanent: true, abort: "workflow" }));
      return run;
    },
    sentence: "A handler ended the whole taskflow by an ExpectedError: it ends FAILED when 1 running task has answered.",
  },
  {
    code: "MAX_AGE",
    title: "its age ends it",
    make: () => new CoreRun([["a"]], { options: { maxAge: "2 days" } }).begin(),
    sentence: "Its maxAge ends it in 2 days.",
    data: { at: START + 172_800_000 },
  },
  {
    code: "TASK_MAX_AGE",
    title: "its task's age ends that",
    make: () => new CoreRun([{ a: { maxAge: 90_000 } }]).begin(),
    later: 1_000,
    sentence: 'No attempt of task "a" of stage "s0" starts after 1 min 29 s from now: then its maxAge is over.',
  },
  {
    code: "EARLIER_STAGE",
    title: "a stage waits for one before it",
    make: () => sentFlow(),
    sentence: 'Stage "s1" waits for stage "s0", of which 0 of 1 task are done.',
  },
  {
    code: "BLOCKED",
    title: "a stage will not run",
    make: () => {
      const run = new CoreRun([["a", "x"], ["b"]]).begin();
      run.send();
      run.answer("a", failed());
      return run;
    },
    sentence: 'Stage "s1" will not run: task "a" of stage "s0" is FAILED, and that blocks what comes after.',
    data: { error: "BROKEN" },
  },
  {
    code: "NOT_SELECTED",
    title: "a task is not part of the run",
    make: () => {
      const run = new CoreRun([["a"], ["b", "c"]]).begin();
      run.send();
      run.answer("a", failed());
      command(run, { kind: "retry", selection: [{ tasks: ["b"] }] });
      return run;
    },
    sentence: 'Task "c" of stage "s1" is not part of this run: its stage runs only what was chosen of it.',
  },
  {
    code: "COMPLETED",
    title: "it is finished",
    make: () => {
      const run = new CoreRun([["a"]]).begin();
      run.send();
      run.answer("a", answered(1));
      return run;
    },
    sentence: "It is finished: its task is done.",
    movedBy: /retryTaskflow/,
  },
  {
    code: "PARTIAL_COMPLETED",
    title: "it ran to its end with failures",
    make: () => {
      const run = new CoreRun([{ a: { continueOnTaskFailure: true }, b: {} }]).begin();
      run.send();
      run.answer("a", failed());
      run.answer("b", answered(1));
      return run;
    },
    sentence: "It ran to its end: 1 task succeeded, 1 failed or were cancelled, which their options allow.",
  },
  {
    code: "FAILED",
    title: "it failed",
    make: () => {
      const run = sentFlow();
      run.answer("a", failed());
      return run;
    },
    sentence: 'It failed with BROKEN: Task "a" of stage "s0" failed: It is BROKEN.',
  },
  {
    code: "TASK_FAILED",
    title: "a task of it failed",
    make: () => {
      const run = sentFlow();
      run.answer("a", failed({ error: { ...error("BROKEN"), nodeID: "w9" } }));
      return run;
    },
    sentence: 'Task "a" of stage "s0" failed with BROKEN at attempt 0 on w9: It is BROKEN.',
    data: { attempt: 0, nodeID: "w9", blocks: true },
  },
  {
    code: "NOT_REACHED",
    title: "a stage was never reached",
    make: () => {
      const run = sentFlow();
      run.answer("a", failed());
      return run;
    },
    sentence: 'Stage "s1" was never reached: task "a" of stage "s0" is FAILED, and that blocks.',
  },
  {
    code: "CANCELLED",
    title: "it was cancelled",
    make: () => command(sentFlow(), { kind: "cancel", reason: "not needed" }),
    sentence: "It was cancelled: not needed",
  },
  {
    code: "TASK_CANCELLED",
    title: "a task was cancelled while it ran",
    make: () => command(sentFlow(), { kind: "cancel" }),
    sentence: 'Task "a" of stage "s0" was cancelled at attempt 0 on w1.',
  },
  {
    code: "PROGRESSING",
    title: "its next step is under way",
    make: () => {
      const run = new CoreRun([["a"]]).begin();
      run.flow.stages[0]!.status = "WAITING";
      return run;
    },
    sentence: "Nothing holds it: its next step is under way.",
  },
];

const explained = ({ make, more = {}, later = 0 }: Case): Explanation => {
  const run = make();
  run.now += later;
  return explain(run.flow, around(run, more));
};

describe("each reason", () => {
  test.each(CASES.map((each) => [each.code, each.title, each] as const))("%s: %s", (code, _title, each) => {
    const { reasons, summary } = explained(each);
    const reason = reasons.find((candidate) => candidate.code === code);
    expect(reason).toMatchObject({ code, sentence: each.sentence, data: each.data ?? {} });
    expect(reason?.movedBy).toMatch(each.movedBy instanceof RegExp ? each.movedBy : /\S{3}/);
    if (typeof each.movedBy === "string") expect(reason?.movedBy).toBe(each.movedBy);
    expect(summary).toMatch(/^Taskflow "flow-1" is [A-Z_]+(, \d+ of \d+ tasks? (is|are) done)?\. \S/);
    for (const { sentence } of reasons) expect(sentence).not.toMatch(/undefined|null|NaN/);
  });

  test("is told by some state, and by the documentation", () => {
    expect(REASON_CODES.filter((code) => !CASES.some((each) => each.code === code))).toEqual([]);
    const documented = [...readText("docs/explain.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    expect(documented.toSorted()).toEqual(REASON_CODES.toSorted());
  });
});

describe("what does not belong to a state is not told", () => {
  test.each<[string, Partial<Surroundings>, ReasonCode[]]>([
    ["nothing in the way", {}, ["DUE", "EARLIER_STAGE"]],
    ["no worker", { offers: () => 0 }, ["NO_WORKER", "EARLIER_STAGE"]],
    ["its action paused, and no worker", { offers: () => 0, pausedBy: () => rule }, ["ACTION_PAUSED", "EARLIER_STAGE"]],
    ["the bus down", { isBusUp: false, offers: () => 0 }, ["BUS_DOWN", "EARLIER_STAGE"]],
    ["draining", { driver: own({ isDraining: true }) }, ["DRAINING", "EARLIER_STAGE"]],
    ["at rest in the store", { driver: own({ isLoaded: false, restsUntil: START + 1 }) }, ["DUE", "EARLIER_STAGE"]],
  ])("a due task with %s", (_title, more, codes) => {
    const run = new CoreRun([["a"], ["b"]]).begin();
    expect(explain(run.flow, around(run, more)).reasons.map(({ code }) => code)).toEqual(codes);
  });

  test("a paused taskflow tells of what runs, and not of what waits", () => {
    const run = new CoreRun([["a", "b"]], { options: { maxConcurrency: 1 } }).begin();
    run.send();
    command(run, { kind: "pause" });
    expect(explain(run.flow, around(run)).reasons.map(({ code }) => code)).toEqual(["PAUSED", "RUNNING"]);
  });

  test("a state that was read from the store is explained as the one in memory", () => {
    const run = sentFlow({ maxRetries: 1 });
    run.answer("a", failed());
    const flow = replay(run.entries.map(({ at, facts }) => decodeEntry(encodeEntry(at, facts))));
    expect(explain(flow, around(run))).toEqual(explain(run.flow, around(run)));
  });
});

test("tells at most 20 reasons of a code and 100 in all, and counts the rest", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
  const run = new CoreRun([names, ...Array.from({ length: 200 }, (_, index) => [`later${index}`])]).begin();
  run.send(500);
  const { reasons, omitted, summary } = explain(run.flow, around(run));
  const told = Map.groupBy(reasons, ({ code }) => code);
  expect(Array.from(told, ([code, list]) => [code, list.length])).toEqual([
    ["DUE", 20],
    ["RUNNING", 20],
    ["EARLIER_STAGE", 20],
  ]);
  expect(omitted).toEqual({ DUE: 480, RUNNING: 480, EARLIER_STAGE: 180 });
  expect(summary).toContain("(1199 more reasons)");
});

test("an answer with the longest names and errors still fits into a message", () => {
  const names = Array.from({ length: 300 }, (_, index) => `${index}`.padEnd(256, "€"));
  const run = new CoreRun([names]).begin();
  run.send();
  const long = { ...error("X".repeat(256)), message: "€".repeat(100_000), nodeID: "n".repeat(256) };
  for (const name of names) run.answer(name, failed({ error: long }));
  const answer = explain(run.flow, around(run));
  expect(Buffer.byteLength(json(answer))).toBeLessThan(256 * 1024);
});

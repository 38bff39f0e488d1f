/** Reasons of taskflows that are not finished, and of their stages. */
import { CoreRun, failed, START } from "../../helpers/core-run.ts";
import { type Case, command, own, sentFlow } from "./case.ts";

export const FLOW_CASES: readonly Case[] = [
  {
    code: "NOT_STARTED",
    title: "stored and not started",
    make: () => new CoreRun([["a"]]),
    later: 2_000,
    sentence: "It has been stored for 2 s and has not started.",
  },
  {
    code: "PAUSED",
    title: "a person paused it",
    make: () => command(new CoreRun([["a"]]).begin(), { kind: "pause", reason: "until Monday" }),
    later: 8_000_000,
    sentence: "It has been paused for 2 h 13 min: until Monday.",
    data: { reason: "until Monday", since: START, by: null },
    movedBy: 'resumeTaskflow { taskflowId: "flow-1" }',
  },
  {
    code: "PAUSED_BY_PARENT",
    title: "it is paused together with its parent",
    make: () => command(new CoreRun([["a"]]).begin(), { kind: "pause", by: "parent" }),
    sentence: "It has been paused for 0 ms together with its parent, taskflow parent.",
    movedBy: 'resumeTaskflow { taskflowId: "parent" }',
  },
  {
    code: "AWAITING_DECISION",
    title: "a person must decide",
    make: () => {
      const run = sentFlow({ onFailure: "pause" });
      run.answer("a", failed());
      return run;
    },
    sentence: 'A person must decide: task "a" of stage "s0" failed with BROKEN at attempt 0: It is BROKEN.',
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
    sentence: "Coordinator c1 has been paused for 5 s (TASKFLOW_PAUSED): nothing is sent.",
    movedBy: 'resumeActions { pattern: "**" }',
  },
  {
    code: "DRAINING",
    title: "the coordinator shuts down",
    make: () => new CoreRun([["a"]]).begin(),
    more: { owner: own({ isDraining: true }) },
    sentence: "Its coordinator c1 is shutting down and starts nothing new.",
  },
  {
    code: "LEASE_EXPIRED",
    title: "the coordinator's lease has lapsed",
    make: () => new CoreRun([["a"]]).begin(),
    more: { owner: own({ hasLease: false }) },
    sentence: "Its coordinator c1 could not renew its lease and sends nothing: another coordinator may have taken over.",
  },
  {
    code: "BUS_DOWN",
    title: "the link to the bus is down",
    make: () => new CoreRun([["a"]]).begin(),
    more: { isBusUp: false },
    sentence: "Its coordinator c1 has no connection to the bus: it sends nothing and receives no answers.",
  },
  {
    code: "STORE_UNAVAILABLE",
    title: "the store is unavailable",
    make: () => sentFlow(),
    more: { storeError: "disk full" },
    sentence: "The store is unavailable and nothing can proceed: disk full",
  },
  {
    code: "NO_OWNER",
    title: "it has no owner",
    make: () => sentFlow(),
    more: { owner: { kind: "none" } },
    sentence: "It has no owner right now: its last coordinator released it.",
  },
  {
    code: "OWNER_SILENT",
    title: "the owner is silent",
    make: () => sentFlow(),
    more: { owner: { kind: "other", node: "c2", silentMs: 7_300, leaseMs: 10_000 } },
    sentence: "Its coordinator c2 has been silent for 7.3 s; another one takes over after 10 s of silence.",
  },
  {
    code: "OWNER_SILENT",
    title: "the owner has no lease",
    make: () => sentFlow(),
    more: { owner: { kind: "other", node: "c2", silentMs: null, leaseMs: 10_000 } },
    sentence: "Its coordinator c2 shows no sign of life; another one takes over after 10 s of silence.",
  },
  {
    code: "OWNER_ELSEWHERE",
    title: "the owner lives, and could not be asked",
    make: () => sentFlow(),
    more: { owner: { kind: "other", node: "c2", silentMs: 400, leaseMs: 10_000 } },
    sentence: "Coordinator c2 owns it and could not be asked; this explanation comes from the store.",
  },
  {
    code: "NOT_LOADED",
    title: "its coordinator has not loaded it",
    make: () => sentFlow(),
    more: { owner: own({ isLoaded: false }) },
    sentence:
      "It belongs to coordinator c1, which has not loaded it: it is being read, or was set aside after an error that the log describes.",
  },
  {
    code: "ABORTING",
    title: "a handler ended the whole taskflow",
    make: () => {
      const run = new CoreRun([["a", "b"]]).begin();
      run.send();
      run.answer("a", failed({ permanent: true, abort: "workflow" }));
      return run;
    },
    sentence: "A handler ended the whole taskflow with an ExpectedError: it ends FAILED once 1 running task has answered.",
  },
  {
    code: "MAX_AGE",
    title: "its maxAge ends it",
    make: () => new CoreRun([["a"]], { options: { maxAge: "2 days" } }).begin(),
    sentence: "Its maxAge ends it in 2 days.",
    data: { at: START + 172_800_000 },
  },
  {
    code: "EARLIER_STAGE",
    title: "a stage waits for an earlier one",
    make: () => sentFlow(),
    sentence: 'Stage "s1" waits for stage "s0": 0 of 1 task is done.',
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
    sentence: 'Stage "s1" will not run: task "a" of stage "s0" is FAILED and blocks later stages.',
    data: { error: "BROKEN" },
  },
];

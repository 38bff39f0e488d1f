/** Reasons of single tasks. */
import { answered, CoreRun, failed, START } from "../../helpers/core-run.ts";
import { type Case, command, own, produce, rule, sentFlow } from "./case.ts";

export const TASK_CASES: readonly Case[] = [
  {
    code: "RUNNING",
    title: "an attempt is in flight",
    make: () => sentFlow(),
    later: 5_000,
    sentence: 'Task "a" of stage "s0" has been running on w1 for 5 s (attempt 0); it times out in 55 s.',
    data: { attempt: 0, nodeID: "w1", deliveries: 1, timeout: 60_000, timesOutAt: START + 60_000 },
  },
  {
    code: "RUNNING",
    title: "an attempt is in its second delivery",
    make: () => {
      const run = sentFlow();
      run.takeOver(2);
      run.send(1_000, "w2");
      return run;
    },
    sentence: 'Task "a" of stage "s0" has been running on w2 for 0 ms (attempt 0, delivered 2 times); it times out in 1 min.',
    data: { deliveries: 2 },
  },
  {
    code: "HEARTBEAT",
    title: "a handler sends heartbeats",
    make: () => sentFlow(),
    later: 70_000,
    more: { owner: own({ sent: () => ({ sentAt: START, heardAt: START + 68_500, isUnsent: false }) }) },
    sentence:
      'Task "a" of stage "s0" has been running on w1 for 1 min 10 s (attempt 0), its last heartbeat was 1.5 s ago; it times out in 58.5 s.',
    data: { heardAt: START + 68_500, timesOutAt: START + 128_500 },
  },
  {
    code: "QUERYING",
    title: "an attempt is silent",
    make: () => sentFlow(),
    more: { owner: own({ sent: () => undefined }) },
    sentence: 'Attempt 0 of task "a" of stage "s0" is silent: w1 is asked for its outcome.',
    movedBy: /delivered again/,
  },
  {
    code: "EXACTLY_ONCE_UNKNOWN",
    title: "an attempt that must not be repeated is silent",
    make: () => sentFlow({ exactlyOnceTaskExecution: true }),
    more: { owner: own({ sent: () => undefined }) },
    sentence:
      'The outcome of attempt 0 of task "a" of stage "s0" is unknown, and it must not be repeated: w1 is asked for it, every 5 s while the attempt runs.',
    movedBy: /TASK_OUTCOME_UNKNOWN/,
  },
  {
    code: "REDELIVERING",
    title: "an attempt awaits redelivery",
    make: () => {
      const run = sentFlow();
      run.takeOver(2);
      return run;
    },
    sentence:
      'Attempt 0 of task "a" of stage "s0" is about to be delivered again (delivery 2 of at most 5): no outcome is known.',
    data: { deliveries: 1, mostDeliveries: 5 },
  },
  {
    code: "NOT_SENT",
    title: "a delivery was never sent",
    make: () => sentFlow(),
    more: { owner: own({ sent: () => ({ sentAt: 0, heardAt: null, isUnsent: true }) }) },
    sentence:
      'Attempt 0 of task "a" of stage "s0" was turned away by w1, or could not be sent; it is sent again after a pause of at most 30 s.',
  },
  {
    code: "WORKER_GONE",
    title: "the worker is gone",
    make: () => sentFlow(),
    more: { isConnected: () => false },
    sentence: 'Attempt 0 of task "a" of stage "s0" was sent to w1, which is no longer connected.',
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
    code: "IN_DOUBT",
    title: "its latest attempt may have succeeded unseen",
    make: () => {
      const run = sentFlow();
      command(run, { kind: "cancel" });
      return command(run, { kind: "retry" });
    },
    sentence: 'Task "a" of stage "s0" may have succeeded unseen in attempt 0: its worker is asked before the task runs again.',
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
    sentence: 'Task "a" of stage "s0" waits: calls of svc.* have been paused for 1 min (a drill).',
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
    sentence: 'Task "c" of stage "s0" waits its turn: 2 tasks of the stage are running, and maxConcurrency is 2.',
    data: { running: 2, maxConcurrency: 2 },
  },
  {
    code: "IN_FLIGHT_LIMIT",
    title: "the coordinator has no slot",
    make: () => new CoreRun([["a"]]).begin(),
    more: { owner: own({ inFlight: 1_000 }) },
    sentence: 'Task "a" of stage "s0" waits for a free slot: its coordinator has 1000 attempts in flight, and its limit is 1000.',
  },
  {
    code: "DUE",
    title: "nothing holds it up",
    make: () => new CoreRun([["a"]]).begin(),
    later: 3,
    sentence: 'Task "a" of stage "s0" has been due for 3 ms and is about to be sent.',
  },
  {
    code: "TASK_MAX_AGE",
    title: "its own maxAge ends it",
    make: () => new CoreRun([{ a: { maxAge: 90_000 } }]).begin(),
    later: 1_000,
    sentence: 'Attempts of task "a" of stage "s0" can start for another 1 min 29 s: then its maxAge is over.',
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
    sentence: 'Task "c" of stage "s1" is not part of this run: its stage runs only selected tasks.',
  },
  {
    code: "AWAITING_NESTED",
    title: "it waits for nested taskflows",
    make: () => {
      const run = sentFlow();
      produce(run, "child-1");
      run.answer("a", answered(1));
      return run;
    },
    sentence: 'Task "a" of stage "s0" has answered and waits for 1 nested taskflow: child-1.',
    data: { nested: ["child-1"], active: 1 },
  },
];

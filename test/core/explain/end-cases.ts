/** Reasons of taskflows that have ended. */
import { answered, CoreRun, error, failed } from "../../helpers/core-run.ts";
import { type Case, command, produce, sentFlow, undoing } from "./case.ts";

export const END_CASES: readonly Case[] = [
  {
    code: "COMPLETED",
    title: "it has completed",
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
    sentence: "It ran to its end: 1 task succeeded, 1 failed or was cancelled, as their options allow.",
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
    title: "one of its tasks failed",
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
    sentence: 'Stage "s1" was never reached: task "a" of stage "s0" is FAILED and blocks it.',
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
    code: "CANCELLING_NESTED",
    title: "nested taskflows are still being cancelled",
    make: () => {
      const run = sentFlow();
      produce(run, "child-1");
      return command(run, { kind: "cancel" });
    },
    sentence: "It is still cancelling 1 nested taskflow.",
    data: { nested: ["child-1"] },
  },
  {
    code: "COMPENSATING",
    title: "its compensation is running",
    make: () => undoing(),
    sentence:
      'Its compensation is running, latest task first: 0 of 1 task done, task "a (compensation)" of stage "compensation" is next.',
    data: { done: 0, tasks: 1 },
  },
  {
    code: "COMPENSATION_FAILED",
    title: "a task could not be undone",
    make: () => {
      const run = undoing();
      run.send();
      const undo = run.flow.tasks[0]!.undo!;
      run.give({ kind: "answer", task: undo.ordinal, attempt: 0, outcome: failed() });
      return run;
    },
    sentence: 'Task "a" of stage "s0" could not be undone: BROKEN: It is BROKEN.',
  },
  {
    code: "PROGRESSING",
    title: "its next step is under way",
    make: () => {
      const run = new CoreRun([["a"]]).begin();
      run.flow.stages[0]!.status = "WAITING";
      return run;
    },
    sentence: "Nothing holds it up: its next step is under way.",
  },
];

/** Random taskflows and what happens to them, commands among it: for property tests of the core. */
import fc from "fast-check";
import type { Command, RetryCommand, Selection } from "../../lib/core/model/command.ts";
import type { Input, Outcome, OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { Options } from "../../schemas/options.ts";
import { PAUSE } from "./commands.ts";
import {
  answered,
  CoreRun,
  done,
  error,
  failed,
  INTERRUPTED,
  json,
  NEVER,
  RUNNING,
  SILENT,
  type StageSketch,
} from "./core-run.ts";

const someOptions: fc.Arbitrary<Options> = fc.record(
  {
    maxRetries: fc.constantFrom(0, 0, 1, 3),
    retryDelay: fc.constantFrom(0, 10, 1_000),
    continueOnTaskFailure: fc.boolean(),
    exactlyOnceTaskExecution: fc.boolean(),
    maxConcurrency: fc.constantFrom(1, 2),
    maxAge: fc.constantFrom(50, 5_000),
    onFailure: fc.constantFrom("fail" as const, PAUSE, PAUSE),
  },
  { requiredKeys: [] },
);

export interface SomeFlow {
  readonly stages: StageSketch[];
  readonly options: Options;
}

/** Tasks "t<stage><index>". */
export const someFlow: fc.Arbitrary<SomeFlow> = fc.record({
  stages: fc
    .array(fc.array(someOptions, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
    .map((stages) => stages.map((tasks, s) => Object.fromEntries(tasks.map((options, t) => [`t${s}${t}`, options])))),
  options: fc.record(
    { exactlyOnceTaskExecution: fc.boolean(), maxAge: fc.constantFrom(300, 10_000), onFailure: fc.constant(PAUSE) },
    { requiredKeys: [] },
  ),
});

export const anOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 5, arbitrary: fc.nat(3).map(answered) },
  { weight: 4, arbitrary: fc.boolean().map((permanent) => failed({ permanent })) },
  fc.constant(answered({ success: false })),
  fc.constant(failed({ abort: "task", permanent: true })),
  fc.constant(failed({ abort: "workflow", permanent: true })),
  fc.constant<Outcome>({ kind: "unknown", error: error("WORKER_LOST") }),
  fc.constant<Outcome>({ kind: "not-sent" }),
);

const aReply: fc.Arbitrary<OutcomeReply> = fc.oneof(
  fc.constantFrom(NEVER, SILENT, SILENT, INTERRUPTED, RUNNING),
  anOutcome.map(done),
);

/** Names of a stage, and of a task of it; some lead nowhere. */
const aStage = fc.nat(3).map((stage) => `s${stage}`);
const aTask = fc.tuple(fc.nat(3), fc.nat(2)).map(([stage, task]) => `t${stage}${task}`);

const aSelection: fc.Arbitrary<Selection[]> = fc.array(
  fc.oneof(
    aStage.map((stage): Selection => ({ stage })),
    fc.array(aTask, { minLength: 1, maxLength: 2 }).map((tasks): Selection => ({ tasks })),
    aTask.map((task): Selection => ({ stage: `s${task.charAt(1)}`, tasks: [task] })),
  ),
  { minLength: 1, maxLength: 3 },
);

export const aRetry: fc.Arbitrary<RetryCommand> = fc
  .record(
    {
      selection: aSelection,
      mode: fc.constantFrom("all" as const, "failed" as const),
      force: fc.boolean(),
      cascade: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((given): RetryCommand => ({ kind: "retry", ...given }));

/** The same selection of what this taskflow has. */
export function fitting(command: RetryCommand, { stages }: SomeFlow): RetryCommand {
  const stageOf = (name: string) => Number(name.charAt(1)) % stages.length;
  const nearest = (name: string): string => {
    const stage = stageOf(name);
    return `t${stage}${Number(name.charAt(2)) % Object.keys(stages[stage] ?? {}).length}`;
  };
  const selection = command.selection?.map(({ stage, tasks }): Selection => ({
    ...(stage === undefined ? {} : { stage: `s${stageOf(stage)}` }),
    ...(tasks ? { tasks: tasks.map(nearest) } : {}),
  }));
  return selection ? { ...command, selection } : command;
}

export const aCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: aRetry },
  { weight: 2, arbitrary: fc.constant<Command>({ kind: "cancel" }) },
  fc.constant<Command>({ kind: "pause" }),
  fc.constant<Command>({ kind: "resume" }),
  { weight: 2, arbitrary: aTask.map((task): Command => ({ kind: "cancelTask", task })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(aTask, fc.constantFrom("SUCCESS" as const, "SKIPPED" as const))
      .map(([task, outcome]): Command => ({ kind: "resolveTask", task, outcome, reason: "by hand", response: json("made up") })),
  },
  fc
    .tuple(aTask, someOptions, fc.nat())
    .map(([task, options, params]): Command => ({ kind: "updateTask", task, options, params: { params } })),
);

export type Move =
  | { readonly kind: "send"; readonly count: number }
  | { readonly kind: "input"; readonly input: Input }
  /** Of the latest attempt of a task; `task` counts those that there are. */
  | { readonly kind: "answer"; readonly task: number; readonly outcome: Outcome }
  | { readonly kind: "answer-all"; readonly outcome: Outcome }
  /** To the latest question. */
  | { readonly kind: "reply"; readonly reply: OutcomeReply }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "command"; readonly command: Command; readonly id?: string };

export const aMove: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.nat(3).map((count): Move => ({ kind: "send", count: count + 1 })) },
  { weight: 5, arbitrary: fc.tuple(fc.nat(11), anOutcome).map(([task, outcome]): Move => ({ kind: "answer", task, outcome })) },
  { weight: 5, arbitrary: anOutcome.map((outcome): Move => ({ kind: "answer-all", outcome })) },
  { weight: 3, arbitrary: aReply.map((reply): Move => ({ kind: "reply", reply })) },
  { weight: 1, arbitrary: fc.constantFrom(10, 60, 1_000).map((ms): Move => ({ kind: "wait", ms })) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(aCommand, fc.option(fc.constantFrom("one", "two"), { nil: undefined, freq: 6 }))
      .map(([command, id]): Move => ({ kind: "command", command, ...(id === undefined ? {} : { id }) })),
  },
  {
    weight: 1,
    arbitrary: fc.nat(11).map((task): Move => ({ kind: "input", input: { kind: "timeout", task, attempt: 0 } })),
  },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: "input", input: { kind: "age" } }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 2, max: 5 }).map((fence): Move => ({ kind: "input", input: { kind: "recover", fence } })),
  },
);

/** What is due by now comes in. */
function wakeUp(run: CoreRun): void {
  for (const task of run.flow.tasks) {
    if (task.retryAt !== null && task.retryAt <= run.now && task.open)
      run.give({ kind: "retry-due", task: task.ordinal, attempt: task.attempt });
    run.give({ kind: "age", task: task.ordinal });
  }
}

export function carryOut(run: CoreRun, move: Move): void {
  const { flow } = run;
  switch (move.kind) {
    case "send":
      run.send(move.count);
      return;
    case "input":
      return void run.give(
        move.input.kind === "timeout" ? { ...move.input, attempt: flow.tasks[move.input.task]?.attempt ?? 0 } : move.input,
      );
    case "answer": {
      const task = flow.tasks[move.task % flow.tasks.length];
      if (task) run.give({ kind: "answer", task: task.ordinal, attempt: task.attempt, outcome: move.outcome });
      return;
    }
    case "answer-all":
      for (const { ordinal, attempt, status } of flow.tasks)
        if (status === "RUNNING") run.give({ kind: "answer", task: ordinal, attempt, outcome: move.outcome });
      return;
    case "reply": {
      const question = run.effects.findLast((effect) => effect.kind === "query-outcome");
      const name = question && flow.tasks[question.task]?.definition.name;
      if (name !== undefined) run.reply(name, move.reply);
      return;
    }
    case "wait":
      run.now += move.ms;
      return wakeUp(run);
    case "command":
      return void run.command(move.command, move.id === undefined ? {} : { id: move.id });
  }
}

export function play({ stages, options }: SomeFlow, moves: readonly Move[]): CoreRun {
  const run = new CoreRun(stages, { options }).begin();
  for (const move of moves) carryOut(run, move);
  return run;
}

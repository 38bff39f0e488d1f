/**
 * A taskflow driven through the core by hand: inputs in, facts and effects out, and the journal
 * that they make.
 */
import type { CommandResult, Command, Expect } from "../../lib/core/model/command.ts";
import { assertFlow } from "../../lib/core/model/invariants.ts";
import { build } from "../../lib/core/journal/build.ts";
import { decide, type Decision } from "../../lib/core/decide.ts";
import type { Effect } from "../../lib/core/execution/effects.ts";
import type { Created, Entry, Fact, Nested } from "../../lib/core/journal/facts.ts";
import type { StoredDefinition } from "../../lib/core/model/values.ts";
import type { Flow, Task } from "../../lib/core/model/flow.ts";
import type { TaskError } from "../../lib/core/model/values.ts";
import type { JsonText } from "../../lib/core/model/values.ts";
import type { Input, Outcome, OutcomeReply } from "../../lib/core/execution/inputs.ts";
import type { Router } from "../../lib/core/execution/dispatch.ts";
import { encodeEntry } from "../../lib/core/journal/journal.ts";
import { resolvePlain } from "../../lib/definitions/evaluation.ts";
import type { TaskTypes } from "../../lib/core/model/task-type.ts";
import { action } from "../../lib/task-types/action/index.ts";
import { DEFAULT_OPTIONS } from "../../lib/core/model/options.ts";
import type { Options } from "../../schemas/options.ts";

export const ID_BASE = "01234567-89ab-8def-8123-";
export const START = 1_000_000;

/** One stage's tasks: names, or names with options. */
export type StageSketch = Readonly<Record<string, Options>> | readonly string[];

type Sketch = Omit<Partial<StoredDefinition>, "stages"> & { meta?: Record<string, unknown>; nested?: Nested };

/** A definition of stages "s0", "s1", …, each given by its tasks; they call `svc.<name>`. */
export function sketch(stages: readonly StageSketch[], rest: Omit<Sketch, "meta" | "nested"> = {}): StoredDefinition {
  const task = (name: string, options?: Options) => ({
    name,
    type: "ACTION" as const,
    taskDetails: { serviceId: "svc", actionName: name },
    ...(options ? { options } : {}),
  });
  return {
    ...rest,
    stages: stages.map((given, index) => ({
      name: `s${index}`,
      tasks: Array.isArray(given)
        ? (given as readonly string[]).map((name) => task(name))
        : Object.entries(given as Record<string, Options>).map(([name, options]) => task(name, options)),
    })),
  };
}

export const error = (type: string): TaskError => ({ type, name: "Error", message: `It is ${type}.` });

export const json = (value: unknown): JsonText => JSON.stringify(value) as JsonText;

export const answered = (value: unknown): Outcome => ({
  kind: "answered",
  response: json(value),
  reportedFailure: typeof value === "object" && value !== null && "success" in value && value.success === false,
});

export const NEVER: OutcomeReply = { kind: "never" };
export const RUNNING: OutcomeReply = { kind: "running" };
export const SILENT: OutcomeReply = { kind: "silent" };
export const INTERRUPTED: OutcomeReply = { kind: "interrupted" };
export const done = (outcome: Outcome): OutcomeReply => ({ kind: "done", outcome });

export const TYPES: TaskTypes = { typeOf: () => action };

const PARAMS_BYTES = 4 * 1024 * 1024;

/** A router to which every action is offered, at one node or where the function says. */
export const routerTo = (node: string | ((task: Task) => string | undefined) = "w1", free = 1_000): Router => ({
  free,
  types: TYPES,
  full: () => {},
  resolve: (flow, task) => resolvePlain(flow, task, TYPES.typeOf(task), PARAMS_BYTES),
  route: typeof node === "string" ? () => node : node,
});

/** The attempts that are sent. */
export const calls = (effects: readonly Effect[]): Extract<Effect, { kind: "call" }>[] =>
  effects.filter((effect) => effect.kind === "call");

type Question = Extract<Effect, { kind: "query-outcome" }>;

/** The questions among effects. */
export const questions = ({ effects }: { readonly effects: readonly Effect[] }): Question[] =>
  effects.filter((effect) => effect.kind === "query-outcome");

export const failed = (more: Partial<Extract<Outcome, { kind: "failed" }>> = {}): Outcome => ({
  kind: "failed",
  error: error("BROKEN"),
  permanent: false,
  ...more,
});

/**
 * All that a journal must tell, as text; `due`, `repeats` and `turnedAway` follow from timers and
 * replies, and are told by `recover`.
 */
export function fingerprint({ due: _, repeats: _r, turnedAway: _t, deadlines: _d, isFollowing: _f, ...flow }: Flow): string {
  return JSON.stringify(flow, (key: string, value: unknown) => {
    if (value instanceof Map) return Array.from(value as Map<unknown, unknown>);
    if (value instanceof Set) return Array.from(value as Set<unknown>);
    if (key === "task" && typeof value === "object") return (value as Task).ordinal;
    if (key === "undoes") return (value as Task | null)?.ordinal ?? null;
    if (key !== "stage") return value;
    return (value as { index: number }).index;
  });
}

export const picture = (flow: Flow): unknown => JSON.parse(fingerprint(flow));

/** The texts of a journal. */
export const written = (run: CoreRun): string[] =>
  run.entries.map(({ at, facts }, index) =>
    encodeEntry(at, facts, index === 0 ? JSON.stringify(run.created.definition) : undefined),
  );

export class CoreRun {
  readonly created: Created;
  readonly entries: Entry[] = [];
  flow: Flow;
  now = START;
  /** Effects that were asked for so far. */
  readonly effects: Effect[] = [];
  readonly facts: Fact[] = [];

  constructor(stages: readonly StageSketch[] | StoredDefinition, { meta = {}, nested, ...rest }: Sketch = {}) {
    const definition = "stages" in stages ? stages : sketch(stages, rest);
    const base = { taskflowId: "flow-1", idBase: ID_BASE, defaults: DEFAULT_OPTIONS, meta, definition };
    this.created = { kind: "created", ...base, ...(nested ? { nested } : {}) };
    this.flow = build(this.created, this.now);
  }

  /** One commit. Its facts and effects are kept, and the invariants checked. */
  give(...inputs: Input[]): Decision {
    return this.decide(inputs);
  }

  /** The same, with attempts sent in the same commit. */
  decide(inputs: readonly Input[], router?: Router): Decision {
    const decision = decide(this.flow, inputs, this.now, router);
    const isFirst = this.entries.length === 0;
    const facts: Fact[] = isFirst ? [this.created, ...decision.facts] : decision.facts;
    if (facts.length > 0) {
      this.entries.push({ at: this.now, facts });
      this.flow.revision = this.entries.length;
    }
    this.facts.push(...facts);
    this.effects.push(...decision.effects);
    assertFlow(this.flow);
    return decision;
  }

  /** One commit of one command: its answer beside what followed. */
  command(
    command: Command,
    { id, expect }: { id?: string; expect?: Expect } = {},
  ): Decision & { readonly answer: CommandResult } {
    const given = {
      kind: "command",
      correlationId: 1,
      command,
      ...(id === undefined ? {} : { id }),
      ...(expect ? { expect } : {}),
    } as const;
    const decision = this.give(given);
    const answer = decision.answers[0]?.answer;
    if (!answer || decision.answers.length > 1) throw new Error("A command is answered once.");
    return { ...decision, answer };
  }

  /** The answer's data of a command that is carried out. */
  handleCommand(command: Command, more: { id?: string; expect?: Expect } = {}): Readonly<Record<string, unknown>> {
    const { answer } = this.command(command, more);
    if (!answer.ok) throw new Error(`${answer.type}: ${answer.message}`);
    return answer.data;
  }

  /** The type of error of a command that is refused. That it changed nothing is checked. */
  refusal(command: Command, more: { id?: string; expect?: Expect } = {}): string {
    const before = fingerprint(this.flow);
    const { answer, facts, effects } = this.command(command, more);
    if (answer.ok) throw new Error(`It is carried out: ${JSON.stringify(answer.data)}`);
    if (facts.length + effects.length > 0 || fingerprint(this.flow) !== before)
      throw new Error(`It is refused with ${answer.type}, and ${JSON.stringify(facts)} is stored`);
    return answer.type;
  }

  begin(): this {
    this.give({ kind: "begin" });
    return this;
  }

  task(name: string): Task {
    const task = this.flow.tasks.find(({ definition }) => definition.name === name);
    if (!task) throw new Error(`There is no task ${name}.`);
    return task;
  }

  /** Sends what is due, as far as the options allow. Answers the names. */
  send(limit = 1_000, node: string | ((task: Task) => string | undefined) = "w1"): string[] {
    const { effects } = this.decide([], routerTo(node, limit));
    return calls(effects).map(({ task }) => this.flow.tasks[task]?.definition.name ?? "");
  }

  /** An answer for the latest attempt of a task, or for the one that is named. */
  answer(name: string, outcome: Outcome, attempt = this.task(name).attempt): Decision {
    return this.give({ kind: "answer", task: this.task(name).ordinal, attempt, outcome });
  }

  timeOut(name: string): Decision {
    const { ordinal, attempt } = this.task(name);
    return this.give({ kind: "timeout", task: ordinal, attempt });
  }

  /** The reply to a question about a task: to the latest one, unless another is named. */
  reply(name: string, reply: OutcomeReply, question = this.lastQuestion(name)): Decision {
    const { task, attempt, delivery, node, startedAt, cause } = question;
    return this.give({ kind: "outcome-reply", task, attempt, delivery, node, startedAt, reply, ...(cause ? { cause } : {}) });
  }

  lastQuestion(name: string): Question {
    const { ordinal } = this.task(name);
    const question = questions(this).findLast(({ task }) => task === ordinal);
    if (!question) throw new Error(`Nobody was asked about ${name}.`);
    return question;
  }

  /**
   * A new owner goes on with it, and everybody that it asks replies the same. Answers the names
   * of what it asked about.
   */
  takeOver(fence: number, reply: OutcomeReply = SILENT): string[] {
    const names = questions(this.give({ kind: "recover", fence })).map(
      ({ task }) => this.flow.tasks[task]?.definition.name ?? "",
    );
    for (const name of names) this.reply(name, reply);
    return names;
  }

  /** Goes to the time of a task's next attempt and makes it due. */
  endDelay(name: string): Decision {
    const { ordinal, attempt, retryAt } = this.task(name);
    if (retryAt !== null) this.now = Math.max(this.now, retryAt);
    return this.give({ kind: "retry-due", task: ordinal, attempt });
  }

  /** Its request is turned away, and the pause before the next try goes by. */
  turnAway(name: string): Decision {
    const decision = this.answer(name, { kind: "not-sent" });
    this.endPause(name);
    return decision;
  }

  /** Goes to the time of the next try of a request that was turned away. */
  endPause(name: string): void {
    const { ordinal, attempt } = this.task(name);
    const at = this.flow.turnedAway.get(ordinal)?.resendAt ?? null;
    if (at === null) return;
    this.now = Math.max(this.now, at);
    this.give({ kind: "resend", task: ordinal, attempt, at });
  }

  status(): { flow: string; stages: string[]; tasks: Record<string, string> } {
    const { flow } = this;
    return {
      flow: flow.status,
      stages: flow.stages.map((stage) => stage.status),
      tasks: Object.fromEntries(flow.tasks.map((task) => [task.definition.name, task.status])),
    };
  }

  timers(kind: Input["kind"]): number[] {
    return this.effects.flatMap((effect) => (effect.kind === "timer" && effect.input.kind === kind ? [effect.at] : []));
  }
}

/** One order that somebody has given, perhaps several times, and what he was told. */
import type { CommandResult, CommandRequest, RetryCommand } from "../../lib/core/model/command.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import type { Incarnation } from "./incarnation.ts";
import type { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

/** How often it is given again while nobody knows what became of it. */
const TIMES = 4;

export class GivenOrder {
  readonly record: FlowRecord;
  readonly order: CommandRequest;
  /** Of the first answer that says yes. */
  said: string | undefined;
  /** Nobody knows what became of it, as he was told or because nobody told him. */
  isInDoubt = false;
  #open = 0;
  #times = 0;
  readonly #world: World;

  constructor(world: World, record: FlowRecord, order: CommandRequest) {
    this.#world = world;
    this.record = record;
    this.order = order;
  }

  get isDone(): boolean {
    return this.#open === 0;
  }

  give(): void {
    this.#open++;
    this.#times++;
    this.#ask();
  }

  #ask(): void {
    const world = this.#world;
    const incarnation = world.fleet.anyStarted();
    if (!incarnation) return void world.agenda.in(world.random.int(300, 2_000), () => this.#ask());
    const { order, record } = this;
    world.note(() => `  ${record.taskflowId} is ordered at ${incarnation.owner}: ${JSON.stringify(order)}`);
    const over = this.#whenOver(incarnation);
    incarnation.reach(() => {
      incarnation.coordinator.command(record.taskflowId, order).then(
        (answer) => over(() => this.#heard(answer)),
        (error: Error) => over(() => this.#failed(error)),
      );
    });
  }

  /** Exactly one of: an answer, a failure, the end of the process. */
  #whenOver(incarnation: Incarnation): (then: () => void) => void {
    let isOver = false;
    const over = (then: () => void): void => {
      if (isOver) return;
      isOver = true;
      incarnation.endings.delete(ended);
      incarnation.orders--;
      this.#open--;
      then();
    };
    const ended = (): void =>
      over(() => {
        this.#count("unanswered");
        this.#doubt();
      });
    incarnation.endings.add(ended);
    incarnation.orders++;
    return over;
  }

  #count(outcome: string): void {
    this.#world.count(`command: ${this.order.command.kind} ${outcome}`);
  }

  #failed(error: Error): void {
    this.#world.note(() => `  ${this.record.taskflowId}: an order fails: ${error.message}`);
    const isKnown = "type" in error && error.type === "TASKFLOW_OVERLOADED";
    this.#count(isKnown ? "put off" : "in doubt");
    if (!isKnown) this.#doubt();
  }

  /** With an id it may be given again. */
  #doubt(): void {
    this.isInDoubt = true;
    if (this.order.id === undefined || this.#times >= TIMES) return;
    this.#times++;
    this.#open++;
    this.#world.agenda.in(this.#world.random.int(1, 2_000), () => this.#ask());
  }

  #heard(answer: CommandResult): void {
    const { record, order } = this;
    const world = this.#world;
    const { id, command } = order;
    const isDry = command.kind === "retry" && command.dryRun === true;
    world.note(() => `  ${record.taskflowId} ${command.kind} is answered ${JSON.stringify(answer)}`);
    this.#count(isDry ? "tried" : answer.ok ? "answered" : `refused`);
    if (isDry) return;
    const text = JSON.stringify(answer);
    if (id !== undefined && this.said !== undefined && text !== this.said)
      world.report(38, `${record.taskflowId}: the order ${id} is answered ${text}, and was answered ${this.said}`);
    if (this.said !== undefined) world.count("command: answered again");
    if (!answer.ok) return;
    this.said ??= text;
    if (id !== undefined && record.decisions.answers.get(id) !== text)
      world.report(38, `${record.taskflowId}: ${id} is answered ${text}; stored is ${record.decisions.answers.get(id)}`);
    this.#checkStored(answer.data);
  }

  /** What was answered is in the store. */
  #checkStored(data: Readonly<Record<string, unknown>>): void {
    const { record, order } = this;
    const { command } = order;
    const { decisions, taskflowId } = record;
    const fail = (what: string): void => this.#world.report(38, `${taskflowId}: ${command.kind} is answered, and ${what}`);
    switch (command.kind) {
      case "annotate":
        if (!decisions.annotated.has(command.value)) fail("no annotation is stored");
        return;
      case "cancel":
        if (!decisions.wasCancelled) fail(`the taskflow is ${record.flow.status}`);
        return;
      case "retry":
        return this.#checkRetry(command, data as unknown as Retried);
      default:
    }
  }

  /** Nobody else began that run, and it was begun for what was asked for. */
  #checkRetry(command: RetryCommand, { retryAttempt, retried }: Retried): void {
    const { record } = this;
    const world = this.#world;
    if (retried.length === 0) return;
    const winner = record.winners.get(retryAttempt) ?? this;
    record.winners.set(retryAttempt, winner);
    if (winner !== this) world.report(41, `${record.taskflowId}: run ${retryAttempt} is promised to two retries`);
    const told = retried.map((one) => one.taskId).sort();
    const base = record.flow.idBase;
    const stored = Array.from(record.decisions.chosen.get(retryAttempt) ?? [], (ordinal) => taskId(base, ordinal)).sort();
    if (told.join() !== stored.join())
      world.report(42, `${record.taskflowId}: run ${retryAttempt} is said to be for ${told.join()} and is for ${stored.join()}`);
    if (!command.selection || command.cascade) return;
    const isMeant = ({ ordinal, stage, definition }: (typeof record.flow.tasks)[number]): boolean =>
      command.selection?.some(
        (one) =>
          (one.stage === undefined || one.stage === stage.name) &&
          (one.tasks === undefined || one.tasks.includes(taskId(base, ordinal)) || one.tasks.includes(definition.name)),
      ) === true;
    const meant = new Set(record.flow.tasks.filter(isMeant).map(({ ordinal }) => taskId(base, ordinal)));
    for (const id of told)
      if (!meant.has(id)) world.report(42, `${record.taskflowId}: task ${id} runs again, and was not selected`);
  }

  /** At the end: what was refused was never carried out, what was promised was. */
  checkEnd(): void {
    const { command } = this.order;
    if (command.kind !== "annotate") return;
    const { decisions, taskflowId } = this.record;
    const revision = decisions.annotated.get(command.value);
    if (revision !== undefined && this.said === undefined && !this.isInDoubt)
      this.#world.report(38, `${taskflowId}: annotation ${String(command.value)} was refused, and is stored`);
    const expected = this.order.expect?.revision;
    if (revision !== undefined && expected !== undefined && revision !== expected + 1)
      this.#world.report(43, `${taskflowId}: what was decided at revision ${expected} is stored as ${revision}`);
  }
}

interface Retried {
  readonly retryAttempt: number;
  readonly retried: readonly { readonly taskId: string }[];
}

/**
 * The coordinator's side of nested taskflows. A handler's `produce` becomes a link in the parent,
 * then a taskflow below it; the parent's owner drives both. Commands between the taskflows of a
 * tree are delivered from here.
 */
import { type CommandResult, type Command, type LinkCommand, refuse } from "../../core/model/command.ts";
import { nestedContext } from "../../core/views/execution-context.ts";
import type { Effect } from "../../core/execution/effects.ts";
import type { Nested } from "../../core/journal/facts.ts";
import { type Flow, isFinished, isOver, taskAt } from "../../core/model/flow.ts";
import { stageId, taskOrdinalOf } from "../../core/model/ids.ts";
import type { Creator, NewTaskflow } from "./produce.ts";
import type { CommandRouter } from "./router.ts";
import { sleep } from "../../util/timer.ts";
import type { Ports } from "../turn/ports.ts";
import type { Resident } from "../turn/resident.ts";
import { rehydrateOrLog } from "../turn/rehydrate.ts";
import type { TurnLoop } from "../turn/loop.ts";
import type { NestedMessenger } from "../turn/effect-handlers.ts";

/** The attempt whose handler produces a taskflow. */
export interface Producer {
  readonly taskflowId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly delivery: number;
}

export interface NewChild extends Omit<NewTaskflow, "taskflowId"> {
  readonly taskflowId: string;
  /** Its producer chose its id. */
  readonly isChosen: boolean;
  /** It cannot be stored yet: its id was made for this very call. */
  readonly isNew: boolean;
  readonly maxDepth: number;
}

interface Queue {
  readonly commands: Command[];
  readonly emptied: Promise<void>;
}

/** Pause before an order that could not be given is given again. */
const RETRY_DELAY_MS = 1_000;

export class Nesting implements NestedMessenger {
  readonly #ports: Ports;
  readonly #turns: TurnLoop;
  readonly #commands: CommandRouter;
  readonly #creator: Creator;
  readonly #peek: (taskflowId: string) => Promise<Flow | undefined>;
  /** Children that are being produced at this moment: each is linked and not stored yet. */
  readonly #producing = new Map<string, Promise<unknown>>();
  /** The commands that one taskflow has yet to give another, in order. */
  readonly #queues = new Map<string, Queue>();

  constructor(
    ports: Ports,
    turns: TurnLoop,
    commands: CommandRouter,
    creator: Creator,
    peek: (taskflowId: string) => Promise<Flow | undefined>,
  ) {
    this.#ports = ports;
    this.#turns = turns;
    this.#commands = commands;
    this.#creator = creator;
    this.#peek = peek;
  }

  send(from: string, { to, command }: Extract<Effect, { kind: "send-command" }>): void {
    const key = `${from} ${to}`;
    const waiting = this.#queues.get(key);
    if (waiting) return void waiting.commands.push(command);
    const commands = [command];
    const emptied = this.#deliver(from, to, commands).finally(() => this.#queues.delete(key));
    this.#queues.set(key, { commands, emptied });
  }

  /** Resolves when two taskflows have no command left for each other. */
  async #emptied(one: string, other: string): Promise<void> {
    await this.#queues.get(`${one} ${other}`)?.emptied;
    await this.#queues.get(`${other} ${one}`)?.emptied;
  }

  /** One after another: a pause that came after the resume would stay for ever. */
  async #deliver(from: string, to: string, queue: Command[]): Promise<void> {
    const { clock, logger } = this.#ports;
    for (let command = queue[0]; command; queue.shift(), command = queue[0]) {
      while (this.#isDue(from, command)) {
        try {
          await this.#commands.command(to, { command });
          break;
        } catch (error) {
          logger.warn(`Taskflow ${to} did not receive "${command.kind}" from ${from}; trying again.`, error);
          await sleep(RETRY_DELAY_MS, clock);
        }
      }
    }
  }

  /**
   * A new owner of the parent sends its commands anew. A report of an end or a resume is delivered
   * even if its sender has left.
   */
  #isDue(from: string, { kind }: Command): boolean {
    return !this.#turns.isStopped && (kind === "join" || kind === "resume" || this.#turns.residents.has(from));
  }

  async lookAfter(resident: Resident, children: readonly string[]): Promise<void> {
    const { store, logger } = this.#ports;
    const isCared = (id: string): boolean => this.#producing.has(id) || this.#turns.residents.has(id);
    for (const child of children) {
      if (isCared(child)) continue;
      try {
        const stored = await store.read(child);
        if (resident.state === "gone") return;
        if (isCared(child)) continue;
        // Said at once: it must not come behind the link of a `produce` that begins now.
        if (!stored) void this.#turns.command(resident, { command: { kind: "join", child, status: null } });
        else if (isFinished(stored.row.status)) this.#tellEnd(resident, rehydrateOrLog(stored, logger)?.flow);
      } catch (error) {
        logger.warn(`Nested taskflow ${child} could not be read; trying again later.`, error);
      }
    }
  }

  #tellEnd(resident: Resident, child: Flow | undefined): void {
    if (!child || !isOver(child)) return;
    const { taskflowId, status, seq } = child;
    void this.#turns.command(resident, { command: { kind: "join", child: taskflowId, status, seq } });
  }

  /**
   * A handler produces a taskflow. Undefined: its parent is not in this coordinator's care.
   * @throws TASKFLOW_OVERLOADED; STORE_UNAVAILABLE: nobody knows what was stored
   */
  async produce(producer: Producer, given: NewChild): Promise<CommandResult | undefined> {
    const { taskflowId } = given;
    for (let before = this.#producing.get(taskflowId); before; before = this.#producing.get(taskflowId))
      await before.catch(() => {});
    const resident = this.#turns.residents.get(producer.taskflowId);
    if (!resident) return undefined;
    const produced = this.#produce(resident, producer, given);
    this.#producing.set(taskflowId, produced);
    return produced.finally(() => this.#producing.delete(taskflowId));
  }

  async #produce(resident: Resident, producer: Producer, given: NewChild): Promise<CommandResult | undefined> {
    const { taskflowId, isNew } = given;
    // A cancel by the task's earlier attempt may be on its way.
    if (!isNew) await this.#emptied(producer.taskflowId, taskflowId);
    const existing = isNew ? undefined : await this.#peek(taskflowId);
    if (existing) return this.#adopt(resident, existing, producer, given);
    this.#creator.admit();
    const context = contextOf(resident.flow, producer);
    const linked = await this.#link(resident, producer, given);
    if (!linked?.ok) return linked;
    if (linked.data["isLinked"] !== true) return elsewhere(taskflowId);
    const place = { rootId: String(linked.data["rootId"]), depth: Number(linked.data["depth"]) };
    const child = inheriting(given, resident.flow);
    let isTaken: boolean;
    try {
      isTaken = await this.#creator.createBelow(taskflowId, child, {
        parent: parentOf(resident.flow, producer),
        ...place,
        context,
      });
    } catch (error) {
      // What was stored is found out soon.
      const gone = (): void => this.#turns.give(resident, { kind: "follow" });
      if (!this.#turns.residents.get(taskflowId)?.onGone(gone)) gone();
      throw error;
    }
    if (isTaken) await this.#turns.command(resident, { command: { kind: "join", child: taskflowId, status: null } });
    else this.#catchUp(resident.flow, taskflowId);
    return { ok: true, data: { taskflowId, ...(isTaken ? { existing: true } : {}) } };
  }

  /** What has become of its parent while it was stored. */
  #catchUp({ taskflowId: from, pause, children }: Flow, to: string): void {
    if (children.get(to)?.state === "abandoned") this.send(from, { kind: "send-command", to, command: { kind: "cancel" } });
    else if (pause) this.send(from, { kind: "send-command", to, command: { kind: "pause", by: from } });
  }

  /** Undefined: the parent has left. */
  #link(
    resident: Resident,
    { taskId, attempt, delivery }: Producer,
    { taskflowId: child, isChosen, maxDepth }: NewChild,
    ended?: NonNullable<LinkCommand["ended"]>,
  ): Promise<CommandResult | undefined> {
    const command: LinkCommand = {
      kind: "link",
      taskId,
      attempt,
      delivery,
      child,
      isChosen,
      maxDepth,
      ...(ended ? { ended } : {}),
    };
    return this.#turns.command(resident, { command });
  }

  /**
   * The child is stored already: the same task adopts it, and has it retried if it failed or was
   * cancelled. Taskflows of other tasks are left alone.
   */
  async #adopt(resident: Resident, child: Flow, producer: Producer, given: NewChild): Promise<CommandResult | undefined> {
    const { taskflowId, parent } = child;
    const answer: CommandResult = { ok: true, data: { taskflowId, ...(given.isChosen ? { existing: true } : {}) } };
    if (parent?.taskflowId !== producer.taskflowId || parent.taskId !== producer.taskId) return answer;
    const isBroken = child.status === "FAILED" || child.status === "CANCELLED";
    const linked = await this.#link(resident, producer, given, isBroken ? undefined : endOf(child));
    if (!linked?.ok) return linked;
    if (!isBroken) return answer;
    // Once for each end of it, however often this is asked.
    await this.#commands.command(taskflowId, { id: `adopted:${child.seq}`, command: { kind: "retry" } });
    const now = await this.#peek(taskflowId);
    const ended = now && endOf(now);
    // It has ended again, or could not be tried again.
    if (ended) await this.#link(resident, producer, given, ended);
    return answer;
  }
}

const endOf = (child: Flow): LinkCommand["ended"] => (isOver(child) ? { status: child.status, seq: child.seq } : undefined);

function elsewhere(taskflowId: string): CommandResult {
  const message = `Taskflow "${taskflowId}" is being produced by another task: give it an id of its own, or try again when that is done.`;
  return refuse("TASKFLOW_CONFLICT", message, { taskflowId });
}

const taskOf = (flow: Flow, { taskId }: Producer) => taskAt(flow, taskOrdinalOf(flow.idBase, taskId) ?? -1);

/** As the handler was told; a link is refused where it is none any more. */
function contextOf(flow: Flow, producer: Producer): unknown {
  const task = taskOf(flow, producer);
  return task ? nestedContext(flow, task) : null;
}

function parentOf(flow: Flow, producer: Producer): Nested["parent"] {
  const task = taskOf(flow, producer);
  const stage = (task?.undoes ?? task)?.stage.index ?? 0;
  const { taskflowId, taskId, attempt } = producer;
  return { taskflowId, taskId, attempt, stageId: stageId(flow.idBase, stage) };
}

/** Whose it is, if it does not say so itself. */
function inheriting({ definition, text, meta }: NewChild, { definition: { tenant } }: Flow): Omit<NewTaskflow, "taskflowId"> {
  if (tenant === undefined || definition.tenant !== undefined) return { definition, text, meta };
  const owned = { ...definition, tenant };
  return { definition: owned, text: JSON.stringify(owned), meta };
}

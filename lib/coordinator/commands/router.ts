/**
 * Routes commands to the owners of their taskflows, and their answers back.
 *
 * A command is decided in the mailbox of its taskflow and answered once its changes are stored. If
 * another coordinator owns the taskflow, the command is forwarded; if none does, it waits for a
 * takeover. A command that may have been carried out without an answer gets an id, so that
 * repeating it changes nothing.
 */
import { type CommandResult, type CommandRequest, refuse } from "../../core/model/command.ts";
import { isFinished } from "../../core/model/flow.ts";
import { taskflowError } from "../../errors/errors.ts";
import { backoff, sleep, withTimeout } from "../../util/timer.ts";
import type { Residency } from "../ownership/residency.ts";
import type { ReopenFinished } from "../ownership/reopen.ts";
import type { Ports } from "../turn/ports.ts";
import { readStored, rehydrate } from "../turn/rehydrate.ts";
import type { CoordinatorSettings } from "../turn/settings.ts";
import type { TurnLoop } from "../turn/loop.ts";

/** Pauses between two looks for an owner: a row may lag behind, and a takeover takes a lease. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** Beyond three leases: how long an order may take. */
const PATIENCE_MS = 10_000;

/** `owner`: who has it; without one it is to be looked for once more. */
type Found = { readonly answer: CommandResult } | { readonly owner?: string };

export class CommandRouter {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: TurnLoop;
  readonly #residency: Residency;
  readonly #finished: ReopenFinished;

  constructor(ports: Ports, settings: CoordinatorSettings, turns: TurnLoop, residency: Residency, finished: ReopenFinished) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
    this.#residency = residency;
    this.#finished = finished;
  }

  /**
   * Has the owner of the taskflow carry out a command.
   * @throws TASKFLOW_OVERLOADED: nothing is stored. STORE_UNAVAILABLE: the outcome is unknown; with
   * an id it is safe to send it again
   */
  async command(taskflowId: string, given: CommandRequest): Promise<CommandResult> {
    const { bus, clock, ids } = this.#ports;
    const deadline = clock.monotonic() + 3 * this.#settings.leaseMs + PATIENCE_MS;
    let order = given;
    let wasSent = false;
    const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      // Whatever the store does, the caller gets an answer.
      const leftMs = Math.max(0, deadline - clock.monotonic());
      const found = await withTimeout(this.#look(taskflowId, order), leftMs, () => unknown(taskflowId), clock);
      if ("answer" in found) return found.answer;
      if (found.owner !== undefined) {
        order = { ...order, id: order.id ?? ids.random() };
        const heard = await bus.forward(found.owner, taskflowId, order);
        if (typeof heard === "object") return heard;
        wasSent ||= heard === "unanswered";
      }
      if (this.#turns.isStopped || clock.monotonic() >= deadline) throw wasSent ? unknown(taskflowId) : nobody(taskflowId);
      await sleep(pause(), clock);
    }
  }

  /** An order that another coordinator has passed on; undefined: the taskflow is not this one's. */
  async handleForwarded(taskflowId: string, order: CommandRequest): Promise<CommandResult | undefined> {
    const found = await this.#look(taskflowId, order);
    return "answer" in found ? found.answer : undefined;
  }

  async #look(taskflowId: string, order: CommandRequest): Promise<Found> {
    const resident = this.#turns.residents.get(taskflowId);
    if (resident) return answerOf(await this.#turns.command(resident, order));
    const stored = await readStored(this.#ports.store, taskflowId);
    if (this.#turns.residents.has(taskflowId)) return {};
    if (!stored) return { answer: refuse("TASKFLOW_NOT_FOUND", `There is no taskflow "${taskflowId}".`, { taskflowId }) };
    const { status, owner } = stored.row;
    if (!isFinished(status)) {
      if (owner !== null && owner !== this.#settings.owner) return { owner };
      const found = owner === null ? {} : await this.#load(taskflowId, order);
      // One that cannot be read would be looked for until the patience is over.
      if (!("answer" in found)) rehydrate(stored);
      return found;
    }
    const keeper = await this.#finished.eligibleOwner(stored.row);
    if (keeper !== undefined) return keeper === null ? {} : { owner: keeper };
    const restored = rehydrate(stored);
    const { facts, answers } = this.#finished.preview(restored, [{ kind: "command", correlationId: 0, ...order }]);
    if (facts.length === 0) return answerOf(answers[0]?.answer);
    const taken = await this.#finished.take(restored);
    return taken ? answerOf(await this.#turns.command(taken, order)) : {};
  }

  /** It is parked, or about to be in memory. */
  async #load(taskflowId: string, order: CommandRequest): Promise<Found> {
    const brought = await this.#residency.load(taskflowId);
    return brought ? answerOf(await this.#turns.command(brought, order)) : {};
  }
}

const answerOf = (answer: CommandResult | undefined): Found => (answer ? { answer } : {});

function nobody(taskflowId: string): Error {
  const message = `Taskflow "${taskflowId}" has no owner right now; nothing was changed. Try again.`;
  return taskflowError("TASKFLOW_OVERLOADED", message, { taskflowId, retryAfter: 1 });
}

function unknown(taskflowId: string): Error {
  const message = `The outcome of the command on taskflow "${taskflowId}" is unknown: read its state, or send it again with the same commandId.`;
  return taskflowError("STORE_UNAVAILABLE", message, { taskflowId });
}

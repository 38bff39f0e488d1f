/**
 * Carries orders to the owners of their taskflows, and the answers back.
 *
 * An order is decided in the mailbox of its taskflow, and answered once what it changed is stored. Where another coordinator is the owner it is
 * passed on; where none is, it waits until one has taken over. One that may have been carried out unheard bears an id, so that carrying it out
 * again changes nothing.
 */
import { type Answer, type Order, refuse } from "../../core/model/command.ts";
import { isFinished } from "../../core/model/flow.ts";
import { taskflowError } from "../../errors/errors.ts";
import type { Care } from "../ownership/residency.ts";
import type { Finished } from "../ownership/reopen.ts";
import type { Ports } from "../turn/ports.ts";
import type { CoordinatorSettings } from "../turn/settings.ts";
import type { Turns } from "../turn/turn-loop.ts";

/** Pauses between two looks for an owner: a row may be somewhat behind, a takeover takes as long as a lease. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** Beyond three leases: how long an order may take. */
const PATIENCE_MS = 10_000;

/** `owner`: who has it; without one it is to be looked for once more. */
type Found = { readonly answer: Answer } | { readonly owner?: string };

export class Orders {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: Turns;
  readonly #care: Care;
  readonly #finished: Finished;

  constructor(ports: Ports, settings: CoordinatorSettings, turns: Turns, care: Care, finished: Finished) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
    this.#care = care;
    this.#finished = finished;
  }

  /**
   * Has an order carried out by whoever is the owner of the taskflow.
   * @throws TASKFLOW_OVERLOADED: nothing of it is stored. STORE_UNAVAILABLE: nobody knows; with an id it can be sent again safely
   */
  async command(taskflowId: string, given: Order): Promise<Answer> {
    const { bus, clock, ids } = this.#ports;
    const deadline = clock.monotonic() + 3 * this.#settings.leaseMs + PATIENCE_MS;
    let order = given;
    let wasSent = false;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const found = await this.#inTime(this.#look(taskflowId, order), deadline, taskflowId);
      if ("answer" in found) return found.answer;
      if (found.owner !== undefined) {
        order = { ...order, id: order.id ?? ids.random() };
        const heard = await bus.forward(found.owner, taskflowId, order);
        if (typeof heard === "object") return heard;
        wasSent ||= heard === "unheard";
      }
      if (this.#turns.isStopped || clock.monotonic() >= deadline) throw wasSent ? unknown(taskflowId) : nobody(taskflowId);
      await new Promise<void>((resolve) => void clock.after(pause, resolve));
    }
  }

  /** An order that another coordinator has passed on; undefined: the taskflow is not this one's. */
  async heed(taskflowId: string, order: Order): Promise<Answer | undefined> {
    const found = await this.#look(taskflowId, order);
    return "answer" in found ? found.answer : undefined;
  }

  async #look(taskflowId: string, order: Order): Promise<Found> {
    const resident = this.#turns.residents.get(taskflowId);
    if (resident) return answerOf(await this.#turns.order(resident, order));
    const stored = await this.#ports.store.read(taskflowId);
    if (this.#turns.residents.has(taskflowId)) return {};
    if (!stored) return { answer: refuse("TASKFLOW_NOT_FOUND", `There is no taskflow "${taskflowId}".`, { taskflowId }) };
    const { status, owner } = stored.row;
    if (!isFinished(status))
      return owner === this.#settings.owner ? this.#bring(taskflowId, order) : owner === null ? {} : { owner };
    const keeper = await this.#finished.keeperOf(stored.row);
    if (keeper !== undefined) return keeper === null ? {} : { owner: keeper };
    const { facts, answers } = this.#finished.foresee(stored, [{ kind: "command", ticket: 0, ...order }]);
    if (facts.length === 0) return answerOf(answers[0]?.answer);
    const taken = await this.#finished.take(stored);
    return taken ? answerOf(await this.#turns.order(taken, order)) : {};
  }

  /** It is parked, or about to be in memory. */
  async #bring(taskflowId: string, order: Order): Promise<Found> {
    const brought = await this.#care.bring(taskflowId);
    return brought ? answerOf(await this.#turns.order(brought, order)) : {};
  }

  /** Whatever the store does, the caller is told something. */
  #inTime<Result>(work: Promise<Result>, deadline: number, taskflowId: string): Promise<Result> {
    const { clock } = this.#ports;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(Math.max(0, deadline - clock.monotonic()), () => reject(unknown(taskflowId)));
      work.finally(cancel).then(resolve, reject);
    });
  }
}

const answerOf = (answer: Answer | undefined): Found => (answer ? { answer } : {});

function nobody(taskflowId: string): Error {
  const message = `Nobody drives taskflow "${taskflowId}" at this moment, and nothing of it was changed. Try again later.`;
  return taskflowError("TASKFLOW_OVERLOADED", message, { taskflowId, retryAfter: 1 });
}

function unknown(taskflowId: string): Error {
  const message = `Nobody knows whether what was asked of taskflow "${taskflowId}" was carried out: look at it, or send it again with the same commandId.`;
  return taskflowError("STORE_UNAVAILABLE", message, { taskflowId });
}

/**
 * Finished taskflows have no owner. A coordinator that has to change one claims it first,
 * conditionally, and releases it when it is over again. A nested one whose root is unfinished can
 * be claimed by the root's owner only.
 */
import { decide, type Decision } from "../../core/decide.ts";
import { isFinished, isOver } from "../../core/model/flow.ts";
import type { Input } from "../../core/execution/inputs.ts";
import { taskflowError } from "../../errors/errors.ts";
import { replay } from "../../core/journal/journal.ts";
import type { TaskflowRow } from "../../ports/store.ts";
import type { Ports } from "../turn/ports.ts";
import type { Resident } from "../turn/resident.ts";
import { readStored, type Restored } from "../turn/rehydrate.ts";
import { type CoordinatorSettings, FORMAT } from "../turn/settings.ts";
import type { TurnLoop } from "../turn/loop.ts";

export interface FinishedListener {
  /** Takes one that is this coordinator's from now on into care. */
  readonly load: (restored: Restored, fence: number) => Resident | undefined;
  /** This coordinator may own one without knowing it. */
  readonly unsure: () => void;
  /** One is this coordinator's, in the state that it finished in. */
  readonly reopened: (restored: Restored) => void;
}

export class ReopenFinished {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: TurnLoop;
  readonly #listener: FinishedListener;

  constructor(ports: Ports, settings: CoordinatorSettings, turns: TurnLoop, listener: FinishedListener) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
    this.#listener = listener;
  }

  /** The coordinator that may take it, if that is not this one; null: none right now. */
  async eligibleOwner({ taskflowId, rootId }: TaskflowRow): Promise<string | null | undefined> {
    const root = rootId === taskflowId ? undefined : await readStored(this.#ports.store, rootId);
    if (!root || isFinished(root.row.status) || root.row.owner === this.#settings.owner) return undefined;
    return root.row.owner;
  }

  /**
   * Previews the decision. `decide` changes the state that it receives, so this uses a second state
   * of the same entries.
   * @throws TASKFLOW_OVERLOADED if the taskflow would go on and this coordinator has as many as it
   * may
   */
  preview({ entries, flow: { revision } }: Restored, inputs: readonly Input[]): Decision {
    const flow = replay(entries, revision);
    const decision = decide(flow, inputs, this.#ports.clock.now());
    const { size } = this.#turns.residents;
    if (!isOver(flow) && size >= this.#settings.maxActive) {
      const message = `This coordinator drives ${size} taskflows, its limit: "${flow.taskflowId}" cannot go on now. Try again later.`;
      throw taskflowError("TASKFLOW_OVERLOADED", message, { retryAfter: 1 });
    }
    return decision;
  }

  /** Undefined if another coordinator was faster, or it is of no use here: look at it anew. */
  async take(restored: Restored): Promise<Resident | undefined> {
    const { taskflowId, fence, format } = restored.row;
    const isTaken = format <= FORMAT && !this.#turns.isStopped && (await this.#reopen(taskflowId, fence));
    if (!isTaken || this.#turns.isStopped) return undefined;
    if (this.#turns.isResident(taskflowId, fence + 1)) return this.#turns.residents.get(taskflowId);
    // Nothing is stored of a finished taskflow under the fence that it had.
    this.#listener.reopened(restored);
    return this.#listener.load(restored, fence + 1);
  }

  async #reopen(taskflowId: string, fence: number): Promise<boolean> {
    try {
      return await this.#ports.store.reopen(taskflowId, this.#settings.owner, fence);
    } catch (error) {
      this.#listener.unsure();
      throw error;
    }
  }
}

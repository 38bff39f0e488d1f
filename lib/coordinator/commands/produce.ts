/**
 * Stores new taskflows. Each is resident from the first moment; its caller is answered once it is
 * stored.
 */
import { build } from "../../core/journal/build.ts";
import type { Created, Nested } from "../../core/journal/facts.ts";
import type { StoredDefinition } from "../../core/model/values.ts";
import { idBaseOf } from "../../core/model/ids.ts";
import { taskflowError } from "../../errors/errors.ts";
import type { Ports } from "../turn/ports.ts";
import { Creation, Resident } from "../turn/resident.ts";
import type { CoordinatorSettings } from "../turn/settings.ts";
import type { TurnLoop } from "../turn/loop.ts";
import { readStored } from "../turn/rehydrate.ts";

/** What `produce` hands over: checked, in the long form, with its text. */
export interface NewTaskflow {
  readonly taskflowId?: string;
  readonly definition: StoredDefinition;
  readonly text: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

const overloaded = (why: string): Error =>
  taskflowError("TASKFLOW_OVERLOADED", `This coordinator takes no new taskflow now. ${why} Try again later.`, { retryAfter: 1 });

export class Creator {
  readonly #ports: Ports;
  readonly #settings: CoordinatorSettings;
  readonly #turns: TurnLoop;

  constructor(ports: Ports, settings: CoordinatorSettings, turns: TurnLoop) {
    this.#ports = ports;
    this.#settings = settings;
    this.#turns = turns;
  }

  /**
   * Stores a taskflow. It starts in a later turn of the event loop than the one in which this
   * resolves. An id that is already stored answers `existing` and starts nothing.
   * @throws TASKFLOW_OVERLOADED: nothing is stored. STORE_UNAVAILABLE: the outcome is unknown; with
   * an id of the caller's it is safe to send it again
   */
  async produce(given: NewTaskflow): Promise<{ taskflowId: string; existing?: true }> {
    const taskflowId = given.taskflowId ?? this.#ports.ids.sorted();
    const { residents } = this.#turns;
    if (residents.has(taskflowId) && (await this.exists(taskflowId))) return { taskflowId, existing: true };
    this.checkRoom();
    const isStoredAlready = await this.#add(taskflowId, given);
    return isStoredAlready ? { taskflowId, existing: true } : { taskflowId };
  }

  /** @throws TASKFLOW_OVERLOADED while no new taskflow is taken */
  checkRoom(): void {
    if (this.#turns.isDraining) throw overloaded("It is shutting down.");
    this.admit();
  }

  /** @throws TASKFLOW_OVERLOADED if it has as many in memory as it may */
  admit(): void {
    const { size } = this.#turns.residents;
    if (size >= this.#settings.maxActive) throw overloaded(`It has ${size} taskflows in memory, its limit.`);
  }

  /** Stores one that stands below another. Resolves with true if the id was taken. */
  async createBelow(taskflowId: string, given: NewTaskflow, nested: Nested): Promise<boolean> {
    if (this.#turns.residents.has(taskflowId) && (await this.exists(taskflowId))) return true;
    return this.#add(taskflowId, given, nested);
  }

  /** Whether a taskflow of this id is stored. If one is being stored, waits for it. */
  async exists(taskflowId: string): Promise<boolean> {
    const resident = this.#turns.residents.get(taskflowId);
    if (!resident || resident.state === "reading") return (await readStored(this.#ports.store, taskflowId)) !== undefined;
    return resident.whenStored();
  }

  #add(taskflowId: string, { definition, text, meta }: NewTaskflow, nested?: Nested): Promise<boolean> {
    const { defaults, eventTreeLimit } = this.#settings;
    const { ids, clock } = this.#ports;
    const idBase = idBaseOf(ids.random());
    const created: Created = { kind: "created", taskflowId, idBase, defaults, meta, definition, ...(nested ? { nested } : {}) };
    return new Promise((resolve, reject) => {
      const resident = new Resident(build(created, clock.now()), eventTreeLimit);
      resident.creation = new Creation(text);
      resident.creation.wait(resolve, reject);
      this.#turns.add(resident, { kind: "begin" });
    });
  }
}

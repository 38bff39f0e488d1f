/**
 * Those who decide about taskflows while they run and after: at random while there are faults,
 * then so that all of them end.
 */
import type { Command } from "../../lib/core/model/command.ts";
import { taskId } from "../../lib/core/model/ids.ts";
import { drawOrder } from "./drawn-command.ts";
import { GivenOrder } from "./given-command.ts";
import type { FlowRecord } from "./record.ts";
import type { World } from "./world.ts";

/** How often somebody looks what waits for a decision, once the faults have ceased. */
const LOOK_MS = 3_000;

export class Operators {
  readonly orders: GivenOrder[] = [];
  /** Orders that are still to be given. */
  #planned = 0;
  #number = 0;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const { random, agenda, calmAt, submitUntil } = world;
    for (let left = random.int(1, 12); left > 0; left--) {
      this.#planned++;
      // Most taskflows take less time than the faults.
      const until = random.chance(0.6) ? Math.min(calmAt, submitUntil + 2_000) : calmAt;
      agenda.in(random.int(1, until), () => this.#decide());
    }
    agenda.in(calmAt + LOOK_MS, () => this.#calm());
  }

  get areDone(): boolean {
    return this.#planned === 0 && this.orders.every(({ isDone }) => isDone);
  }

  #decide(): void {
    this.#planned--;
    const { random, store } = this.#world;
    const records = Array.from(store.records.values());
    if (records.length === 0) return;
    const record = random.pick(records);
    // Two people have the same thought, or one clicks twice.
    const times = random.chance(0.3) ? 2 : 1;
    const given = this.#order(record);
    given.give();
    if (times === 1) return;
    if (given.order.id !== undefined && random.chance(0.5)) return given.give();
    const { id: _, command, ...rest } = given.order;
    if (command.kind !== "annotate") this.#order(record, command, rest).give();
  }

  #order(record: FlowRecord, command?: Command, rest = {}): GivenOrder {
    const number = ++this.#number;
    const order = command ? { ...rest, id: `order-${number}`, command } : drawOrder(this.#world.random, record.flow, number);
    const given = new GivenOrder(this.#world, record, order);
    this.orders.push(given);
    return given;
  }

  /** Nothing is left that waits for somebody. */
  #calm(): void {
    const { random, agenda, unfinished } = this.#world;
    agenda.in(LOOK_MS, () => this.#calm());
    if (!this.areDone) return;
    for (const record of unfinished) {
      const { flow } = record;
      const [awaiting] = flow.awaiting;
      if (flow.pause) this.#order(record, { kind: "resume" }).give();
      else if (awaiting !== undefined) {
        const task = taskId(flow.idBase, awaiting);
        const resolve: Command = { kind: "resolveTask", task, outcome: "SKIPPED", reason: "enough" };
        this.#order(record, random.pick<Command>([resolve, { kind: "retry" }, { kind: "cancel" }])).give();
      }
    }
  }
}

/**
 * Takes finished taskflows out of the store during the run, as a retention would: each is
 * replayed from its journal as it stands in the database, kept for the checker, and removed. One
 * in some goes by way of the service: read by `getTaskflowDetails`, compared, and deleted by
 * `deleteTaskflow`.
 *
 * It keeps the collection small: a server that has no index for ranges of ids, as the stand-in
 * for mongod, reads all of it to read one journal.
 */
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { TaskflowDetails } from "../../lib/index.ts";
import { isTaskflowError } from "../../lib/index.ts";
import { hasLastEvent, isOver, type ProducedFlow, type Producer } from "./producer.ts";
import type { StoredFlow, StoreView } from "./store-view.ts";

const PAUSE_MS = 2_500;
/**
 * Longer than anything is frozen. One that goes on then may still hold a copy of `produce`, which
 * would store a removed taskflow anew, or be about to append where nothing keeps the number any
 * more.
 */
const QUIET_MS = 10_000;
const BY_SERVICE_EACH = 20;
const TRIES = 5;

export class Collector {
  /** As the store told of them right before they were removed. */
  readonly details = new Map<string, TaskflowDetails>();
  readonly removed = new Set<string>();
  readonly violations: string[] = [];
  readonly #producer: Producer;
  readonly #store: StoreView;
  readonly #deletions = new Set<Promise<void>>();
  #loop: Promise<void> | undefined;
  readonly #end = new AbortController();

  constructor(producer: Producer, store: StoreView) {
    this.#producer = producer;
    this.#store = store;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#loop;
    await Promise.all(this.#deletions);
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    for (;;) {
      await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      // While MongoDB is away there is nothing to take.
      await this.#round().catch(() => undefined);
    }
  }

  async #round(): Promise<void> {
    const { uncollected } = this.#producer;
    const before = performance.now() - QUIET_MS;
    const ripe = [...uncollected].filter((flow) => flow.heardAt < before && flow.isServed && hasLastEvent(flow));
    if (ripe.length === 0) return;
    const stored = await this.#store.readAll();
    const taken: string[] = [];
    for (const flow of ripe) {
      const found = stored.get(flow.id);
      // Its row follows within moments.
      if (found?.isOpen) continue;
      uncollected.delete(flow);
      const details = found && this.#readable(flow, found);
      // What is not there, or not over, is the checker's.
      if (!details || !isOver(details.status)) continue;
      if (flow.number % BY_SERVICE_EACH === 0) this.#deleteByService(flow, details);
      else {
        this.details.set(flow.id, details);
        taken.push(flow.id);
      }
    }
    await this.#store.remove(taken.flatMap((id) => stored.get(id)?.documents ?? []));
    for (const id of taken) this.removed.add(id);
    await this.#store.removeTombstones(QUIET_MS);
  }

  #readable({ id }: ProducedFlow, { details }: StoredFlow): TaskflowDetails | undefined {
    try {
      return details();
    } catch (error) {
      this.violations.push(`${id}: ${String(error)}`);
      return undefined;
    }
  }

  #deleteByService(flow: ProducedFlow, details: TaskflowDetails): void {
    const deletion = this.#delete(flow, details).finally(() => this.#deletions.delete(deletion));
    this.#deletions.add(deletion);
  }

  async #delete({ id }: ProducedFlow, stored: TaskflowDetails): Promise<void> {
    const { client } = this.#producer;
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        if (!this.details.has(id)) {
          const told = await client.getTaskflowDetails(id);
          if (!isDeepStrictEqual(told, stored)) this.violations.push(`${id}: its details are not what is in its journal`);
          this.details.set(id, told);
        }
        await client.deleteTaskflow(id);
        this.removed.add(id);
        return;
      } catch (error) {
        if (this.details.has(id) && isTaskflowError(error, "TASKFLOW_NOT_FOUND")) return void this.removed.add(id);
        if (this.#end.signal.aborted) return;
      }
    }
  }
}

/**
 * The events of one taskflow, each exactly once and in order: history first, then live, across
 * reconnects.
 *
 * A live event is a hint that may be lost, doubled or early; `seq` tells. An event that is not the
 * next one waits while the missing ones are fetched. Periodic looks find a lost last event.
 */
import type { ServiceBroker } from "moleculer";
import type { TaskflowEvent } from "../../schemas/taskflow-event.schema.ts";
import { localSubjects, natsClientOf } from "../adapters/moleculer/broker-link.ts";
import { guarded } from "../util/guarded.ts";
import { recordOf } from "../util/record.ts";
import { getEventsEndpoint } from "../protocol/events-subject.ts";

/**
 * How often it checks for missed events: with live events, and without them (another transporter).
 */
const LOOK_MS = 5_000;
const LOOK_WITHOUT_LIVE_MS = 1_000;
const PAGE = 500;
/** Early events that are kept; more are left to the history. */
const MAX_EARLY = 10_000;

/**
 * Receives one event after the other; its promise is awaited before the next. An error that it
 * throws is logged, and the next event follows.
 */
export type EventHandler = (event: TaskflowEvent) => void | Promise<void>;
export interface SubscriptionOptions {
  /** `seq` of the last known event; 0 gives all from the beginning. */
  readonly since: number;
  /**
   * Called once when the id was deleted and produced again, before the first event of the new
   * taskflow, which begins at `seq` 1.
   */
  readonly onRecreated?: (createdAt: number) => void;
}
export type FetchEvents = (since: number, limit: number) => Promise<{ events: TaskflowEvent[]; lastSeq: number }>;

/**
 * A subscription to the events of one taskflow, made by `TaskflowClient.subscribeToTaskflowEvents`.
 * `unsubscribe()` ends it; `lastSeq` is where to continue.
 */
export class EventSubscription {
  readonly #broker: ServiceBroker;
  readonly #fetch: FetchEvents;
  readonly #handler: EventHandler;
  readonly #early = new Map<number, TaskflowEvent>();
  readonly #stopLive: () => void;
  readonly #lookMs: number;
  readonly #onRecreated: SubscriptionOptions["onRecreated"];
  #lastSeq: number;
  /** `createdAt` of the taskflow whose events are handed over, once that is known. */
  #life: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isMissing = true;
  #ended = false;

  constructor(
    broker: ServiceBroker,
    taskflowId: string,
    fetch: FetchEvents,
    handler: EventHandler,
    { since, onRecreated }: SubscriptionOptions,
  ) {
    this.#broker = broker;
    this.#fetch = fetch;
    this.#handler = handler;
    this.#lastSeq = since;
    this.#onRecreated = onRecreated;
    const live = listen(broker, taskflowId, (text) => this.#heard(text));
    this.#stopLive = live.stop;
    this.#lookMs = live.isLive ? LOOK_MS : LOOK_WITHOUT_LIVE_MS;
  }

  /** `seq` of the latest event that was handed over. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Resolves once the history was handed over; rejects if it cannot be had at all. */
  async start(): Promise<this> {
    try {
      await this.#run();
    } catch (error) {
      this.unsubscribe();
      throw error;
    }
    this.#lookAgain();
    return this;
  }

  /** Ends it: no event is handed over after this. */
  unsubscribe(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#stopLive();
    this.#early.clear();
  }

  #heard(text: string): void {
    const event = this.#ended ? undefined : eventOf(text);
    if (!event || !this.#isOfLife(event)) return;
    if (event.seq <= this.#lastSeq || this.#early.size >= MAX_EARLY) return;
    this.#early.set(event.seq, event);
    if (event.seq > this.#lastSeq + 1 && !this.#running) this.#isMissing = true;
    this.#wake();
  }

  /** False for an event of a former taskflow of this id. One of a new taskflow begins anew. */
  #isOfLife({ data: { createdAt } }: TaskflowEvent): boolean {
    if (this.#life !== undefined && createdAt < this.#life) return false;
    if (this.#life !== undefined && createdAt > this.#life) this.#beginAnew(createdAt);
    this.#life ??= createdAt;
    return true;
  }

  #beginAnew(createdAt: number): void {
    this.#life = createdAt;
    this.#lastSeq = 0;
    this.#early.clear();
    this.#isMissing = true;
    try {
      this.#onRecreated?.(createdAt);
    } catch (error) {
      this.#broker.logger.error("onRecreated of a subscription to taskflow events failed.", error);
    }
  }

  #wake(): void {
    if (this.#running || this.#ended) return;
    this.#run().catch((error: unknown) => {
      this.#broker.logger.debug("The events of a taskflow could not be read; trying again.", error);
    });
  }

  #run(): Promise<void> {
    this.#running ??= this.#handOver().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #handOver(): Promise<void> {
    while (!this.#ended) {
      const next = this.#early.get(this.#lastSeq + 1);
      if (next) await this.#give(next);
      else if (this.#isMissing || this.#early.size > 0) await this.#catchUp();
      else return;
    }
  }

  async #catchUp(): Promise<void> {
    const since = this.#lastSeq;
    const { events, lastSeq } = await this.#fetch(since, PAGE);
    const [first] = events;
    // Fewer events than were handed over, or those of another taskflow: the id was produced again.
    if (lastSeq < since || (first && this.#isNew(first))) return this.#lookFromTheBeginning();
    for (const event of events) await this.#give(event);
    if (this.#lastSeq >= lastSeq) this.#isMissing = false;
    for (const seq of this.#early.keys()) if (seq <= this.#lastSeq) this.#early.delete(seq);
    // Live events are ahead of the store: the gap is checked again later.
    if (events.length === 0 && !this.#early.has(this.#lastSeq + 1)) this.#early.clear();
  }

  #isNew({ data: { createdAt } }: TaskflowEvent): boolean {
    return this.#life !== undefined && createdAt > this.#life;
  }

  /** Finds out whether the id was produced again, and begins anew if it was. */
  async #lookFromTheBeginning(): Promise<void> {
    const { events } = await this.#fetch(0, 1);
    const [first] = events;
    if (first && (this.#life === undefined || this.#isNew(first))) this.#beginAnew(first.data.createdAt);
    else this.#isMissing = false;
  }

  async #give(event: TaskflowEvent): Promise<void> {
    this.#early.delete(event.seq);
    if (this.#ended || !this.#isOfLife(event) || event.seq <= this.#lastSeq) return;
    this.#lastSeq = event.seq;
    try {
      await this.#handler(event);
    } catch (error) {
      this.#broker.logger.error(`A handler of taskflow events failed at event ${event.seq}.`, error);
    }
  }

  #lookAgain(): void {
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#isMissing = true;
      this.#wake();
      this.#lookAgain();
    }, this.#lookMs);
    this.#timer.unref();
  }
}

/** Any client can publish on the subject: a message that is not an event is ignored. */
function eventOf(text: string): TaskflowEvent | undefined {
  try {
    const event: unknown = JSON.parse(text);
    const { seq, data } = recordOf(event);
    const isEvent = Number.isSafeInteger(seq) && Number.isSafeInteger(recordOf(data)["createdAt"]);
    return isEvent ? (event as TaskflowEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** Listens on the taskflow's subject: on NATS, or in this process where there is none. */
function listen(broker: ServiceBroker, taskflowId: string, heard: (text: string) => void): { stop: () => void; isLive: boolean } {
  const subject = getEventsEndpoint(taskflowId, true, broker.namespace);
  const nats = natsClientOf(broker);
  if (nats) {
    const decoder = new TextDecoder();
    // Rethrown, it would end the client's reading.
    const take = guarded(broker.logger, `A message on ${subject} could not be handled.`, (data: Uint8Array) =>
      heard(decoder.decode(data)),
    );
    const subscription = nats.subscribe(subject, {
      callback: (error, message) => {
        if (!error) take(message.data);
      },
    });
    return { stop: () => subscription.unsubscribe(), isLive: true };
  }
  return { stop: localSubjects(broker).listen(subject, heard), isLive: broker.transit === undefined };
}

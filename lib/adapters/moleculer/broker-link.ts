/** The subject of a taskflow's events, and how a process without NATS receives them. */
import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";

type Listener = (text: string) => void;

/**
 * The subjects within a broker's own process: the coordinator repeats here each message that it
 * publishes to NATS.
 */
export class LocalSubjects {
  readonly #listeners = new Map<string, Set<Listener>>();

  /** True if any of them has a listener. */
  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  publish(subject: string, text: string): void {
    for (const listener of this.#listeners.get(subject) ?? []) listener(text);
  }

  /** Returns a function that ends the subscription. */
  listen(subject: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(subject) ?? new Set();
    this.#listeners.set(subject, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(subject) === listeners) this.#listeners.delete(subject);
    };
  }
}

const subjects = new WeakMap<ServiceBroker, LocalSubjects>();

export function localSubjects(broker: ServiceBroker): LocalSubjects {
  let known = subjects.get(broker);
  if (!known) subjects.set(broker, (known = new LocalSubjects()));
  return known;
}

/**
 * The broker's NATS connection; undefined without a NATS transporter (Moleculer's own or the
 * project's).
 */
export function natsClientOf(broker: ServiceBroker): NatsConnection | undefined {
  const transporter: unknown = broker.transit?.tx;
  if (typeof transporter !== "object" || transporter === null || !("client" in transporter)) return undefined;
  const { client } = transporter;
  const isNats = typeof client === "object" && client !== null && "publish" in client && "jetstream" in client;
  return isNats ? (client as unknown as NatsConnection) : undefined;
}

/**
 * The largest message that the broker's NATS server accepts, in bytes. Infinite without NATS, or
 * before the server has announced its limit.
 */
export function maxMessageBytesOf(broker: ServiceBroker): number {
  const client = natsClientOf(broker);
  return client ? maxBytesOf(client) : Number.POSITIVE_INFINITY;
}

/** The same for a connection. */
export const maxBytesOf = (client: NatsConnection): number => client.info?.max_payload ?? Number.POSITIVE_INFINITY;

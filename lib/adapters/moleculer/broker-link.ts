/** Where the events of a taskflow are announced, and how a process without NATS hears of them. */
import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";

type Heard = (text: string) => void;

/** The subjects of a broker's own process: the coordinator says here what it publishes to NATS. */
export class LocalSubjects {
  readonly #listeners = new Map<string, Set<Heard>>();

  /** True if anybody listens to any of them. */
  get areHeard(): boolean {
    return this.#listeners.size > 0;
  }

  say(subject: string, text: string): void {
    for (const heard of this.#listeners.get(subject) ?? []) heard(text);
  }

  /** Returns what ends it. */
  listen(subject: string, heard: Heard): () => void {
    const listeners = this.#listeners.get(subject) ?? new Set();
    this.#listeners.set(subject, listeners.add(heard));
    return () => {
      listeners.delete(heard);
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
 * Bytes that the broker's NATS server takes in one message; no limit without NATS, or before the
 * server has named it.
 */
export function maxMessageBytesOf(broker: ServiceBroker): number {
  return natsClientOf(broker)?.info?.max_payload ?? Number.POSITIVE_INFINITY;
}

/** What is compared: a coordinator, its worker and its client, each in a process of its own. */
import { type Context, ServiceBroker } from "moleculer";
import type { Answer, Flow } from "./workloads.ts";

export interface Settings {
  readonly nats: string;
  /** `sqlite:<file>` or `mongodb://…`. */
  readonly store: string;
  /** Of a coordinator, where there are several. */
  readonly nodeID?: string;
  /** Variant of the contender. */
  readonly variant: string;
}

export interface Contender {
  /** Starts the worker's service `work`. */
  readonly worker: (settings: Settings) => Promise<void>;
  /** Starts the coordinator; it has an action `bench.counters`. */
  readonly coordinator: (settings: Settings) => Promise<void>;
  /** Resolves when the client knows that the flow has ended, with the answers of its last stage. */
  readonly run: (client: ServiceBroker, flow: Flow, settings: Settings) => Promise<readonly Answer[]>;
  /** What the client waits for. */
  readonly service: string;
}

/** What was written to the store so far. */
export interface Counters {
  commands: number;
  operations: number;
}

export const NAMESPACE = "bench";

/** A node on Moleculer's own NATS transporter. */
export function stockNode(nats: string, nodeID: string): ServiceBroker {
  return new ServiceBroker({
    namespace: NAMESPACE,
    nodeID,
    logger: false,
    transporter: { type: "NATS", options: { url: nats } },
  });
}

export async function startWorker(nats: string, handler: (ctx: Context) => unknown): Promise<void> {
  const broker = stockNode(nats, "worker");
  broker.createService({ name: "work", actions: { run: { handler } } });
  await broker.start();
}

export function serveCounters(broker: ServiceBroker, counters: () => Counters): void {
  broker.createService({ name: "bench", actions: { counters } });
}

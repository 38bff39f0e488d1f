/** Callers whose nodes have left: their calls need no answer any more. */
import type { ServiceBroker } from "moleculer";

interface NodeLeft {
  readonly node: { readonly id: string };
}

export class Callers {
  readonly #broker: ServiceBroker;
  readonly #controllers = new Map<string, AbortController>();
  readonly #left = ({ node: { id } }: NodeLeft): void => {
    this.#controllers.get(id)?.abort();
    this.#controllers.delete(id);
  };

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
    broker.localBus.on("$node.disconnected", this.#left);
  }

  /** Aborted when this node leaves. Undefined for the own node, which cannot. */
  signalOf(node: string | null): AbortSignal | undefined {
    if (node === null || node === this.#broker.nodeID) return undefined;
    let controller = this.#controllers.get(node);
    if (!controller) this.#controllers.set(node, (controller = new AbortController()));
    return controller.signal;
  }

  stop(): void {
    this.#broker.localBus.off("$node.disconnected", this.#left);
    this.#controllers.clear();
  }
}

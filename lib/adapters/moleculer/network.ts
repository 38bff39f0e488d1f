import type { ServiceBroker } from "moleculer";
import type { Network } from "../../ports/network.ts";

/** The nodes in Moleculer's registry. */
export class MoleculerNetwork implements Network {
  readonly #broker: ServiceBroker;

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  isUp(): boolean {
    const { transit } = this.#broker;
    return !transit || transit.connected;
  }

  nodes(): number {
    return this.#broker.registry.getNodeList({ onlyAvailable: true }).length;
  }

  isConnected(node: string): boolean {
    const found = this.#broker.registry.nodes.get(node) as { available: boolean } | undefined;
    return found?.available ?? false;
  }
}

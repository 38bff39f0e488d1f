import type { ServiceBroker } from "moleculer";
import { LEDGER_KEY, OUTCOME_ACTION } from "../../protocol/names.ts";
import { BoundedMap } from "../../util/bounded-map.ts";

/** The number of nodes remembered; beyond it, those seen longest ago are forgotten. */
const MAX_NODES = 10_000;

/** The ledger's properties, which the worker mixin declares in the definition of its action. */
export interface LedgerKind {
  readonly isShared?: boolean;
  readonly isDurable?: boolean;
}

export interface OutcomeEndpoint {
  readonly id: string;
  readonly isAvailable: boolean;
  readonly action: { readonly [LEDGER_KEY]?: LedgerKind };
}

interface NodeChange {
  readonly node: { readonly id: string };
  readonly unexpected?: boolean;
}

/**
 * Knowledge about workers that outlives them: Moleculer's registry forgets the services of a node
 * before its goodbye.
 */
export class WorkerRegistry {
  readonly #broker: ServiceBroker;
  /** Nodes that said goodbye: their processes ended, and with them everything in memory. */
  readonly #departed = new BoundedMap<string, true>(MAX_NODES);
  /** Nodes with a ledger that outlives their process. */
  readonly #durable = new BoundedMap<string, true>(MAX_NODES);
  readonly #left = ({ node, unexpected }: NodeChange): void => {
    if (!unexpected) this.#departed.set(node.id, true);
  };
  readonly #came = ({ node }: NodeChange): void => void this.#departed.delete(node.id);
  readonly #changed = (): void => this.#look();

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
    const { localBus } = broker;
    localBus.on("$node.disconnected", this.#left);
    localBus.on("$node.connected", this.#came);
    localBus.on("$services.changed", this.#changed);
    this.#look();
  }

  close(): void {
    const { localBus } = this.#broker;
    localBus.off("$node.disconnected", this.#left);
    localBus.off("$node.connected", this.#came);
    localBus.off("$services.changed", this.#changed);
  }

  /** True: the memory of its process is lost, even if another process returns under its name. */
  isGoneForGood(node: string): boolean {
    return this.#departed.has(node) && !this.#durable.has(node);
  }

  #look(): void {
    const { actions } = this.#broker.registry.actions as unknown as { actions: Map<string, { endpoints: OutcomeEndpoint[] }> };
    for (const [name, { endpoints }] of actions) {
      if (!name.endsWith(`.${OUTCOME_ACTION}`)) continue;
      for (const { id, action } of endpoints) if (action[LEDGER_KEY]?.isDurable) this.#durable.set(id, true);
    }
  }
}

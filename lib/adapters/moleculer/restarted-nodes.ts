import type { ServiceBroker } from "moleculer";

interface NodeChange {
  readonly node: { readonly id: string; readonly instanceID?: string | null };
}

/**
 * Ends the calls to a node whose process was replaced by another one under the same id. A killed
 * process sends no goodbye. If its successor starts before its heartbeats are missed, Moleculer
 * takes both for one node, and requests to the first would wait for ever. The calls end as they do
 * when a node is lost (`RequestRejectedError`).
 * @returns a function that ends the watch
 */
export function endCallsOfRestarted(broker: ServiceBroker): () => void {
  const instances = new Map<string, string>();
  const seen = ({ node: { id, instanceID } }: NodeChange): void => {
    if (!instanceID) return;
    const former = instances.get(id);
    instances.set(id, instanceID);
    if (former !== undefined && former !== instanceID) broker.transit?.removePendingRequestByNodeID(id);
  };
  // Moleculer has ended its calls by then.
  const left = ({ node }: NodeChange): void => void instances.delete(node.id);
  const { localBus } = broker;
  localBus.on("$node.connected", seen);
  localBus.on("$node.updated", seen);
  localBus.on("$node.disconnected", left);
  for (const node of broker.registry.nodes.toArray() as NodeChange["node"][]) seen({ node });
  return () => {
    localBus.off("$node.connected", seen);
    localBus.off("$node.updated", seen);
    localBus.off("$node.disconnected", left);
  };
}

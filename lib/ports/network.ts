/** The network's port: what can be seen of the nodes around, to tell people. */
export interface Network {
  /** This node's own link; true where there is no bus to be linked to. */
  isUp(): boolean;
  /** Nodes that are connected, this one included. */
  nodes(): number;
  isConnected(node: string): boolean;
}

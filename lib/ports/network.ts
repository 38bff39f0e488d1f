/** The network's port: the nodes as this one sees them, for explanations only. */
export interface Network {
  /** State of this node's own link; true if there is no bus. */
  isUp(): boolean;
  /** Number of connected nodes, this one included. */
  nodes(): number;
  isConnected(node: string): boolean;
}

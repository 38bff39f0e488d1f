/** Two coordinators and a worker on NATS, over one store in memory that both share. */
import type { ServiceSchema } from "moleculer";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { NatsTransporter, TaskflowClient, TaskflowService } from "../../lib/index.ts";
import type { TaskflowServiceOptions } from "../../lib/index.ts";
import { createNode, type TestNode } from "./nodes.ts";
import { uniqueNamespace } from "./unique.ts";

export interface Member {
  readonly nodeID: string;
  readonly node: TestNode;
  /** Its calls go to this coordinator. */
  readonly client: TaskflowClient;
}

export interface Pair {
  readonly a: Member;
  readonly b: Member;
  readonly worker: TestNode;
  readonly store: SqliteStore;
}

/** The coordinators' view of a store that outlives each of them. */
export function shared(store: SqliteStore): SqliteStore {
  return new Proxy(store, {
    get(target, key) {
      if (key === "close") return () => Promise.resolve();
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Stopped by `stopNodes`. */
export async function startPair(url: string, service: ServiceSchema, options: TaskflowServiceOptions = {}): Promise<Pair> {
  const namespace = uniqueNamespace();
  const store = new SqliteStore({ file: ":memory:" });
  await store.open();
  const start = async (nodeID: string, services: ServiceSchema[]): Promise<TestNode> => {
    const node = createNode(new NatsTransporter({ url }), { namespace, nodeID, services });
    await node.broker.start();
    return node;
  };
  const worker = await start("worker", [service]);
  const member = async (nodeID: string): Promise<Member> => {
    const node = await start(nodeID, [TaskflowService({ store: shared(store), shutdownGrace: 50, lease: 2_000, ...options })]);
    await node.broker.waitForServices(service.name);
    return { nodeID, node, client: new TaskflowClient(node.broker, { nodeID }) };
  };
  const a = await member("a");
  const b = await member("b");
  return { a, b, worker, store };
}

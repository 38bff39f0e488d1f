/** A coordinator in one process without NATS, with services that serve its tasks. */
import { ServiceBroker } from "moleculer";
import type { ServiceSchema } from "moleculer";
import { TaskflowClient, TaskflowService } from "../../lib/index.ts";
import type { StageDefinition, TaskflowServiceOptions } from "../../lib/index.ts";
import { CatalogueCheck } from "./catalogue-check.ts";
import { uniqueName } from "./unique.ts";

export interface LocalNode {
  readonly broker: ServiceBroker;
  readonly client: TaskflowClient;
  /** What the service has answered so far. */
  readonly check: CatalogueCheck;
  stop(): Promise<void>;
}

const started: LocalNode[] = [];

export interface LocalNodeOptions {
  services?: readonly ServiceSchema[];
  taskflow?: TaskflowServiceOptions;
  nodeID?: string;
}

/** Started, in memory if nothing else is said, and stopped by `stopLocalNodes`. */
export async function startLocalNode({
  services = [],
  taskflow = {},
  nodeID = uniqueName("node"),
}: LocalNodeOptions = {}): Promise<LocalNode> {
  const check = new CatalogueCheck();
  const broker = new ServiceBroker({ nodeID, logger: false, skipProcessEventRegistration: true, middlewares: [check] });
  for (const service of services) broker.createService(service);
  broker.createService(TaskflowService({ store: "memory:", shutdownGrace: 200, ...taskflow }));
  let isStopped = false;
  const node = {
    broker,
    client: new TaskflowClient(broker),
    check,
    stop: async (): Promise<void> => {
      if (isStopped) return;
      isStopped = true;
      await broker.stop();
    },
  };
  started.push(node);
  await broker.start();
  return node;
}

/** For `afterEach`. */
export async function stopLocalNodes(): Promise<void> {
  await Promise.all(started.splice(0).map((node) => node.stop()));
}

/**
 * A stage of tasks that call `svc.<action>`, each named as its action unless `name:action` is
 * given.
 */
export function stageOf(name: string, calls: readonly string[], more: object = {}): StageDefinition {
  const tasks = calls.map((call) => {
    const [task = "", action = task] = call.split(":");
    return { name: task, type: "ACTION" as const, taskDetails: { serviceId: "svc", actionName: action }, ...more };
  });
  return { name, tasks };
}

/** What rejects, as an error of the catalogue. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<{ type: string; code: number; message: string; data: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as { type: string; code: number; message: string; data: unknown };
  }
  throw new Error("It was expected to reject, and resolved.");
}

/**
 * Worker processes (`test/integration/worker-process.ts`) and a node that delivers attempts to
 * them.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import { NatsTransporter } from "../../lib/index.ts";
import type { TaskflowWorkerOptions } from "../../lib/index.ts";
import { eventually } from "./eventually.ts";
import { createNode } from "./nodes.ts";
import type { TestNode } from "./nodes.ts";
import { startReadyProcess } from "./processes.ts";
import type { TestProcess } from "./processes.ts";
import { tempFolder } from "./temp.ts";
import { uniqueName, uniqueNamespace } from "./unique.ts";

export interface WorkerNode {
  readonly nodeID: string;
  readonly child: TestProcess;
  end(signal: NodeJS.Signals): Promise<unknown>;
}

export interface Site {
  readonly node: TestNode;
  readonly bus: MoleculerBus;
  readonly folder: string;
  /** How often handlers of this site have run. */
  runs(): number;
  /** Lets `svc.wait` answer. */
  go(): void;
  /** Starts a worker and waits until the delivering node sees it. */
  worker(options?: { nodeID?: string; stock?: boolean; worker?: TaskflowWorkerOptions }): Promise<WorkerNode>;
  close(): Promise<void>;
}

const sites: Site[] = [];

/** A namespace of its own with a delivering node; ended by `closeSites`. */
export async function openSite(url: string, { stock = false, heartbeatTimeout = 4 } = {}): Promise<Site> {
  const namespace = uniqueNamespace();
  const folder = tempFolder();
  const files = { runs: join(folder, "runs"), go: join(folder, "go") };
  const options = { nodeID: uniqueName("coordinator"), namespace, heartbeatInterval: 1, heartbeatTimeout };
  const node = createNode(stock ? url : new NatsTransporter({ url }), options);
  await node.broker.start();
  const bus = new MoleculerBus(node.broker);
  const workers: WorkerNode[] = [];
  const site: Site = {
    node,
    bus,
    folder,
    runs: () => (existsSync(files.runs) ? readFileSync(files.runs, "utf8").trim().split("\n").length : 0),
    go: () => writeFileSync(files.go, ""),
    async worker({ nodeID = uniqueName("worker"), stock: isStock, worker } = {}) {
      const settings = { nodeID, namespace, url, stock: isStock, worker, ...files };
      const { child } = await startReadyProcess("test/integration/worker-process.ts", {
        env: { WORKER: JSON.stringify(settings) },
      });
      const started = { nodeID, child, end: (signal: NodeJS.Signals) => child.end(signal) };
      workers.push(started);
      await eventually(() => {
        const { instanceID } = (node.broker.registry.nodes.get(nodeID) ?? {}) as { instanceID?: string };
        const ids = (node.broker.registry.actions.get("svc.taskflowOutcome")?.endpoints ?? []).map(({ id }) => id);
        if (!ids.includes(nodeID) || instanceID === seen.get(nodeID)) throw new Error(`${nodeID} is not seen`);
        seen.set(nodeID, instanceID);
      });
      return started;
    },
    async close() {
      bus.close();
      await Promise.all(workers.map((worker) => worker.end("SIGKILL")));
    },
  };
  const seen = new Map<string, string | undefined>();
  sites.push(site);
  return site;
}

/** For `afterEach`, before `stopNodes`. */
export async function closeSites(): Promise<void> {
  await Promise.all(sites.splice(0).map((site) => site.close()));
}

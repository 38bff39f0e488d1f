/**
 * The processes of a chaos run: a NATS server, MongoDB behind a proxy, coordinators and workers.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MongoServer } from "../helpers/mongo-process.ts";
import { startNatsServer, type NatsServer } from "../helpers/nats-server.ts";
import { Supervised } from "../helpers/supervised.ts";
import { startProxy, type TcpProxy } from "../helpers/tcp-proxy.ts";
import type { ChaosWorkerSettings } from "./worker.ts";

export interface ClusterOptions {
  readonly folder: string;
  readonly namespace: string;
  readonly mongo: MongoServer;
  readonly coordinators: number;
  readonly workers: number;
  readonly leaseMs: number;
  readonly graceMs: number;
}

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export class Cluster {
  readonly nats: NatsServer;
  readonly mongo: MongoServer;
  /** Between coordinators and MongoDB. */
  readonly proxy: TcpProxy;
  /** Of the database, past the proxy. */
  readonly storeUrl: string;
  readonly coordinators: readonly Supervised[];
  readonly workers: readonly Supervised[];
  /** Where handlers write what they did. */
  readonly executions: string;

  private constructor(nats: NatsServer, proxy: TcpProxy, options: ClusterOptions) {
    const { folder, namespace, mongo, leaseMs, graceMs } = options;
    this.nats = nats;
    this.mongo = mongo;
    this.proxy = proxy;
    const proxied = mongo.newUrl(proxy.port);
    this.storeUrl = proxied.replace(`127.0.0.1:${proxy.port}`, `${mongo.host}:${mongo.port}`);
    this.executions = join(folder, "executions.jsonl");
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
    this.coordinators = numbers(options.coordinators).map((number) => {
      const name = `coordinator-${number}`;
      const env = {
        NODE_ID: name,
        NAMESPACE: namespace,
        NATS_URL: nats.url,
        TASKFLOW_STORE: proxied,
        TASKFLOW_LEASE: `${leaseMs}`,
        TASKFLOW_SHUTDOWN_GRACE: `${graceMs}`,
        NODE_COMPILE_CACHE: join(folder, "compiled"),
      };
      return new Supervised({
        name,
        file: path("../../bin/start.ts"),
        env,
        ready: `${name} is ready`,
        log: join(folder, `${name}.log`),
      });
    });
    this.workers = numbers(options.workers).map((number) => {
      const name = `worker-${number}`;
      const ledger = `sqlite:${join(folder, `${name}.ledger.db`)}`;
      const settings: ChaosWorkerSettings = { nodeID: name, namespace, url: nats.url, ledger, log: this.executions };
      const env = { CHAOS_WORKER: JSON.stringify(settings), NODE_COMPILE_CACHE: join(folder, "compiled") };
      return new Supervised({
        name,
        file: path("worker.ts"),
        env,
        ready: "The worker is ready",
        log: join(folder, `${name}.log`),
      });
    });
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    mkdirSync(options.folder, { recursive: true });
    const [nats, proxy] = await Promise.all([startNatsServer(), startProxy(options.mongo.port, options.mongo.host)]);
    const cluster = new Cluster(nats, proxy, options);
    try {
      await cluster.#compile();
      await Promise.all(cluster.programs.map((program) => program.start()));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /**
   * An incarnation that ends by itself leaves what Node has compiled to all others, which start
   * in half the time then.
   */
  async #compile(): Promise<void> {
    const programs = [...this.coordinators.slice(0, 1), ...this.workers.slice(0, 1)];
    await Promise.all(programs.map((program) => program.start()));
    await Promise.all(programs.map((program) => program.end("SIGTERM")));
  }

  get programs(): readonly Supervised[] {
    return [...this.coordinators, ...this.workers];
  }

  async close(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.close()));
    await this.proxy.close();
    await this.nats.stop();
  }
}

/**
 * The MongoDB servers of tests, without Jest: see `mongo-server.ts`, which tells where they come
 * from.
 */
import { MongoClient } from "mongodb";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { uniqueName } from "./unique.ts";

export interface MongoServer {
  readonly port: number;
  readonly host: string;
  /**
   * The URL of a database that nothing else uses; it is dropped in the end. `port`: by way of a
   * proxy.
   */
  newUrl(port?: number): string;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** On the same port, with what is on the disk. */
  restart(): Promise<void>;
}

export interface OwnedMongoServer extends MongoServer {
  /** Ends it and removes what it stored, or drops what tests have made in it. */
  stop(): Promise<void>;
}

export const START_TIMEOUT_MS = 30_000;

/** The path of a mongod, or why there is none. Rejects never. */
export async function findMongoBinary(): Promise<{ path: string } | { whyNone: string }> {
  const named = process.env.MONGOMS_SYSTEM_BINARY;
  if (named !== undefined && named !== "") return { path: named };
  try {
    const { MongoBinary } = await import("mongodb-memory-server-core/lib/util/MongoBinary.js");
    return { path: await MongoBinary.getPath() };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return {
      whyNone: `no MongoDB could be downloaded (${said}), and neither MONGOMS_SYSTEM_BINARY nor TASKFLOW_TEST_MONGO_URL names one`,
    };
  }
}

/** A server that runs already and is not this test's own. */
export async function useMongo(url: string): Promise<OwnedMongoServer> {
  const parsed = new URL(url);
  const databases: string[] = [];
  await tellVersion(url, parsed.host);
  const unable = async (): Promise<never> => {
    throw new Error("This server is not the test's own.");
  };
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 27_017),
    newUrl(port) {
      const next = new URL(url);
      next.pathname = `/${uniqueName("taskflow")}`;
      // Also by way of a proxy, of which a replica set knows nothing.
      next.searchParams.set("directConnection", "true");
      if (port !== undefined) next.host = `127.0.0.1:${port}`;
      databases.push(next.pathname.slice(1));
      return next.href;
    },
    kill: unable,
    restart: unable,
    async stop() {
      await withClient(url, async (client) => {
        for (const database of databases) await client.db(database).dropDatabase();
      });
    },
  };
}

/** Starts a mongod on a free port, with a folder of its own. */
export async function startMongo(path: string): Promise<OwnedMongoServer> {
  const folder = mkdtempSync(join(tmpdir(), "taskflow-mongo-"));
  const dbpath = join(folder, "db");
  mkdirSync(dbpath);
  const port = await freePort();
  const url = `mongodb://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const started = spawn(path, ["--dbpath", dbpath, "--port", String(port), "--bind_ip", "127.0.0.1"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    child = started;
    process.once("exit", () => started.kill("SIGKILL"));
    await eventually(async () => withClient(url, async (client) => client.db("admin").command({ ping: 1 })), {
      timeoutMs: START_TIMEOUT_MS,
    });
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  await start();
  await tellVersion(url, path);
  return {
    port,
    host: "127.0.0.1",
    newUrl: (proxyPort) => `mongodb://127.0.0.1:${proxyPort ?? port}/${uniqueName("taskflow")}`,
    kill,
    async restart() {
      await kill();
      await start();
    },
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function withClient<Result>(url: string, work: (client: MongoClient) => Promise<Result>): Promise<Result> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Which server a run was on is part of its result: what is called mongod may be a stand-in. */
async function tellVersion(url: string, what: string): Promise<void> {
  const info = await withClient(url, async (client) => client.db("admin").command({ buildInfo: 1 }));
  let says = "";
  try {
    says = execFileSync(what, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim()
      .split("\n")
      .slice(0, 2)
      .join("; ");
  } catch {
    says = "runs already";
  }
  process.stdout.write(`MongoDB: ${what}, buildInfo ${String(info["version"])} (${says})\n`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

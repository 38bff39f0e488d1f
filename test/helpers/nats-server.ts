/**
 * Real NATS servers for tests: a process of their own, on a free port, with a folder of their own
 * that is removed again.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findNatsServer } from "./ensure-nats-server.ts";

export interface NatsServerOptions {
  /** Default: a free one, which the server keeps over restarts. */
  port?: number;
  /**
   * Lines of nats-server's configuration, such as `max_payload: 64KB` or `authorization { token:
   * x }`.
   */
  config?: string;
}

export interface NatsServer {
  /** `nats://127.0.0.1:<port>`, without credentials. */
  readonly url: string;
  readonly port: number;
  /** Ends the process, frozen or not, and removes its folder. Idempotent. */
  stop(): Promise<void>;
  /**
   * SIGSTOP freezes it, SIGCONT lets it go on; resolves at once. With SIGKILL or SIGTERM it
   * resolves when the process has ended.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /**
   * Ends the process if it runs, and starts another one on the same port, with another
   * configuration if one is given.
   */
  restart(options?: { config?: string }): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/** Resolves when it takes connections. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), "taskflow-nats-"));
  let config = options.config ?? "";
  let child: ChildProcess | undefined;

  const start = async (port: number): Promise<number> => {
    const file = join(folder, "nats.conf");
    writeFileSync(file, `listen: "127.0.0.1:${port}"\nports_file_dir: "${folder}"\n${config}\n`);
    const started = spawn(findNatsServer() ?? "nats-server", ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    process.once("exit", () => started.kill("SIGKILL"));
    return portOf(started, folder);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once("exit", resolve));
    child.kill(signal);
    await ended;
  };

  const port = await start(options.port ?? -1);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    async stop() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
    async kill(signal = "SIGKILL") {
      if (signal === "SIGKILL" || signal === "SIGTERM") await end(signal);
      else child?.kill(signal);
    },
    async restart(again = {}) {
      await end("SIGKILL");
      config = again.config ?? config;
      await start(port);
    },
  };
}

/** The server writes the ports that it listens on into a file named after its process. */
async function portOf(child: ChildProcess, folder: string): Promise<number> {
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (child.exitCode === null && Date.now() < deadline) {
    const name = readdirSync(folder).find((each) => each.endsWith(`_${child.pid}.ports`));
    const text = name === undefined ? "" : readFileSync(join(folder, name), "utf8");
    const port = /:(\d+)"/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
    await delay(POLL_MS);
  }
  child.kill("SIGKILL");
  throw new Error(`nats-server did not start:\n${log}`);
}

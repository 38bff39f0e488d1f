/**
 * Starts the processes of a contender and ends them: a nats-server, a mongod where it is asked
 * for, and the roles.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findNatsServer } from "../test/helpers/ensure-nats-server.ts";

/** The join of 10,000 answers is more than the default of 1 MiB. */
const MAX_PAYLOAD = 8 * 1024 * 1024;
const START_MS = 30_000;

/** None outlives this process. */
const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export class Host {
  /** On a real disk: on tmpfs an fsync means nothing. */
  readonly folder = mkdtempSync(join(process.env.BENCH_TMP ?? tmpdir(), "taskflow-bench-"));
  /** Processes by role. */
  readonly pids: Record<string, number> = {};
  readonly #children: ChildProcess[] = [];

  /** @param maxPayload bytes of a message */
  async nats(maxPayload = MAX_PAYLOAD): Promise<string> {
    const port = await freePort();
    const file = join(this.folder, "nats.conf");
    writeFileSync(file, `listen: "127.0.0.1:${port}"\nmax_payload: ${maxPayload}\n`);
    await this.#serve("nats-server", findNatsServer() ?? "nats-server", ["-c", file], port);
    return `nats://127.0.0.1:${port}`;
  }

  async mongo(binary: string): Promise<string> {
    const port = await freePort();
    await this.#serve("mongod", binary, ["--dbpath", this.folder, "--port", String(port), "--bind_ip", "127.0.0.1"], port);
    return `mongodb://127.0.0.1:${port}/bench?directConnection=true&monitorCommands=true`;
  }

  async #serve(role: string, command: string, args: readonly string[], port: number): Promise<void> {
    this.#keep(role, spawn(command, args, { stdio: "ignore" }));
    for (const deadline = Date.now() + START_MS; !(await listens(port)); await delay(50)) {
      if (Date.now() > deadline) throw new Error(`${command} does not listen on port ${port} after ${START_MS} ms.`);
    }
  }

  /**
   * Runs a role of `role.ts` in a process of its own, under a name of its own; resolves with what
   * it sends first.
   */
  async fork(role: string, settings: object, name = role): Promise<unknown> {
    const child = fork(join(import.meta.dirname, "role.ts"), [role, JSON.stringify(settings)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.#keep(name, child);
    return new Promise((resolve, reject) => {
      child.once("message", (message: { error?: string; value?: unknown }) => {
        if (message.error === undefined) resolve(message.value);
        else reject(new Error(`${role}: ${message.error}`));
      });
      child.once("exit", (code, signal) => reject(new Error(`The process of the role ${role} ended with ${code ?? signal}.`)));
    });
  }

  #keep(role: string, child: ChildProcess): void {
    this.#children.push(child);
    children.add(child);
    child.once("exit", () => children.delete(child));
    if (child.pid !== undefined) this.pids[role] = child.pid;
  }

  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * CPU in ms, user and system, that each process has used so far. Undefined where there is no
 * /proc.
 */
export function cpuOf(pids: Readonly<Record<string, number>>): Record<string, number> | undefined {
  try {
    return Object.fromEntries(
      Object.entries(pids).map(([role, pid]) => {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return [role, (Number(fields[11]) + Number(fields[12])) * 10];
      }),
    );
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

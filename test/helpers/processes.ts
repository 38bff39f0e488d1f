/**
 * Real child processes for tests: a `.ts` file run by the Node that runs the tests.
 *
 * A test ends what it starts: in the test itself, in an `afterEach`, or in the `afterAll` of a
 * `describe`. What still runs after that is killed, and the file fails, naming it. (An `afterAll`
 * outside of any `describe` comes too late: Jest runs it after this one.)
 */
import { afterAll } from "@jest/globals";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

export interface ProcessOptions {
  args?: readonly string[];
  /** Added to the environment of the tests; `undefined` takes a variable out. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** How long the ready line may take. Default 20,000. */
  readyTimeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * What the child printed to say that it is ready: a line of its own on stdout, JSON, an object
 * with `"ready": true`.
 */
export type ReadyLine = Readonly<Record<string, unknown>> & { readonly ready: true };

export class TestProcess {
  readonly file: string;
  readonly pid: number;
  /** All that it printed so far. */
  stdout = "";
  stderr = "";
  /** Resolves when it has ended and its output is read to the end. Never rejects. */
  readonly exited: Promise<Exit>;
  /**
   * Rejects, with what was printed, if the process ends before it is ready or is not ready in
   * time.
   */
  readonly ready: Promise<ReadyLine>;
  exit: Exit | undefined;
  readonly #child: ChildProcess;

  constructor(file: string, options: ProcessOptions = {}) {
    this.file = file;
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file, ...(options.args ?? [])], {
      cwd: options.cwd,
      // Plain text, also where whoever runs the tests asks for colours (Jest's workers and many
      // CI systems set FORCE_COLOR).
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.exited = new Promise((resolve) => {
      const ended = (exit: Exit): void => {
        this.exit ??= exit;
        resolve(this.exit);
      };
      child.on("error", (error) => {
        this.stderr += `${error.message}\n`;
        if (child.pid === undefined) ended({ code: null, signal: null });
      });
      child.on("close", (code, signal) => ended({ code, signal }));
    });
    this.ready = this.#waitForReadyLine(child.stdout, options.readyTimeoutMs ?? 20_000);
    // Whoever needs it awaits it; a process that is expected to fail at once is none of their
    // concern.
    this.ready.catch(() => undefined);
  }

  /**
   * Sends a signal. `SIGKILL` reaches a stopped process too, any other only once it is continued.
   * False if it had ended.
   */
  kill(signal: NodeJS.Signals = "SIGTERM"): boolean {
    return this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.kill(signal);
    return this.exited;
  }

  #waitForReadyLine(stdout: NodeJS.ReadableStream, timeoutMs: number): Promise<ReadyLine> {
    return new Promise((resolve, reject) => {
      const fail = (what: string): void => {
        reject(new Error(`${this.file} ${what}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`));
      };
      const timer = setTimeout(() => fail(`printed no ready line within ${timeoutMs} ms`), timeoutMs);
      createInterface({ input: stdout }).on("line", (line) => {
        const ready = parseReadyLine(line);
        if (ready === undefined) return;
        clearTimeout(timer);
        resolve(ready);
      });
      void this.exited.then(({ code, signal }) => {
        clearTimeout(timer);
        fail(`ended before it was ready (code ${code}, signal ${signal})`);
      });
    });
  }
}

function parseReadyLine(line: string): ReadyLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "ready" in value && value.ready === true
      ? (value as ReadyLine)
      : undefined;
  } catch {
    return undefined;
  }
}

const started: TestProcess[] = [];

/**
 * Starts a `.ts` file, without waiting for it. A path is relative to `cwd`, else to the
 * repository.
 */
export function startProcess(file: string, options: ProcessOptions = {}): TestProcess {
  const child = new TestProcess(file, options);
  started.push(child);
  return child;
}

/**
 * Starts a `.ts` file and waits for its ready line; if there is none it is killed, and this
 * rejects with what it printed.
 */
export async function startReadyProcess(
  file: string,
  options: ProcessOptions = {},
): Promise<{ child: TestProcess; ready: ReadyLine }> {
  const child = startProcess(file, options);
  try {
    return { child, ready: await child.ready };
  } catch (error) {
    await child.end("SIGKILL");
    throw error;
  }
}

/** Kills what still runs, and answers their descriptions. */
export async function killLeftProcesses(): Promise<string[]> {
  const left = started.splice(0).filter((child) => child.exit === undefined);
  await Promise.all(left.map((child) => child.end("SIGKILL")));
  return left.map((child) => `${child.file} (pid ${child.pid})`);
}

afterAll(async () => {
  const left = await killLeftProcesses();
  if (left.length > 0) throw new Error(`Left running by the tests of this file: ${left.join(", ")}. End them in the test.`);
});

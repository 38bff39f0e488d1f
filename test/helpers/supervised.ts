/**
 * A program under a supervisor that a test steers: killed, frozen, ended and started again under
 * the same name. What all of its incarnations print goes into one file. Without Jest; whoever
 * makes one calls `close`.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";

export interface SupervisedOptions {
  readonly name: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line that contains it says that the program is ready. */
  readonly ready: string;
  readonly log: string;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Incarnation {
  readonly child: ChildProcess;
  readonly ended: Promise<Ending>;
  /** True: it is ready; false: it ended before. */
  readonly ready: Promise<boolean>;
  ending?: Ending;
}

const READY_TIMEOUT_MS = 30_000;
const AGAIN_MS = 300;

export class Supervised {
  readonly name: string;
  readonly #options: SupervisedOptions;
  readonly #log: WriteStream;
  #incarnation: Incarnation | undefined;
  #isClosed = false;
  /** Lives that ended before they were ready, without having been asked to. */
  failedStarts = 0;

  constructor(options: SupervisedOptions) {
    this.name = options.name;
    this.#options = options;
    this.#log = createWriteStream(options.log, { flags: "a" });
    process.once("exit", () => this.#incarnation?.child.kill("SIGKILL"));
  }

  get pid(): number | undefined {
    return this.#incarnation?.child.pid;
  }

  /** Resolves when it is ready; an incarnation that ends before is followed by another one. */
  async start(): Promise<void> {
    for (const deadline = performance.now() + READY_TIMEOUT_MS; !this.#isClosed;) {
      const incarnation = this.#begin();
      if (await incarnation.ready) return;
      this.failedStarts++;
      if (performance.now() > deadline) throw new Error(`${this.name} did not become ready: see ${this.#options.log}`);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #begin(): Incarnation {
    const { file, env, ready } = this.#options;
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.note(`started, pid ${child.pid}`);
    child.stderr.on("data", (data: Buffer) => this.#log.write(data));
    const incarnation: Incarnation = {
      child,
      ended: new Promise((resolve) => {
        child.once("error", () => resolve({ code: null, signal: null }));
        child.once("exit", (code, signal) => resolve({ code, signal }));
      }),
      ready: new Promise((resolve) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          this.#log.write(`${line}\n`);
          if (line.includes(ready)) resolve(true);
        });
        child.once("exit", () => resolve(false));
      }),
    };
    void incarnation.ended.then((ending) => {
      incarnation.ending = ending;
      this.note(`ended, code ${ending.code}, signal ${ending.signal}`);
    });
    this.#incarnation = incarnation;
    return incarnation;
  }

  /** A line of the supervisor in the program's log. */
  note(text: string): void {
    if (!this.#log.writableEnded) this.#log.write(`==== ${new Date().toISOString()} ${this.name} ${text}\n`);
  }

  get isRunning(): boolean {
    return this.#incarnation !== undefined && this.#incarnation.ending === undefined;
  }

  /** `SIGSTOP` and `SIGCONT`, at once. */
  signal(signal: NodeJS.Signals): void {
    this.note(signal);
    this.#incarnation?.child.kill(signal);
  }

  /** Sends a signal and waits for the end; one that does not end in time is killed. */
  async end(signal: NodeJS.Signals, timeoutMs = 30_000): Promise<Ending> {
    const incarnation = this.#incarnation;
    if (!incarnation) return { code: null, signal: null };
    if (incarnation.ending) return incarnation.ending;
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), timeoutMs);
    const ending = await incarnation.ended;
    clearTimeout(timer);
    return ending;
  }

  /** Kills it, frozen or not, and ends its log. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.end("SIGKILL");
    await new Promise((resolve) => this.#log.end(resolve));
  }
}

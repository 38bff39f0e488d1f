/**
 * The sandbox of expressions: one thread with little memory. It computes one request at a time, so
 * a request that takes too long or too much ends alone, with its thread.
 */
import { Worker } from "node:worker_threads";
import type { Evaluation, Sandbox } from "../../ports/sandbox.ts";
import { SOFT_LIMIT_MS, type SandboxRequest } from "./sandbox-request.ts";

const HEAP_MB = 128;

/** A thread that JSONata's own limit does not end is terminated after this time. */
const HARD_LIMIT_MS = 2 * SOFT_LIMIT_MS;

interface Waiting extends SandboxRequest {
  readonly done: (evaluations: readonly Evaluation[]) => void;
}

/** The thread's file: the source itself in development. */
const THREAD = new URL(`./expression-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

export class ThreadSandbox implements Sandbox {
  #thread: Worker | undefined;
  #running: { readonly request: Waiting; readonly cancel: () => void } | undefined;
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  evaluate(sources: readonly string[], scope: string): Promise<readonly Evaluation[]> {
    return new Promise((done) => {
      this.#waiting.push({ sources, scope, done });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    this.#fail("the coordinator is shutting down");
    await thread?.terminate();
  }

  #next(): void {
    if (this.#running) return;
    const request = this.#waiting.shift();
    if (!request) return;
    if (this.#isClosed) {
      request.done(problems(request, "the coordinator is shutting down"));
      return this.#next();
    }
    const { sources, scope } = request;
    const thread = (this.#thread ??= this.#start());
    const limit = HARD_LIMIT_MS * sources.length;
    const timer = setTimeout(() => this.#end(thread, `it takes more than ${SOFT_LIMIT_MS} ms`), limit);
    this.#running = { request, cancel: () => clearTimeout(timer) };
    thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    thread.postMessage({ sources, scope } satisfies SandboxRequest);
  }

  #start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 16 };
    const thread = new Worker(THREAD, { resourceLimits, env: {}, stdin: false });
    thread.on("message", (evaluations: readonly Evaluation[]) => {
      const running = this.#running;
      this.#running = undefined;
      running?.cancel();
      // An idle sandbox does not keep the process alive.
      thread.unref();
      running?.request.done(evaluations);
      this.#next();
    });
    thread.on("error", () => this.#end(thread, `it needs more than ${HEAP_MB} MiB of memory`));
    thread.on("exit", () => this.#end(thread, "its thread has ended"));
    return thread;
  }

  /** Ends a thread, and the request that it computes. */
  #end(thread: Worker, problem: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    void thread.terminate();
    this.#fail(problem);
  }

  #fail(problem: string): void {
    const running = this.#running;
    this.#running = undefined;
    running?.cancel();
    running?.request.done(problems(running.request, problem));
    this.#next();
  }
}

const problems = ({ sources }: SandboxRequest, problem: string): Evaluation[] => sources.map(() => ({ problem }));

/**
 * Reads the file of a SQLite store in a thread of its own, so that a long list does not hold up the
 * engine. An answer includes every commit before its request. The thread starts with the first
 * request, and again with the next one if it dies.
 */
import { Worker } from "node:worker_threads";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { TaskflowPage, TaskflowQuery } from "../../ports/store.ts";
import { messageOf } from "./error.ts";
import { checkQuery } from "../../ports/list-cursor.ts";

export interface ReaderOptions {
  readonly path: string;
}

export type ReaderRequest =
  | { readonly id: number; readonly kind: "list"; readonly query: TaskflowQuery }
  | { readonly id: number; readonly kind: "select"; readonly sql: string; readonly values: readonly SQLInputValue[] };

export type ReaderAnswer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

type WithoutId<Request> = Request extends unknown ? Omit<Request, "id"> : never;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Node runs it as .ts in the repository, and as .js from the built package. */
const THREAD = new URL(`./reader-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

export class SqliteReader {
  readonly #options: ReaderOptions;
  readonly #failure: (message: string) => Error;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 1;
  #closed = false;

  /** `failure` creates the error for a failure of SQLite or the thread. */
  constructor(options: ReaderOptions, failure: (message: string) => Error) {
    this.#options = options;
    this.#failure = failure;
  }

  /** Throws a RangeError for an invalid page size or cursor. */
  async list(query: TaskflowQuery): Promise<TaskflowPage> {
    checkQuery(query);
    return (await this.#ask({ kind: "list", query })) as TaskflowPage;
  }

  async select(sql: string, values: readonly SQLInputValue[]): Promise<Record<string, SQLOutputValue>[]> {
    return (await this.#ask({ kind: "select", sql, values })) as Record<string, SQLOutputValue>[];
  }

  /** Answers the requests received before, then ends the thread. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      worker.once("exit", () => resolve());
      worker.ref();
      post(worker, "close");
    });
  }

  #ask(request: WithoutId<ReaderRequest>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#failure("it is closed"));
        return;
      }
      const worker = (this.#worker ??= this.#start());
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      post(worker, { id, ...request });
    });
  }

  #start(): Worker {
    const worker = new Worker(THREAD, { workerData: this.#options });
    worker.unref();
    worker.on("message", (answer: ReaderAnswer) => this.#answered(worker, answer));
    worker.on("error", (error) => this.#ended(worker, messageOf(error)));
    worker.on("exit", () => this.#ended(worker, "its reader's thread ended"));
    return worker;
  }

  #answered(worker: Worker, answer: ReaderAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    // An idle thread does not keep the process alive.
    if (this.#waiting.size === 0) worker.unref();
    if ("error" in answer) waiting?.reject(this.#failure(answer.error));
    else waiting?.resolve(answer.result);
  }

  #ended(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(this.#failure(message));
    this.#waiting.clear();
  }
}

function post(worker: Worker, message: ReaderRequest | "close"): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a rule about windows
  worker.postMessage(message);
}

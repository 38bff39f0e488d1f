/**
 * The link to the MongoDB server: a client with the settings that durability needs, and the
 * patience that carries every operation of the store through an outage.
 *
 * An operation without an answer, or with an inconclusive one, is sent again until it is
 * acknowledged: a second time changes nothing. Beyond the patience it fails with
 * `STORE_UNAVAILABLE`.
 */
import type { Collection, Db, Document, MongoClient, MongoClientOptions } from "mongodb";
import { taskflowError } from "../../errors/errors.ts";
import { backoff, sleep, withTimeout } from "../../util/timer.ts";
import { OutageLog, type OutageLogger } from "../../util/outage-log.ts";
import { loadPeer } from "../system/peer-package.ts";
import { isCommandNotFound, isFinal, isMisuse, messageOf } from "./error.ts";

export interface MongoLinkOptions {
  /** `mongodb://…` or `mongodb+srv://…`; the database is that of the path, else `taskflow`. */
  url: string;
  /** Its purpose, for the error about a missing driver. Default "store". */
  usedBy?: "store" | "ledger";
  /** Logs when the database starts to fail and when it works again, at most once a minute. */
  logger?: OutageLogger;
  /** How long an operation is retried before it fails. Default 10,000. */
  patienceMs?: number;
  /** How long one try may take, besides a second for each megabyte that is sent. Default 3,000. */
  attemptMs?: number;
  /** How long every operation may fail before the driver's client is replaced. Default 10,000. */
  renewMs?: number;
}

/**
 * `acknowledged` once a majority has it in its journal; on a standalone server, once that server
 * has.
 */
const WRITE_CONCERN = { w: "majority", journal: true } as const;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** The wait for a server while opening, and in each try. */
const SELECTION_MS = 3_000;
/** Ends connections without traffic for this long; far longer than any try. */
const SOCKET_MS = 120_000;
const BYTES_PER_MS = 1_000;

export class MongoLink {
  readonly name: string;
  readonly #database: string;
  readonly #outages: OutageLog;
  readonly #patienceMs: number;
  readonly #attemptMs: number;
  readonly #renewMs: number;
  readonly #newClient: () => MongoClient;
  #client: MongoClient | undefined;
  /** The time of the first failure since the last success; undefined after a success. */
  #failingSince: number | undefined;

  /** @throws Error with the line that installs the driver, if it is missing */
  constructor(options: MongoLinkOptions) {
    const { url } = options;
    const { scheme, hosts, database } = partsOf(url);
    this.#database = database;
    this.#outages = new OutageLog(options.logger);
    this.#patienceMs = options.patienceMs ?? 10_000;
    this.#attemptMs = options.attemptMs ?? 3_000;
    this.#renewMs = options.renewMs ?? 10_000;
    this.name = `${scheme}://${hosts}/${database}`;
    const driver = loadPeer("mongodb", `The ${options.usedBy ?? "store"} "${this.name}"`);
    this.#newClient = () => new driver.MongoClient(url, withoutGiven(url));
  }

  /** Rejects with the driver's error if no server is found, or this user is refused. */
  async connect(): Promise<void> {
    const client = this.#newClient();
    try {
      await client.connect();
      // Connecting alone may not have verified the credentials.
      await client.db(this.#database).command({ ping: 1 });
    } catch (error) {
      await client.close();
      throw error;
    }
    this.#client = client;
  }

  /** Ends all connections; operations under way fail. Idempotent. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  get database(): Db {
    if (this.#client === undefined) throw this.unavailable("it is not open");
    return this.#client.db(this.#database);
  }

  /** With the concerns that the store needs, whatever the URL says. */
  collection<Schema extends Document>(name: string): Collection<Schema> {
    return this.database.collection<Schema>(name, {
      writeConcern: WRITE_CONCERN,
      readConcern: "local",
      readPreference: "primary",
      ignoreUndefined: true,
    });
  }

  /**
   * Runs `work` repeatedly until it succeeds. It must be safe to repeat, also beside an earlier try
   * whose answer was lost and that comes late. `bytes`: its size, if it is large.
   * @throws STORE_UNAVAILABLE: it may have been done, or may still be
   */
  async persist<Result>(work: () => Promise<Result>, bytes = 0): Promise<Result> {
    const extraMs = bytes / BYTES_PER_MS;
    const deadline = performance.now() + this.#patienceMs + extraMs;
    const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      const pauseMs = pause();
      try {
        const result = await within(work, this.#attemptMs + extraMs);
        this.#failingSince = undefined;
        this.#outages.works(`The store ${this.name} works again.`);
        return result;
      } catch (error) {
        if (isMisuse(error)) throw error;
        this.#failed();
        const isOver = this.#client === undefined || isFinal(error) || performance.now() + pauseMs >= deadline;
        this.#outages.failed(`The store ${this.name} does not answer as it should: ${messageOf(error)}. It is tried again.`);
        if (isOver) throw this.unavailable(messageOf(error), error);
      }
      await sleep(pauseMs);
    }
  }

  /** One try, with its time limit. */
  async once<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await within(work, this.#attemptMs);
      this.#failingSince = undefined;
      return result;
    } catch (error) {
      if (isMisuse(error)) throw error;
      this.#failed();
      throw this.unavailable(messageOf(error), error);
    }
  }

  /**
   * A client may be stuck for good: when a connection is reset right after it was made, the driver
   * (7.9) may wait for ever for its answer, and so never learn that the server is back.
   */
  #failed(): void {
    const now = performance.now();
    this.#failingSince ??= now;
    if (now - this.#failingSince < this.#renewMs || this.#client === undefined) return;
    this.#failingSince = now;
    this.#client.close().catch(() => undefined);
    this.#client = this.#newClient();
  }

  unavailable(message: string, cause?: unknown): Error {
    const error = taskflowError("STORE_UNAVAILABLE", `The store ${this.name} failed: ${message.replace(/\.$/, "")}.`);
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  /** The server's clock minus this machine's, measured by the fastest of three answers. */
  async timeOffset(): Promise<number> {
    let best = { tookMs: Infinity, offset: 0 };
    for (let round = 0; round < 3; round++) {
      const { localTime, sentAt, tookMs } = await this.persist(() => this.#askTime());
      if (tookMs < best.tookMs) best = { tookMs, offset: Math.round(localTime - (sentAt + tookMs / 2)) };
    }
    return best.offset;
  }

  async #askTime(): Promise<{ localTime: number; sentAt: number; tookMs: number }> {
    const admin = this.database.client.db("admin");
    const sentAt = Date.now();
    const before = performance.now();
    let answer: Document;
    try {
      answer = await admin.command({ hello: 1 });
    } catch (error) {
      if (!isCommandNotFound(error)) throw error;
      return this.#askTimeOfOldServer(admin);
    }
    return { localTime: toTime(answer), sentAt, tookMs: performance.now() - before };
  }

  async #askTimeOfOldServer(admin: Db): Promise<{ localTime: number; sentAt: number; tookMs: number }> {
    const sentAt = Date.now();
    const before = performance.now();
    const answer = await admin.command({ isMaster: 1 });
    return { localTime: toTime(answer), sentAt, tookMs: performance.now() - before };
  }
}

function toTime(answer: Document): number {
  const { localTime } = answer as { localTime?: unknown };
  // Without the server's clock, this machine's is used.
  return localTime instanceof Date || typeof localTime === "number" ? Number(localTime) : Date.now();
}

function within<Result>(work: () => Promise<Result>, ms: number): Promise<Result> {
  return withTimeout(work(), ms, () => new Error(`no answer within ${Math.round(ms)} ms`));
}

function partsOf(url: string): { scheme: string; hosts: string; database: string } {
  const [, scheme, hosts, path, query = ""] =
    /^(mongodb(?:\+srv)?):\/\/(?:[^?]*@)?([^/?@]+)(?:\/([^?@]*))?(?:\?(.*))?$/s.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new RangeError("The URL of a MongoDB store must look like mongodb://host:27017/database.");
  }
  const database = path === undefined || path === "" ? "taskflow" : decodeURIComponent(path);
  // A password with a question mark in it, which the driver will refuse, looks like a host and a
  // query.
  return { scheme, hosts: query.includes("@") ? "…" : hosts, database };
}

/** Our settings, except those that the URL sets itself. */
function withoutGiven(url: string): MongoClientOptions {
  const settings = {
    appName: "moleculer-taskflow",
    serverSelectionTimeoutMS: SELECTION_MS,
    connectTimeoutMS: SELECTION_MS,
    socketTimeoutMS: SOCKET_MS,
  };
  const given = new Set([...new URLSearchParams(url.split("?")[1] ?? "").keys()].map((key) => key.toLowerCase()));
  return Object.fromEntries(Object.entries(settings).filter(([key]) => !given.has(key.toLowerCase())));
}

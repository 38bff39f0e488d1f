import { resolve } from "node:path";
import type { Asked, Begin, Begun, Finished, Ledger, LedgerLimits } from "./ledger.ts";
import { MemoryLedger } from "./memory.ts";

interface Opened {
  readonly ledger: Ledger;
  close(): Promise<void>;
}

/** A ledger that is found or made only when it is opened. */
class LateLedger implements Ledger {
  readonly isShared: boolean;
  readonly isDurable = true;
  readonly #acquire: () => Promise<Opened>;
  #opened: Opened | undefined;

  constructor(isShared: boolean, acquire: () => Promise<Opened>) {
    this.isShared = isShared;
    this.#acquire = acquire;
  }

  async open(): Promise<void> {
    this.#opened = await this.#acquire();
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.close();
  }

  get #ledger(): Ledger {
    if (!this.#opened) throw new Error("The ledger of TaskflowWorker is not open.");
    return this.#opened.ledger;
  }

  async begin(key: string, begin: Begin): Promise<Begun> {
    return this.#ledger.begin(key, begin);
  }

  async finish(key: string, outcome: string): Promise<Finished> {
    return this.#ledger.finish(key, outcome);
  }

  async ask(key: string, delivery: number, ageMs: number): Promise<Asked> {
    return this.#ledger.ask(key, delivery, ageMs);
  }
}

interface OpenFile {
  readonly opened: Promise<Ledger>;
  users: number;
}

/** SQLite files that are open in this process: all its services share one. */
const files = new Map<string, OpenFile>();

async function openFile(path: string, limits: LedgerLimits): Promise<Opened> {
  const file = files.get(path) ?? { opened: openSqlite(path, limits), users: 0 };
  files.set(path, file);
  file.users++;
  let ledger: Ledger;
  try {
    ledger = await file.opened;
  } catch (error) {
    if (files.get(path) === file) files.delete(path);
    throw error;
  }
  const close = async (): Promise<void> => {
    file.users--;
    if (file.users > 0) return;
    files.delete(path);
    await ledger.close();
  };
  return { ledger, close };
}

// Both are loaded only where they are used.

async function openSqlite(path: string, limits: LedgerLimits): Promise<Ledger> {
  const { SqliteLedger } = await import("./sqlite.ts");
  const ledger = new SqliteLedger(path, limits);
  await ledger.open();
  return ledger;
}

async function openMongo(url: string, limits: LedgerLimits): Promise<Opened> {
  const { MongoLedger } = await import("./mongodb.ts");
  const ledger = new MongoLedger(url, limits);
  await ledger.open();
  return { ledger, close: () => ledger.close() };
}

/**
 * The ledger that a text names, not yet open.
 * @throws RangeError if it names none
 */
export function ledgerOf(name: string, limits: LedgerLimits): Ledger {
  if (name === "memory") return new MemoryLedger(limits);
  const [, file] = /^sqlite:(.+)$/.exec(name) ?? [];
  if (file !== undefined) return new LateLedger(false, () => openFile(resolve(file), limits));
  if (/^mongodb(\+srv)?:\/\/./.test(name)) return new LateLedger(true, () => openMongo(name, limits));
  const shown = name.replace(/\/\/[^@/]*@/, "//…@");
  throw new RangeError(`The ledger of TaskflowWorker must be memory, sqlite:<file> or a mongodb:// URL, got "${shown}".`);
}

/** The durable limit's store: what a flow needs and no more, committed in groups. */
import { DatabaseSync } from "node:sqlite";
import { type AnyBulkWriteOperation, MongoClient } from "mongodb";
import type { Counters } from "./contender.ts";
import { countCommands } from "./mongo-commands.ts";

/** A flow was taken, a task has answered, a flow has ended. */
export type Entry =
  | { readonly kind: "taken"; readonly flow: string; readonly text: string }
  | { readonly kind: "answered"; readonly flow: string; readonly place: number; readonly text: string }
  | { readonly kind: "ended"; readonly flow: string };

/**
 * Entries that come in one turn of the event loop, or while a commit is on its way, are one
 * commit.
 */
export class LimitLog {
  readonly counters: Counters;
  readonly #commit: (entries: readonly Entry[]) => void | Promise<void>;
  #waiting: { entry: Entry; done: () => void }[] = [];
  #isPlanned = false;

  constructor(commit: (entries: readonly Entry[]) => void | Promise<void>, counters: Counters) {
    this.#commit = commit;
    this.counters = counters;
  }

  /** Resolves when it is durable. */
  write(entry: Entry): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ entry, done });
      if (this.#isPlanned) return;
      this.#isPlanned = true;
      setImmediate(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    const committed = this.#commit(group.map(({ entry }) => entry));
    if (committed) await committed;
    for (const { done } of group) done();
    this.#isPlanned = this.#waiting.length > 0;
    if (this.#isPlanned) setImmediate(() => void this.#flush());
  }
}

/**
 * Tables that can be queried: one row a flow, one an answer. WAL, synchronous FULL, in the
 * caller's thread.
 */
export function openSqliteLog(file: string): LimitLog {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE flows (id TEXT PRIMARY KEY, status TEXT, owner TEXT, fence INTEGER, definition TEXT) WITHOUT ROWID;
    CREATE INDEX open_flows ON flows (status, owner) WHERE status <> 'COMPLETED';
    CREATE TABLE answers (flow TEXT, place INTEGER, status TEXT, answer TEXT, PRIMARY KEY (flow, place)) WITHOUT ROWID;`);
  const take = database.prepare("INSERT INTO flows VALUES (?, 'RUNNING', 'c1', 1, ?)");
  const answer = database.prepare("INSERT INTO answers VALUES (?, ?, 'SUCCESS', ?)");
  const end = database.prepare("UPDATE flows SET status = 'COMPLETED' WHERE id = ? AND fence = 1");
  const counters = { commands: 0, operations: 0 };
  const commit = (entries: readonly Entry[]): void => {
    database.exec("BEGIN IMMEDIATE");
    for (const entry of entries) {
      if (entry.kind === "taken") take.run(entry.flow, entry.text);
      else if (entry.kind === "answered") answer.run(entry.flow, entry.place, entry.text);
      else end.run(entry.flow);
    }
    database.exec("COMMIT");
    counters.commands++;
    counters.operations += entries.length;
  };
  return new LimitLog(commit, counters);
}

interface Document {
  readonly _id: string;
  readonly flow?: string;
  readonly status?: string;
  readonly definition?: string;
  readonly answer?: string;
}

/**
 * One document a flow and one an answer, majority and journal, a bulk write of each collection a
 * commit.
 */
export async function openMongoLog(url: string): Promise<LimitLog> {
  const counters = countCommands();
  const client = await new MongoClient(url, { maxPoolSize: 8 }).connect();
  const flows = client.db().collection<Document>("flows");
  const answers = client.db().collection<Document>("answers");
  await flows.createIndex({ status: 1, owner: 1 });
  await answers.createIndex({ flow: 1 });
  const settings = { ordered: false, writeConcern: { w: "majority", j: true } } as const;
  const commit = async (entries: readonly Entry[]): Promise<void> => {
    const ofFlows: AnyBulkWriteOperation<Document>[] = [];
    const ofAnswers: AnyBulkWriteOperation<Document>[] = [];
    for (const entry of entries) {
      const { flow } = entry;
      if (entry.kind === "taken") {
        ofFlows.push({ insertOne: { document: { _id: flow, status: "RUNNING", definition: entry.text } } });
      } else if (entry.kind === "answered") {
        ofAnswers.push({ insertOne: { document: { _id: `${flow}:${entry.place}`, flow, answer: entry.text } } });
      } else {
        ofFlows.push({ updateOne: { filter: { _id: flow }, update: { $set: { status: "COMPLETED" } } } });
      }
    }
    if (ofAnswers.length > 0) await answers.bulkWrite(ofAnswers, settings);
    if (ofFlows.length > 0) await flows.bulkWrite(ofFlows, settings);
  };
  return new LimitLog(commit, counters);
}

/** Reads and compacts journals, both in steps, so that the engine has its turns between. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RawTaskflow, StoredTaskflow, WriteResult } from "../../ports/store.ts";
import { ROW_COLUMNS, type RowColumns, toRow } from "./schema.ts";

/** Entries that are read or removed in one step; texts of a snapshot, which are longer. */
const ENTRIES = 2_000;
const TEXTS = 8;

interface EntryColumns {
  revision: number;
  entry: unknown;
}

type Found = RowColumns & { number: number; snapshot: number | null };

/** Runs a step: `write` in a transaction. Both throw STORE_UNAVAILABLE where SQLite fails. */
export interface Steps {
  read<Result>(work: (snapshots: SqliteSnapshots) => Result): Result;
  write<Result>(work: (snapshots: SqliteSnapshots) => Result): Result;
}

export class SqliteSnapshots {
  readonly #row: StatementSync;
  readonly #first: StatementSync;
  readonly #entries: StatementSync;
  readonly #texts: StatementSync;
  readonly #last: StatementSync;
  readonly #insert: StatementSync;
  readonly #switch: StatementSync;
  readonly #deleteEntries: StatementSync;
  readonly #deleteTexts: StatementSync;

  constructor(database: DatabaseSync) {
    this.#row = database.prepare(`SELECT number, snapshot, ${ROW_COLUMNS} FROM taskflows WHERE taskflow_id = ?`);
    this.#first = database.prepare("SELECT revision, entry FROM journal WHERE taskflow = ? AND revision = 1");
    this.#entries = database.prepare(
      "SELECT revision, entry FROM journal WHERE taskflow = ? AND revision > ? ORDER BY revision LIMIT ?",
    );
    this.#texts = database.prepare(
      "SELECT text FROM snapshots WHERE taskflow = ? AND revision = ? AND part >= ? ORDER BY part LIMIT ?",
    );
    this.#last = database.prepare("SELECT max(revision) AS revision FROM journal WHERE taskflow = ?");
    this.#insert = database.prepare("INSERT OR REPLACE INTO snapshots (taskflow, revision, part, text) VALUES (?, ?, ?, ?)");
    this.#switch = database.prepare("UPDATE taskflows SET snapshot = ? WHERE number = ?");
    this.#deleteEntries = database.prepare(
      `DELETE FROM journal WHERE place IN
       (SELECT place FROM journal WHERE taskflow = ? AND revision > 1 AND revision <= ? ORDER BY revision LIMIT ?)`,
    );
    this.#deleteTexts = database.prepare(
      "DELETE FROM snapshots WHERE rowid IN (SELECT rowid FROM snapshots WHERE taskflow = ? AND revision <> ? LIMIT ?)",
    );
  }

  find(taskflowId: string): Found | undefined {
    return this.#row.get(taskflowId) as Found | undefined;
  }

  first(number: number): string | null {
    return textOf(this.#first.get(number) as EntryColumns | undefined);
  }

  entries(number: number, after: number): EntryColumns[] {
    return this.#entries.all(number, after, ENTRIES) as unknown as EntryColumns[];
  }

  texts(number: number, revision: number, from: number): string[] {
    return (this.#texts.all(number, revision, from, TEXTS) as { text: string }[]).map(({ text }) => text);
  }

  /** The taskflow of this journal, if it can be compacted up to this number. */
  compactable(taskflowId: string, journal: string, revision: number): Found | undefined {
    const found = this.find(taskflowId);
    if (!found || String(found.number) !== journal || (found.snapshot ?? 1) >= revision) return undefined;
    const { revision: last } = this.#last.get(found.number) as { revision: number };
    return revision < last ? found : undefined;
  }

  insert(number: number, revision: number, from: number, texts: readonly string[]): void {
    texts.forEach((text, index) => this.#insert.get(number, revision, from + index, text));
  }

  makeValid(number: number, revision: number): void {
    this.#switch.get(revision, number);
  }

  /** True if there may be more to remove. */
  removeEntries(number: number, revision: number): boolean {
    return this.#deleteEntries.run(number, revision, ENTRIES).changes === ENTRIES;
  }

  /** Removes the texts of all snapshots but one; true if there may be more. */
  removeTexts(number: number, kept: number): boolean {
    return this.#deleteTexts.run(number, kept, TEXTS).changes === TEXTS;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A damaged entry may hold anything. */
const textOf = (columns: EntryColumns | undefined): string | null => (typeof columns?.entry === "string" ? columns.entry : null);

/** @throws RangeError if it is damaged */
export async function readJournal(steps: Steps, taskflowId: string): Promise<StoredTaskflow | undefined> {
  const raw = await readRaw(steps, taskflowId);
  const missing = raw?.entries.indexOf(null) ?? -1;
  if (raw && missing !== -1) {
    throw new RangeError(
      `its journal is damaged at entry ${missing === 0 ? 1 : raw.revision - raw.entries.length + missing + 1}`,
    );
  }
  return raw as StoredTaskflow | undefined;
}

/** The last step reads the last entries and the row together; a small journal is read in one. */
export async function readRaw(steps: Steps, taskflowId: string): Promise<(RawTaskflow & { journal: string }) | undefined> {
  for (;;) {
    const found = steps.read((snapshots) => snapshots.find(taskflowId));
    if (!found) return undefined;
    const { number, snapshot } = found;
    const entries = [steps.read((snapshots) => snapshots.first(number))];
    if (snapshot !== null) entries.push(...(await readTexts(steps, number, snapshot)));
    const rest = await readRest(steps, taskflowId, number, snapshot ?? 1);
    // It was compacted or replaced meanwhile.
    if (rest && rest.found.snapshot === snapshot) {
      entries.push(...rest.entries);
      return { row: toRow(rest.found), journal: String(number), entries, revision: rest.revision };
    }
  }
}

async function readTexts(steps: Steps, number: number, revision: number): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const texts = steps.read((snapshots) => snapshots.texts(number, revision, all.length));
    all.push(...texts);
    if (texts.length < TEXTS) return all;
    await turn();
  }
}

export async function readJournalOn(
  steps: Steps,
  taskflowId: string,
  journal: string,
  revision: number,
): Promise<StoredTaskflow | undefined> {
  const rest = await readRest(steps, taskflowId, Number(journal), revision);
  if (!rest || (rest.found.snapshot ?? 1) > revision || rest.entries.includes(null)) return undefined;
  return { row: toRow(rest.found), journal, entries: rest.entries as string[], revision: rest.revision };
}

interface Rest {
  readonly found: Found;
  /** Null: missing. */
  readonly entries: (string | null)[];
  readonly revision: number;
}

/**
 * The entries after a number, and the row as it is when the last of them is read; undefined if it
 * is gone.
 */
async function readRest(steps: Steps, taskflowId: string, number: number, after: number): Promise<Rest | undefined> {
  const entries: (string | null)[] = [];
  for (;;) {
    const [page, found] = steps.read((snapshots) => [
      snapshots.entries(number, after + entries.length),
      snapshots.find(taskflowId),
    ]);
    if (found?.number !== number) return undefined;
    for (const columns of page) {
      while (after + entries.length < columns.revision - 1) entries.push(null);
      entries.push(textOf(columns));
    }
    if (page.length < ENTRIES) return { found, entries, revision: after + entries.length };
    await turn();
  }
}

export async function compactJournal(
  steps: Steps,
  ...[taskflowId, journal, revision, texts]: [string, string, number, readonly string[]]
): Promise<WriteResult> {
  const found = steps.read((snapshots) => snapshots.compactable(taskflowId, journal, revision));
  if (!found) return "conflict";
  const { number } = found;
  for (let from = 0; from < texts.length; from += TEXTS) {
    steps.write((snapshots) => snapshots.insert(number, revision, from, texts.slice(from, from + TEXTS)));
    await turn();
  }
  const isValid = steps.write((snapshots) => {
    const isPossible = snapshots.compactable(taskflowId, journal, revision) !== undefined;
    if (isPossible) snapshots.makeValid(number, revision);
    return isPossible;
  });
  const kept = isValid ? revision : steps.read((snapshots) => snapshots.find(taskflowId)?.snapshot ?? 0);
  for (;;) {
    if (isValid && steps.write((snapshots) => snapshots.removeEntries(number, revision))) await turn();
    else break;
  }
  while (steps.write((snapshots) => snapshots.removeTexts(number, kept))) await turn();
  return isValid ? "stored" : "conflict";
}

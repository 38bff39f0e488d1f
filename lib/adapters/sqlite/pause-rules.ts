/** Pause rules in a SQLite store: documents of a collection of their own. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PauseRule } from "../../ports/store.ts";

const COLLECTION = "taskflow.pause-rules";

export class SqlitePauses {
  readonly #all: StatementSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: DatabaseSync) {
    this.#all = database.prepare("SELECT doc FROM documents WHERE collection = ? ORDER BY json_extract(doc, '$.since'), id");
    this.#put = database.prepare("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)");
    this.#remove = database.prepare(
      `DELETE FROM documents WHERE collection = ? AND json_extract(doc, '$.pattern') = ?
       AND (? IS NULL OR json_extract(doc, '$.coordinator') = ?)`,
    );
  }

  all(): PauseRule[] {
    const rows = this.#all.all(COLLECTION) as unknown as { doc: string }[];
    return rows.map(({ doc }) => JSON.parse(doc) as PauseRule);
  }

  /** Inside the caller's transaction, like `remove`. */
  add(rule: PauseRule): void {
    this.#put.run(COLLECTION, JSON.stringify([rule.pattern, rule.coordinator]), JSON.stringify(rule));
  }

  remove(pattern: string, coordinator: string | undefined): number {
    const only = coordinator ?? null;
    return Number(this.#remove.run(COLLECTION, pattern, only, only).changes);
  }
}

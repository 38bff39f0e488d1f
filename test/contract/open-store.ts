/** Opens SQLite stores that are closed after the test. */
import { afterEach } from "@jest/globals";
import { join } from "node:path";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import type { SqliteStoreOptions } from "../../lib/adapters/sqlite/store.ts";
import { tempFolder } from "../helpers/temp.ts";

const opened: SqliteStore[] = [];

export async function openStore(file: string, logger?: NonNullable<SqliteStoreOptions["logger"]>): Promise<SqliteStore> {
  const store = new SqliteStore(logger === undefined ? { file } : { file, logger });
  opened.push(store);
  await store.open();
  return store;
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

export function newFile(): string {
  return join(tempFolder(), "taskflow.db");
}

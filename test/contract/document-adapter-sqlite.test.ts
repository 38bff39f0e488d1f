import { join } from "node:path";
import { SqliteDocumentAdapter } from "../../lib/moleculer-db/sqlite-adapter.ts";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeDocuments } from "./document-adapter.suite.ts";

describeDocuments("sqlite", () => {
  const store = new SqliteStore({ file: join(tempFolder(), "taskflow.db") });
  const adapterOf = (collection?: string): SqliteDocumentAdapter =>
    new SqliteDocumentAdapter(collection === undefined ? { store } : { store, collection });
  return { store, adapterOf };
});

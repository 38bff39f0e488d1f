import { join } from "node:path";
import { SqliteDocumentAdapter } from "../../lib/adapters/document-adapter-sqlite.ts";
import { SqliteStore } from "../../lib/adapters/store-sqlite.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeDocuments } from "./document-adapter.suite.ts";

describeDocuments("sqlite", () => {
  const store = new SqliteStore({ file: join(tempFolder(), "taskflow.db") });
  const adapterOf = (collection?: string): SqliteDocumentAdapter =>
    new SqliteDocumentAdapter(collection === undefined ? { store } : { store, collection });
  return { store, adapterOf };
});

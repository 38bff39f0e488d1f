import { join } from "node:path";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeStore } from "./store.suite.ts";

describeStore("sqlite", () => {
  const file = join(tempFolder(), "data", "taskflow.db");
  return { store: new SqliteStore({ file }), again: () => new SqliteStore({ file }) };
});

describeStore("memory", () => ({ store: new SqliteStore({ file: ":memory:" }) }));

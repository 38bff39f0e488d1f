import { describe, expect, it, jest } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID } from "../../lib/adapters/sqlite/schema.ts";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { TaskflowAdapter, TaskflowDb } from "../../lib/moleculer-db.ts";
import { tempFolder } from "../helpers/temp.ts";
import { newFile, openStore } from "./open-store.ts";
import { describeMoleculerDb } from "./moleculer-db.suite.ts";
import { create } from "./store-writes.ts";

describeMoleculerDb("sqlite", () => {
  const file = join(tempFolder(), "taskflow.db");
  return { store: new SqliteStore({ file }), url: `sqlite:${file}` };
});

describe("a file of SQLite", () => {
  const connect = (file: string): Promise<void> => new TaskflowAdapter({ store: `sqlite:${file}` }).connect();

  it("is still its coordinator's while it is read, and can be read after the coordinator's end", async () => {
    const file = newFile();
    const store = await openStore(file);
    const adapter = new TaskflowAdapter({ store: `sqlite:${file}` });
    await adapter.connect();
    store.commit([create("a")]);
    expect(await adapter.count()).toBe(1);
    await expect(openStore(file)).rejects.toThrow(/another process/);
    await store.close();
    expect(await adapter.count()).toBe(1);
    const next = await openStore(file);
    next.commit([create("b")]);
    expect(await adapter.count()).toBe(2);
    await adapter.disconnect();
    next.commit([create("c")]);
    expect((await next.list({ pageSize: 10 })).rows).toHaveLength(3);
  });

  it("is refused if it is no store, or not in the format that is read", async () => {
    const text = newFile();
    writeFileSync(text, "not a database, but a text that is long enough to be read as one".repeat(20));
    await expect(connect(text)).rejects.toThrow(/is not a SQLite database/);
    const other = newFile();
    const database = new DatabaseSync(other);
    database.exec("CREATE TABLE t (a)");
    await expect(connect(other)).rejects.toThrow(/not one of moleculer-taskflow/);
    database.exec("DROP TABLE t");
    await expect(connect(other)).rejects.toThrow(/must not be empty: start a coordinator on it, or correct the path/);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 99`);
    await expect(connect(other)).rejects.toThrow(
      /must have format 4, got 99 from a newer moleculer-taskflow: use the version that wrote it, or a newer one\.$/,
    );
    database.close();
    await expect(connect(tempFolder())).rejects.toThrow(/cannot be used: see to its disk and folder/);
  });
});

it("lets a broker's start fail where taskflow-db finds no store for ten seconds", async () => {
  const now = performance.now.bind(performance);
  const hurry = jest.spyOn(performance, "now").mockImplementation(() => now() * 50);
  const broker = new ServiceBroker({ logger: false });
  broker.createService(TaskflowDb({ store: `sqlite:${newFile()}` }));
  try {
    await expect(broker.start()).rejects.toThrow(/must exist: start a coordinator on it, or correct the path/);
  } finally {
    hurry.mockRestore();
    await broker.stop();
  }
});

it.each([
  ["memory:", "memory:"],
  ["sqlite::memory:", "sqlite::memory:"],
  ["sqlite:", "sqlite:"],
  ["postgres://ada:secret@host/db", "postgres:…@host/db"],
])("refuses %s, which nothing outside can read", (url, shown) => {
  expect(() => new TaskflowAdapter({ store: url })).toThrow(
    new Error(
      `The options of TaskflowAdapter are not valid: /store must be sqlite:<file> or mongodb://<host>/<database> (only files and servers can be read from outside), got "${shown}".`,
    ),
  );
});

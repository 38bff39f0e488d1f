import { join } from "node:path";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { SqliteStore } from "../../lib/adapters/sqlite/store.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeLeases } from "./store-leases.suite.ts";

describeLeases("sqlite", () => new SqliteStore({ file: join(tempFolder(), "taskflow.db") }));
describeLeases("memory", () => new SqliteStore({ file: ":memory:" }));
describeOnMongo("on a server", (server) => {
  describeLeases("mongodb", () => new MongoStore({ url: server().newUrl() }));
});

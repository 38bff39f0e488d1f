import { join } from "node:path";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeTemplates } from "./templates.suite.ts";

describeTemplates("SQLite", () => `sqlite:${join(tempFolder(), "taskflow.db")}`);

describeOnMongo("on a server", (server) => {
  describeTemplates("MongoDB", () => server().newUrl());
});

import { join } from "node:path";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeControl } from "./control.suite.ts";

describeControl("SQLite", () => `sqlite:${join(tempFolder(), "taskflow.db")}`);

describeOnMongo("on a server", (server) => {
  describeControl("MongoDB", () => server().newUrl());
});

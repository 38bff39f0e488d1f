import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { join } from "node:path";
import { TaskflowService, type TaskType } from "../../lib/index.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { tempFolder } from "../helpers/temp.ts";
import { describeTaskTypes } from "./task-types.suite.ts";

describeTaskTypes("SQLite", () => `sqlite:${join(tempFolder(), "taskflow.db")}`);

describeOnMongo("on a server", (server) => {
  describeTaskTypes("MongoDB", () => server().newUrl());
});

const typeOf = (changes: Partial<TaskType>): TaskType => ({
  name: "OWN",
  schema: {},
  begin: () => ({ kind: "done", response: null }),
  ...changes,
});

test.each<[string, TaskType, string]>([
  ["a name of the package", typeOf({ name: "ACTION" }), "taskTypes[0].name must not be ACTION"],
  [
    "a schema that is none",
    typeOf({ schema: { type: "nonsense" } }),
    "taskTypes: the schema of OWN must be a JSON Schema, got an error: ",
  ],
])("a type of one's own that cannot be is refused when the service is created: %s", (_title, type, message) => {
  const broker = new ServiceBroker({ logger: false });
  expect(() => broker.createService(TaskflowService({ store: "memory:", taskTypes: [type] }))).toThrow(message);
});

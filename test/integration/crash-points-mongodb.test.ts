import { describeOnMongo } from "../helpers/mongo-server.ts";
import { crashPoints } from "./crash-points.suite.ts";

describeOnMongo("a coordinator on MongoDB ends its taskflows as without a crash", (server) => {
  crashPoints("MongoDB", () => server().newUrl());
});

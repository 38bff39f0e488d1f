/**
 * Crash points on MongoDB. In `npm test` those behind a write: what comes before one, and between
 * the coordinator and its workers, is the same on SQLite. `npm run test:long` has all.
 */
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { IS_LONG } from "../helpers/runs.ts";
import { crashPoints } from "./crash-points.suite.ts";

describeOnMongo("a coordinator on MongoDB ends its taskflows as without a crash", (server) => {
  crashPoints(
    "MongoDB",
    () => server().newUrl(),
    (point) => IS_LONG || point.startsWith("after store."),
  );
});

/**
 * The conformance suite on MongoDB. What only this store owes is in the other files named
 * `store-mongo-…`.
 */
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { describeStore } from "./store.suite.ts";

describeOnMongo("on a server", (server) => {
  describeStore("mongodb", () => {
    const url = server().newUrl();
    return { store: new MongoStore({ url }), again: () => new MongoStore({ url }) };
  });
});

/** The conformance suite on MongoDB. What only the store on MongoDB owes is in the other files of this name. */
import { MongoStore } from "../../lib/adapters/store-mongo.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { describeStore } from "./store.suite.ts";

describeOnMongo("on a server", (server) => {
  describeStore("mongodb", () => {
    const url = server().newUrl();
    return { store: new MongoStore({ url }), again: () => new MongoStore({ url }) };
  });
});

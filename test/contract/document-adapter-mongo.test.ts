import { MongoDocumentAdapter } from "../../lib/moleculer-db/mongodb-adapter.ts";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { describeDocuments } from "./document-adapter.suite.ts";

describeOnMongo("on a server", (server) => {
  describeDocuments("mongodb", () => {
    const store = new MongoStore({ url: server().newUrl() });
    const adapterOf = (collection?: string): MongoDocumentAdapter =>
      new MongoDocumentAdapter(collection === undefined ? { store } : { store, collection });
    return { store, adapterOf };
  });
});

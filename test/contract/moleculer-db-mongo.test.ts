import { expect, it } from "@jest/globals";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { TaskflowAdapter } from "../../lib/moleculer-db.ts";
import { startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { describeMoleculerDb } from "./moleculer-db.suite.ts";
import { create } from "./store-writes.ts";

describeOnMongo("on a server", (server) => {
  describeMoleculerDb("mongodb", () => {
    const url = server().newUrl();
    return { store: new MongoStore({ url }), url };
  });

  it("sends nothing but reads to MongoDB", async () => {
    const url = server().newUrl();
    const store = new MongoStore({ url });
    await store.open();
    await store.commit([create("a")]);
    const proxy = await startMongoProxy(server().port, server().host);
    const proxied = new URL(url);
    proxied.host = `127.0.0.1:${proxy.port}`;
    const adapter = new TaskflowAdapter({ store: proxied.href });
    await adapter.connect();
    expect(await adapter.find({ search: "a", sort: "name" })).toHaveLength(1);
    expect(await adapter.findById("a")).toMatchObject({ _id: "a" });
    expect(await adapter.count()).toBe(1);
    expect(new Set(proxy.commands.map(({ name }) => name))).toEqual(new Set(["find", "aggregate"]));
    await adapter.disconnect();
    await proxy.close();
    await store.close();
  });
});

/** A client of the driver that is stuck is not the end of the store. */
import { expect, it } from "@jest/globals";
import type { MongoClient } from "mongodb";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import { eventually } from "../helpers/eventually.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { create } from "./store-writes.ts";

/** As after a reset that the driver did not notice: no server is ever found again. */
function stick(client: MongoClient): void {
  const { topology } = client as unknown as { topology: { selectServer: () => Promise<never> } };
  topology.selectServer = () => new Promise(() => undefined);
}

describeOnMongo("a MongoDB store", (server) => {
  it("takes a new client when nothing has worked for a while, and keeps one with which something does", async () => {
    const store = new MongoStore({ url: server().newUrl(), attemptMs: 2_000, patienceMs: 2_500, renewMs: 4_000 });
    await store.open();
    await store.commit([create("f")]);
    const first = store.link.database.client;
    stick(first);
    await expect(store.read("f")).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
    expect(store.link.database.client).toBe(first);

    const found = await eventually(() => store.read("f"), { timeoutMs: 20_000 });
    expect(found?.entries).toHaveLength(1);
    const second = store.link.database.client;
    expect(second).not.toBe(first);

    // The beat, which is tried once, counts like anything else.
    stick(second);
    await eventually(() => store.renewLease("me"), { timeoutMs: 20_000 });
    const third = store.link.database.client;
    expect(third).not.toBe(second);
    expect(await store.commit([create("g")])).toEqual(["stored"]);
    expect(store.link.database.client).toBe(third);
    await store.close();
  }, 60_000);
});

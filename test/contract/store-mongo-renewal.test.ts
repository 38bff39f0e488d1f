/** A client of the driver that is stuck is not the end of the store. */
import { expect, it } from "@jest/globals";
import type { MongoClient } from "mongodb";
import { MongoLink } from "../../lib/adapters/mongodb/client.ts";
import { eventually } from "../helpers/eventually.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";

/** As after a reset that the driver did not notice: no server is ever found again. */
function stick(client: MongoClient): void {
  const { topology } = client as unknown as { topology: { selectServer: () => Promise<never> } };
  topology.selectServer = () => new Promise(() => undefined);
}

describeOnMongo("a link to MongoDB", (server) => {
  it("takes a new client when nothing has worked for a while, and keeps one with which something does", async () => {
    const link = new MongoLink({ url: server().newUrl(), attemptMs: 2_000, patienceMs: 2_500, renewMs: 4_000 });
    const things = (): ReturnType<typeof link.collection<{ _id: string }>> => link.collection("things");
    const read = (): Promise<unknown> => link.persist(() => things().findOne({ _id: "f" }));
    await link.connect();
    await link.persist(() => things().insertOne({ _id: "f" }));
    const first = link.database.client;
    stick(first);
    await expect(read()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
    expect(link.database.client).toBe(first);

    expect(await eventually(read, { timeoutMs: 20_000 })).toEqual({ _id: "f" });
    const second = link.database.client;
    expect(second).not.toBe(first);

    // What is tried once, such as the renewal of a lease, counts like anything else.
    stick(second);
    await eventually(() => link.once(() => things().findOne({ _id: "f" })), { timeoutMs: 20_000 });
    const third = link.database.client;
    expect(third).not.toBe(second);
    await link.persist(() => things().insertOne({ _id: "g" }));
    expect(link.database.client).toBe(third);
    await link.close();
  }, 60_000);
});

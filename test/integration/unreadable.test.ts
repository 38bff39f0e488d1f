/**
 * Taskflows that are damaged in the store, or of a newer format: everything else goes on, and
 * they can be seen, saved and removed.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import { type Document, MongoClient } from "mongodb";
import { DatabaseSync } from "node:sqlite";
import { type LocalNode, rejection, stageOf, startLocalNode, stopLocalNodes } from "../helpers/local-node.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { tempFolder } from "../helpers/temp.ts";
import { uniqueName } from "../helpers/unique.ts";

afterEach(stopLocalNodes);

const services = [{ name: "svc", actions: { ok: () => "done" } }];

interface Home {
  readonly store: string;
  readonly spoil: () => Promise<void> | void;
}

const nodeID = uniqueName("node");
const start = (store: string): Promise<LocalNode> =>
  startLocalNode({ services, taskflow: { store, shutdownGrace: 100 }, nodeID });

/** One that is to be damaged, between two that are not: all wait for long. */
async function produceThree({ client }: LocalNode): Promise<void> {
  const stages = [stageOf("one", ["none"]), stageOf("two", ["ok"])];
  for (const taskflowId of ["before", "spoilt", "behind"]) {
    await client.produce({ taskflowId, tags: ["t"], attributes: { a: 1 }, stages });
    for (const note of [1, 2]) await client.annotateTaskflow(taskflowId, "note", note);
  }
}

async function survives({ store, spoil }: Home, why: RegExp): Promise<void> {
  const first = await start(store);
  await produceThree(first);
  await first.stop();
  await spoil();
  const { client } = await start(store);
  for (const query of [{}, { text: "t" }, { tags: ["t"] }, { attributes: { a: 1 } }, { status: "RUNNING" as const }]) {
    const { rows } = await client.listTaskflows(query);
    const ids = rows.map(({ taskflowId }) => taskflowId);
    expect(ids).toEqual(expect.arrayContaining(["before", "behind"]));
    const spoilt = rows.find(({ taskflowId }) => taskflowId === "spoilt");
    expect(spoilt).toMatchObject({ status: "UNREADABLE", unreadable: expect.stringMatching(why) as unknown });
  }
  for (const call of [
    client.getTaskflowDetails("spoilt"),
    client.waitForTaskflow("spoilt", { timeout: 1_000 }),
    client.getEvents("spoilt"),
    client.cancelTaskflow("spoilt"),
    client.explainTaskflow("spoilt"),
  ])
    expect(await rejection(call)).toMatchObject({ type: "TASKFLOW_UNREADABLE", message: expect.stringMatching(why) as unknown });
  expect(await client.health()).toMatchObject({ ready: true });
  const raw = await client.exportTaskflow("spoilt");
  expect(JSON.stringify(raw.entries)).toContain("svc");
  await client.deleteTaskflow("spoilt");
  expect(await rejection(client.getTaskflowDetails("spoilt"))).toMatchObject({ type: "TASKFLOW_NOT_FOUND" });
  for (const taskflowId of ["before", "behind"]) {
    await client.resolveTask(taskflowId, "none", { outcome: "SKIPPED", reason: "No worker." });
    expect(await client.waitForTaskflow(taskflowId)).toMatchObject({ status: "COMPLETED" });
  }
}

const LAST_ENTRY =
  "(SELECT max(place) FROM journal WHERE taskflow = (SELECT number FROM taskflows WHERE taskflow_id = 'spoilt'))";

describe("on SQLite", () => {
  test.each([
    ["of a newer format", "UPDATE taskflows SET format = 2 WHERE taskflow_id = 'spoilt'", /format 2 is newer/],
    ["with an entry cut short", `UPDATE journal SET entry = substr(entry, 1, 20) WHERE place = ${LAST_ENTRY}`, /JSON/],
    [
      "with an entry missing",
      "DELETE FROM journal WHERE revision = 2 AND taskflow = (SELECT number FROM taskflows WHERE taskflow_id = 'spoilt')",
      /entry 2/,
    ],
    [
      "with a fact that contradicts its definition",
      `UPDATE journal SET entry = '{"at":1,"facts":[{"kind":"stage","stage":7,"status":"RUNNING"}]}' WHERE place = ${LAST_ENTRY}`,
      /stage/,
    ],
    [
      "with a number that JavaScript cannot hold",
      "UPDATE taskflows SET fence = 9223372036854775806 WHERE taskflow_id = 'spoilt'",
      /fence/,
    ],
  ])("one %s harms no other, is shown with the reason, exported as it is, and deleted", async (_title, sql, why) => {
    const file = `${tempFolder()}/flow.db`;
    const spoil = (): void => {
      const database = new DatabaseSync(file);
      expect(database.prepare(sql).run().changes).toBe(1);
      database.close();
    };
    await survives({ store: `sqlite:${file}`, spoil }, why);
  });

  test("tags and attributes that are no JSON hide no other taskflow", async () => {
    const file = `${tempFolder()}/flow.db`;
    const first = await start(`sqlite:${file}`);
    await produceThree(first);
    await first.stop();
    const database = new DatabaseSync(file);
    database.exec("UPDATE taskflows SET tags = '[\"t', attributes = '{', annotations = '[' WHERE taskflow_id = 'spoilt'");
    database.close();
    const { client } = await start(`sqlite:${file}`);
    expect((await client.listTaskflows({ tags: ["t"], text: "t" })).rows).toHaveLength(2);
    expect((await client.listTaskflows()).rows).toHaveLength(3);
  });
});

describeOnMongo("on MongoDB", (mongo) => {
  const isSpoilt = { _id: "spoilt" } as Document;

  test.each<
    [string, (rows: ReturnType<ReturnType<MongoClient["db"]>["collection"]>, journal: string) => Promise<unknown>, RegExp]
  >([
    ["of a newer format", (rows) => rows.updateOne(isSpoilt, { $set: { format: 2 } }), /format 2 is newer/],
    ["with an entry cut short", (rows) => rows.updateOne(isSpoilt, { $set: { entry: '{"at":1,"svc' } }), /JSON/],
    [
      "with an entry missing",
      async (rows, journal) => {
        const range = { _id: { $gt: `${journal}/`, $lt: `${journal}0` } } as Document;
        const entries = await rows.find(range).sort({ _id: 1 }).toArray();
        expect(entries.length).toBeGreaterThan(0);
        await rows.updateOne({ _id: entries[0]?._id as never }, { $unset: { entry: "" } });
      },
      /entry 2/,
    ],
  ])("one %s harms no other, is shown with the reason, exported as it is, and deleted", async (_title, change, why) => {
    const url = mongo().newUrl();
    const spoil = async (): Promise<void> => {
      const client = new MongoClient(url);
      const rows = client.db().collection("taskflows");
      const row = await rows.findOne(isSpoilt);
      await change(rows, String(row?.["journal"]));
      await client.close();
    };
    await survives({ store: url, spoil }, why);
  });
});

/** moleculer-db's adapter over a store, under its own mixin and alone: what it owes on every store. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { ServiceBroker } from "moleculer";
import type { ServiceSchema } from "moleculer";
import DbService from "moleculer-db";
import type { SqliteDocumentAdapter } from "../../lib/moleculer-db/sqlite-adapter.ts";
import type { DocumentQuery } from "../../lib/moleculer-db/query.ts";
import type { Store } from "../../lib/ports/store.ts";
import { anyDocument, anyQuery, modelMatches } from "./document-model.ts";
import { append, create, newRow } from "./store-writes.ts";

/** Its public part, which another class may have, too. */
type DocumentAdapter = Pick<SqliteDocumentAdapter, keyof SqliteDocumentAdapter>;

export interface DocumentsUnderTest {
  readonly store: Store;
  /** Without a collection: over the taskflows. */
  adapterOf(collection?: string): DocumentAdapter;
}

export function describeDocuments(name: string, make: () => DocumentsUnderTest): void {
  describe(`documents in ${name}`, () => {
    let under: DocumentsUnderTest;
    let store: Store;
    let adapter: DocumentAdapter;
    beforeEach(async () => {
      under = make();
      store = under.store;
      adapter = under.adapterOf("things");
      await adapter.connect();
    });
    afterEach(async () => store.close());

    describe("under moleculer-db's mixin", () => {
      let broker: ServiceBroker;
      beforeEach(async () => {
        broker = new ServiceBroker({ logger: false });
        const mixin = DbService as unknown as ServiceSchema;
        broker.createService({ name: "things", mixins: [mixin], adapter, settings: { idField: "id" } } as ServiceSchema);
        const taskflows = under.adapterOf();
        broker.createService({ name: "flows", mixins: [mixin], adapter: taskflows } as ServiceSchema);
        await broker.start();
      });
      afterEach(async () => broker.stop());

      async function call(action: string, params: object): Promise<unknown> {
        return broker.call<unknown, object>(action, params);
      }

      it("creates, gets, finds, lists, counts, updates and removes", async () => {
        const lamp = (await call("things.create", { name: "lamp", watts: 5, place: { room: "hall" } })) as { id: string };
        expect(lamp).toEqual({ id: expect.any(String), name: "lamp", watts: 5, place: { room: "hall" } });
        await call("things.insert", {
          entities: [
            { id: "b", name: "oven", watts: 2000 },
            { id: "c", name: "fan_1", watts: 30 },
          ],
        });
        expect(await call("things.get", { id: lamp.id })).toEqual(lamp);
        expect(await call("things.get", { id: ["c", "b"], fields: ["name"] })).toEqual([{ name: "fan_1" }, { name: "oven" }]);
        expect(await call("things.find", { query: { watts: { $gt: 20 } }, sort: "-watts", fields: ["id"] })).toEqual([
          { id: "b" },
          { id: "c" },
        ]);
        expect(await call("things.find", { search: "N_", searchFields: "name", fields: ["id"] })).toEqual([{ id: "c" }]);
        expect(await call("things.count", { query: { "place.room": "hall" } })).toBe(1);
        expect(await call("things.list", { sort: "name", page: 2, pageSize: 2, fields: ["name"] })).toEqual({
          rows: [{ name: "oven" }],
          total: 3,
          page: 2,
          pageSize: 2,
          totalPages: 2,
        });
        expect(await call("things.update", { id: "b", watts: 1800 })).toEqual({ id: "b", name: "oven", watts: 1800 });
        expect(await call("things.remove", { id: "b" })).toEqual({ id: "b", name: "oven", watts: 1800 });
        await expect(call("things.get", { id: "b" })).rejects.toMatchObject({ name: "EntityNotFoundError", code: 404 });
        await expect(call("things.update", { id: "b", watts: 1 })).rejects.toMatchObject({
          name: "EntityNotFoundError",
          code: 404,
        });
        await expect(call("things.remove", { id: { $ne: null } })).rejects.toMatchObject({ type: "INVALID_ID" });
        expect(await call("things.count", {})).toBe(2);
      });

      it("shows the rows of the taskflows, and refuses to change them", async () => {
        await store.commit([
          create("f", { tags: ["x"], attributes: { yes: true } }),
          create("g", { name: "other", rootId: "f" }),
        ]);
        await store.commit([append("f", 2, { status: "FAILED", progress: 50 })]);
        const { taskflowId, ...fields } = newRow("f", { tags: ["x"], attributes: { yes: true }, status: "FAILED", progress: 50 });
        expect(await call("flows.get", { id: "f" })).toEqual({ _id: taskflowId, ...fields });
        expect(await call("flows.find", { query: { status: "RUNNING", rootId: "f" }, fields: ["_id", "name"] })).toEqual([
          { _id: "g", name: "other" },
        ]);
        expect(await call("flows.count", { query: { "attributes.yes": true } })).toBe(1);
        for (const [action, params] of [
          ["create", { name: "x" }],
          ["insert", { entity: { name: "x" } }],
          ["update", { id: "f", status: "COMPLETED" }],
          ["remove", { id: "f" }],
        ] as const) {
          await expect(call(`flows.${action}`, params)).rejects.toMatchObject({ type: "READ_ONLY", code: 405 });
        }
      });
    });

    describe("queries", () => {
      it("find what a simple model finds", async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(anyDocument, { maxLength: 12 }),
            fc.array(anyQuery, { minLength: 1, maxLength: 10 }),
            async (documents, queries) => {
              await adapter.clear();
              await adapter.insertMany(
                documents.map((document, index) => ({ _id: String(index).padStart(3, "0"), ...document })),
              );
              for (const query of queries) {
                const expected = documents.flatMap((document, index) =>
                  modelMatches(document, query) ? [String(index).padStart(3, "0")] : [],
                );
                expect((await adapter.find({ query })).map(({ _id }) => _id)).toEqual(expected);
                expect(await adapter.count({ query, limit: 1 })).toBe(expected.length);
              }
            },
          ),
          { numRuns: 40 },
        );
      });

      it("sort by several paths, numbers before texts, and by id in the end", async () => {
        await adapter.insertMany([{ _id: "d", n: 1 }, { _id: "c", n: 1 }, { _id: "b", n: "1", m: 2 }, { _id: "a" }]);
        const ids = async (sort: string): Promise<unknown[]> => (await adapter.find({ sort })).map(({ _id }) => _id);
        expect(await ids("n")).toEqual(["a", "c", "d", "b"]);
        expect(await ids("-m n -_id")).toEqual(["b", "a", "d", "c"]);
        expect((await adapter.find({ sort: "_id", limit: 2, offset: 1 })).map(({ _id }) => _id)).toEqual(["b", "c"]);
        expect((await adapter.findOne({ n: 1 }))?._id).toBe("c");
        expect(await adapter.findOne({ n: 7 })).toBeNull();
      });

      it("search in all values or in some fields, whatever the characters", async () => {
        await adapter.insertMany([
          { _id: "x", a: "50% Off", b: "y" },
          { _id: "z", a: "none", b: "50" },
        ]);
        const ids = async (search: string, searchFields?: string[]): Promise<unknown[]> =>
          (await adapter.find(searchFields === undefined ? { search } : { search, searchFields })).map(({ _id }) => _id);
        expect(await ids("50")).toEqual(["x", "z"]);
        expect(await ids("0%")).toEqual(["x"]);
        expect(await ids("off")).toEqual(["x"]);
        expect(await ids("50", ["b"])).toEqual(["z"]);
        expect(await ids("_")).toEqual([]);
        expect(await ids("\\")).toEqual([]);
      });

      it.each<[string, object]>([
        ["an unknown operator", { a: { $where: "1" } }],
        ["an unknown operator at the top", { $nor: [{ a: 1 }] }],
        ["a regular expression", { a: { $regex: "^a" } }],
        ["an array to compare with", { a: [1] }],
        ["an object to compare with", { a: { b: 1 } }],
        ["nothing to compare with", { a: {} }],
        ["a path with a quote", { 'a" OR 1=1 --': 1 }],
        ["a path with an empty name", { "a..b": 1 }],
        ["a path to the prototype", JSON.parse('{"__proto__":1}') as object],
        ["an inherited operator", { a: { constructor: 1 } }],
        ["text for $in", { a: { $in: "abc" } }],
        ["null for $gt", { a: { $gt: null } }],
        ["no queries for $or", { $or: [] }],
        ["a query that is text", { $and: ["a"] }],
        ["too many conditions", { a: { $in: Array.from({ length: 1_001 }, (_, index) => index) } }],
        ["too deep a query", Array.from({ length: 20 }).reduce<object>((query) => ({ $and: [query] }), { a: 1 })],
      ])("refuse %s", async (_, query) => {
        await expect(adapter.find({ query: query as DocumentQuery })).rejects.toMatchObject({ type: "INVALID_QUERY", code: 422 });
        await expect(adapter.removeMany(query as DocumentQuery)).rejects.toMatchObject({ type: "INVALID_QUERY" });
      });
    });

    describe("ids", () => {
      it.each([{ $ne: null }, null, undefined, 1, "", ["a"], true])("refuse %j", async (id) => {
        await adapter.insert({ _id: "a" });
        for (const use of [
          async () => adapter.findById(id),
          async () => adapter.findByIds([id]),
          async () => adapter.updateById(id, { $set: { x: 1 } }),
          async () => adapter.removeById(id),
        ]) {
          await expect(use()).rejects.toMatchObject({ type: "INVALID_ID", code: 422 });
        }
        expect(await adapter.find()).toEqual([{ _id: "a" }]);
      });

      it("are unique in a collection, and all or none of an insert is stored", async () => {
        await adapter.insert({ _id: "a", x: 1 });
        const other = under.adapterOf("others");
        expect(await other.insert({ _id: "a" })).toEqual({ _id: "a" });
        await expect(adapter.insertMany([{ _id: "b" }, { _id: "a" }])).rejects.toMatchObject({ type: "DUPLICATE_ID", code: 409 });
        expect(await adapter.find()).toEqual([{ _id: "a", x: 1 }]);
        expect(await adapter.clear()).toBe(1);
        expect(await other.count()).toBe(1);
      });

      it("may hold anything that a string can", async () => {
        const ids = ["'; DROP TABLE documents; --", '"', "%", "a\u0000b", "__proto__", "ä😀"];
        await adapter.insertMany(ids.map((_id) => ({ _id, nested: JSON.parse('{"__proto__":{"x":1}}') as object })));
        for (const id of ids) {
          expect(JSON.stringify(await adapter.findById(id))).toBe(`{"_id":${JSON.stringify(id)},"nested":{"__proto__":{"x":1}}}`);
        }
        expect((await adapter.findByIds(["%", "missing", '"'])).map(({ _id }) => _id)).toEqual(["%", '"']);
      });
    });

    describe("updates", () => {
      it("set, unset and count up, along dotted paths", async () => {
        await adapter.insert({ _id: "a", n: 1, deep: { x: 1, y: 2 } });
        expect(
          await adapter.updateById("a", {
            $set: { "deep.x": null, "new.path": [1] },
            $unset: { "deep.y": "", "no.such": "" },
            $inc: { n: 2, m: -1 },
          }),
        ).toEqual({
          _id: "a",
          n: 3,
          m: -1,
          deep: { x: null },
          new: { path: [1] },
        });
        expect(await adapter.updateById("none", { $set: { x: 1 } })).toBeNull();
      });

      it("change all that match and tell how many", async () => {
        await adapter.insertMany([
          { _id: "a", n: 1 },
          { _id: "b", n: 2 },
          { _id: "c", n: 3 },
        ]);
        expect(await adapter.updateMany({ n: { $gte: 2 } }, { $inc: { n: 10 } })).toBe(2);
        expect((await adapter.find({ sort: "_id" })).map(({ n }) => n)).toEqual([1, 12, 13]);
        expect(await adapter.removeMany({ n: { $gt: 10 } })).toBe(2);
        expect(await adapter.count()).toBe(1);
      });

      it.each<[string, object]>([
        ["a whole document", { n: 5 }],
        ["an unknown operator", { $push: { n: 1 } }],
        ["a change of the id", { $set: { _id: "b" } }],
        ["a path to the prototype", { $set: { "__proto__.x": 1 } }],
        ["a path through a number", { $set: { "n.x": 1 } }],
        ["$inc of a text", { $inc: { text: 1 } }],
        ["$inc by a text", { $inc: { n: "1" } }],
      ])("refuse %s, and change nothing", async (_, update) => {
        await adapter.insertMany([
          { _id: "a", n: 1, text: "x" },
          { _id: "z", n: 1, text: "x" },
        ]);
        await expect(adapter.updateMany({}, { $set: { ok: true }, ...update })).rejects.toMatchObject({ type: "INVALID_QUERY" });
        await expect(adapter.updateById("a", update)).rejects.toMatchObject({ type: "INVALID_QUERY" });
        expect(await adapter.count({ query: { n: 1, text: "x", ok: { $exists: false } } })).toBe(2);
        expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
      });
    });
  });
}

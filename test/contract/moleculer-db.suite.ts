/** moleculer-db's adapter and the service over a store: what they owe on every store. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { ServiceBroker } from "moleculer";
import type { BrokerOptions, ServiceSchema } from "moleculer";
import DbService, { type DbAdapter } from "moleculer-db";
import { type DocumentFilters, TaskflowAdapter, TaskflowDb } from "../../lib/moleculer-db.ts";
import type { Store, TaskflowRow } from "../../lib/ports/store.ts";
import { anyQuery, anyRow, modelMatches } from "./moleculer-db-model.ts";
import { append, create, newRow } from "./store-writes.ts";

export interface StoreToRead {
  /** A coordinator's, not yet open. */
  readonly store: Store;
  readonly url: string;
}

/** What is read of a row of `newRow`. */
function documentOf(id: string, given: Partial<TaskflowRow> = {}): Record<string, unknown> {
  const { taskflowId: _id, fence: _fence, dueAt: _dueAt, format: _format, ...fields } = newRow(id, given);
  return { _id, ...fields };
}

export function describeMoleculerDb(name: string, make: () => StoreToRead): void {
  describe(`moleculer-db on ${name}`, () => {
    let store: Store;
    let url: string;
    beforeEach(async () => {
      ({ store, url } = make());
    });
    afterEach(async () => store.close());

    describe("the adapter", () => {
      let adapter: TaskflowAdapter;
      beforeEach(async () => {
        await store.open();
        adapter = new TaskflowAdapter({ store: url });
        await adapter.connect();
      });
      afterEach(async () => adapter.disconnect());

      const ids = async (filters: DocumentFilters): Promise<string[]> => (await adapter.find(filters)).map(({ _id }) => _id);

      it("finds what a simple model finds", async () => {
        let run = 0;
        const anyRows = fc.array(anyRow, { maxLength: 12 });
        const anyQueries = fc.array(anyQuery, { minLength: 1, maxLength: 20 });
        const property = fc.asyncProperty(anyRows, anyQueries, async (given, queries) => {
          const tenant = `run ${run++}`;
          const rows = given.map((fields, index) => newRow(`${tenant}-${10 + index}`, { ...fields, tenant }));
          await store.commit(rows.map((row) => create(row.taskflowId, row)));
          for (const query of queries) {
            const expected = rows.filter((row) => modelMatches(row, query)).map(({ taskflowId }) => taskflowId);
            expect(await ids({ query: { $and: [query, { tenant }] } })).toEqual(expected);
            expect(await adapter.count({ query: { tenant, $or: [query] }, limit: 1 })).toBe(expected.length);
          }
        });
        await fc.assert(property, { numRuns: 40 });
      });

      it("sorts by several fields and by the id in the end, and cuts pages", async () => {
        await store.commit([
          create("d", { progress: 1, attributes: { k: "x" } }),
          create("c", { progress: 1, attributes: { k: true } }),
          create("b", { progress: 2, attributes: { k: 9 } }),
          create("a", { progress: 0 }),
        ]);
        expect(await ids({ sort: "progress" })).toEqual(["a", "c", "d", "b"]);
        expect(await ids({ sort: ["-progress", "-taskflowId"] })).toEqual(["b", "d", "c", "a"]);
        expect(await ids({ sort: "attributes.k" })).toEqual(["a", "b", "d", "c"]);
        expect(await ids({ sort: "-attributes.k,progress" })).toEqual(["c", "d", "b", "a"]);
        expect(await ids({ sort: "_id", limit: 2, offset: 1 })).toEqual(["b", "c"]);
        expect(await ids({ limit: 0, offset: 3 })).toEqual(["d"]);
        expect(await adapter.findOne({ progress: 1 })).toEqual(documentOf("c", { progress: 1, attributes: { k: true } }));
        expect(await adapter.findOne({ progress: 7 })).toBeNull();
      });

      it("searches in ids, names, tags and attributes, or in some fields, whatever the characters", async () => {
        await store.commit([
          create("x", { name: "50% Off", tags: ["Ärger", "c_d"], attributes: { size: 120, on: true } }),
          create("y", {
            name: null,
            attributes: { note: "a.b", off: "size" },
            annotations: [{ type: "ticket", value: '"T-7"' }],
          }),
        ]);
        expect(await ids({ search: "0% o" })).toEqual(["x"]);
        expect(await ids({ search: "ÄRG" })).toEqual(["x"]);
        expect(await ids({ iSearch: "12" })).toEqual(["x"]);
        expect(await ids({ search: "true" })).toEqual(["x"]);
        expect(await ids({ search: "a.b" })).toEqual(["y"]);
        expect(await ids({ search: "Y" })).toEqual(["y"]);
        expect(await ids({ search: "%" })).toEqual(["x"]);
        expect(await ids({ search: "_" })).toEqual(["x"]);
        expect(await ids({ search: "\\" })).toEqual([]);
        expect(await ids({ search: "SIZE", searchFields: "attributes.off" })).toEqual(["y"]);
        expect(await ids({ search: "12", searchFields: ["attributes.size"] })).toEqual([]);
        expect(await ids({ search: "off", searchFields: "name tags" })).toEqual(["x"]);
        expect(await ids({ search: "ärger", searchFields: "tags" })).toEqual(["x"]);
        expect(await ids({ search: "t-7", searchFields: "annotations.value" })).toEqual(["y"]);
        expect(await adapter.count({ search: "size", query: { status: "RUNNING" } })).toBe(1);
      });

      it.each<[string, object, string]>([
        [
          "a field that no taskflow has",
          { stauts: "FAILED" },
          '/query/stauts must be a field of a taskflow, got "stauts": did you mean "status"?',
        ],
        ["an unknown operator", { name: { $where: "1" } }, "/query/name/$where must be an operator that is known here"],
        ["an unknown operator at the top", { $nor: [{ name: "a" }] }, "/query/$nor must be a field, $and or $or."],
        ["a regular expression", { name: { $regex: "^a" } }, "/query/name/$regex must be an operator"],
        ["an array to compare with", { name: ["a"] }, "/query/name must be an object of operators, got an array."],
        ["a number where texts are", { name: 1 }, "/query/name must be a string or null, got 1."],
        [
          "a text where numbers are",
          { createdAt: { $gt: "2026-01-01" } },
          '/query/createdAt/$gt must be a number, got "2026-01-01".',
        ],
        ["a flag where there is none", { status: true }, "/query/status must be a string or null, got true."],
        ["nothing to compare with", { name: {} }, "/query/name must be a value or have an operator such as $in."],
        ["an inherited operator", { name: { constructor: 1 } }, "/query/name/constructor must be an operator"],
        ["a path to the prototype", JSON.parse('{"__proto__":1}') as object, "/query/__proto__ must be a field of a taskflow"],
        ["attributes as a whole", { attributes: { a: 1 } }, "/query/attributes must be a field of a taskflow"],
        ["text for $in", { name: { $in: "abc" } }, '/query/name/$in must be an array, got "abc".'],
        ["null for $gt", { "attributes.a": { $gt: null } }, "/query/attributes.a/$gt must be a string or a number, got null."],
        ["no queries for $or", { $or: [] }, "/query/$or must be an array of queries"],
        ["a query that is text", { $and: ["a"] }, '/query/$and/0 must be an object of fields and values, got "a".'],
        [
          "too many conditions",
          { name: { $in: Array.from({ length: 1_001 }, String) } },
          "/query must not have more than 1000 conditions.",
        ],
        [
          "too deep a query",
          Array.from({ length: 20 }).reduce<object>((query) => ({ $and: [query] }), { name: "a" }),
          "/query must not be nested deeper than 16 levels.",
        ],
      ])("refuses %s", async (_, query, message) => {
        const refusal = { type: "TASKFLOW_VALIDATION_ERROR", code: 422, message: expect.stringContaining(message) };
        await expect(adapter.find({ query } as DocumentFilters)).rejects.toMatchObject(refusal);
        await expect(adapter.count({ query } as DocumentFilters)).rejects.toMatchObject(refusal);
      });

      it.each<[object, string]>([
        [{ sort: "tags" }, '/sort must name fields with one value, got "tags".'],
        [{ sort: "-progres" }, '/sort must be a field of a taskflow, got "progres": did you mean "progress"?'],
        [{ search: "1", searchFields: "progress" }, '/searchFields must name fields that hold text, got "progress".'],
        [{ search: { $ne: "" } }, "/search must be a string, got an object."],
        [{ limit: -1 }, "/limit must be a whole number of 0 or more, got -1."],
        [{ offset: "many" }, '/offset must be a whole number of 0 or more, got "many".'],
      ])("refuses %j", async (filters, message) => {
        await expect(adapter.find(filters)).rejects.toMatchObject({ type: "TASKFLOW_VALIDATION_ERROR", message });
      });

      it.each([{ $ne: null }, null, undefined, 1, ["a"], true])("refuses %j as an id", async (id) => {
        await store.commit([create("a")]);
        const refusal = {
          type: "TASKFLOW_VALIDATION_ERROR",
          message: expect.stringMatching(/^\/id must be the id of a taskflow, a string, got /),
        };
        await expect(adapter.findById(id)).rejects.toMatchObject(refusal);
        await expect(adapter.findByIds(["a", id])).rejects.toMatchObject(refusal);
      });

      it("gets taskflows by their ids, in this order, and nothing but taskflows", async () => {
        await store.commit([create("a"), create("b"), create("c")]);
        await store.commit([append("a", 2)]);
        expect((await adapter.findByIds(["c", "missing", "a", "%", "c"])).map(({ _id }) => _id)).toEqual(["c", "a", "c"]);
        expect(await adapter.findById("a' OR '1'='1")).toBeNull();
        expect(await adapter.findById("store")).toBeNull();
        expect(await adapter.count()).toBe(3);
        await expect(adapter.findByIds(Array.from({ length: 1_001 }, String))).rejects.toMatchObject({ code: 422 });
      });

      it("is moleculer-db's adapter, and refuses everything that writes", async () => {
        await store.commit([create("a")]);
        const plain: DbAdapter = adapter;
        const refusal = { type: "TASKFLOW_READ_ONLY", code: 405, message: expect.stringContaining("taskflow.cancelTaskflow") };
        await expect(plain.insert({})).rejects.toMatchObject(refusal);
        await expect(plain.insertMany([{}])).rejects.toMatchObject(refusal);
        await expect(plain.updateMany({}, { $set: { status: "FAILED" } })).rejects.toMatchObject(refusal);
        await expect(plain.updateById("a", { $set: { status: "FAILED" } })).rejects.toMatchObject(refusal);
        await expect(plain.removeMany({})).rejects.toMatchObject(refusal);
        await expect(plain.removeById("a")).rejects.toMatchObject(refusal);
        await expect(plain.clear()).rejects.toMatchObject(refusal);
        expect(await adapter.find()).toEqual([documentOf("a")]);
      });

      it("can be closed and opened again, and answers STORE_UNAVAILABLE between", async () => {
        await adapter.disconnect();
        await expect(adapter.find()).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
        await expect(adapter.findById("a")).rejects.toMatchObject({ type: "STORE_UNAVAILABLE" });
        await adapter.connect();
        await adapter.connect();
        expect(await adapter.count()).toBe(0);
      });
    });

    describe("as a service", () => {
      const brokers: ServiceBroker[] = [];
      afterEach(async () => {
        await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
      });

      type Call = (action: string, params: object) => Promise<unknown>;

      async function start(service: ServiceSchema, options: BrokerOptions = {}): Promise<{ broker: ServiceBroker; call: Call }> {
        const broker = new ServiceBroker({ logger: false, ...options });
        brokers.push(broker);
        broker.createService(service);
        await broker.start();
        return { broker, call: (action, params) => broker.call<unknown, object>(action, params) };
      }

      const FLOWS = [
        create("a", { name: "ship", status: "FAILED", tags: ["x"], attributes: { region: "eu" } }),
        create("b", { name: "bill", progress: 50 }),
        create("c", { name: "pack", progress: 20 }),
      ];

      it("works under moleculer-db's own mixin, which cannot write either", async () => {
        await store.open();
        await store.commit(FLOWS);
        const adapter = new TaskflowAdapter({ store: url });
        const mixin = DbService as unknown as ServiceSchema;
        const schema = { name: "flows", mixins: [mixin], adapter, settings: { idField: "id" } };
        const { call } = await start(schema as ServiceSchema);
        const { _id: id, ...fields } = documentOf("b", { name: "bill", progress: 50 });
        expect(await call("flows.get", { id: "b" })).toEqual({ id, ...fields });
        expect(await call("flows.get", { id: ["c", "a"], fields: ["name"] })).toEqual([{ name: "pack" }, { name: "ship" }]);
        expect(await call("flows.get", { id: ["c"], mapping: true, fields: ["name"] })).toEqual({ c: { name: "pack" } });
        const query = { progress: { $gt: 0 } };
        expect(await call("flows.find", { query, sort: "-progress", fields: ["id"] })).toEqual([{ id: "b" }, { id: "c" }]);
        expect(await call("flows.count", { query: { "attributes.region": "eu", tags: "x" } })).toBe(1);
        const page = { page: 2, pageSize: 2 };
        expect(await call("flows.list", { ...page, sort: "name", fields: ["name"] })).toEqual({
          ...page,
          rows: [{ name: "ship" }],
          total: 3,
          totalPages: 2,
        });
        await expect(call("flows.get", { id: "d" })).rejects.toMatchObject({ name: "EntityNotFoundError", code: 404 });
        for (const [action, params] of [
          ["create", { name: "x" }],
          ["insert", { entity: { name: "x" } }],
          ["update", { id: "a", status: "COMPLETED" }],
          ["remove", { id: "a" }],
        ] as const) {
          await expect(call(`flows.${action}`, params)).rejects.toMatchObject({ type: "TASKFLOW_READ_ONLY" });
        }
      });

      it("taskflow-db has find, list, count and get, and no other action", async () => {
        await store.open();
        await store.commit(FLOWS);
        const { broker, call } = await start(TaskflowDb({ store: url }));
        const actions = await broker.call<{ name: string }[], object>("$node.actions", { skipInternal: true });
        expect(actions.map(({ name: action }) => action).sort()).toEqual(
          ["count", "find", "get", "list"].map((action) => `taskflow-db.${action}`),
        );
        const { _id: taskflowId, ...fields } = documentOf("b", { name: "bill", progress: 50 });
        expect(await call("taskflow-db.get", { id: "b" })).toEqual({ taskflowId, ...fields });
        const query = { taskflowId: { $in: ["a", "c"] } };
        expect(await call("taskflow-db.find", { query, sort: "-name", fields: "name" })).toEqual([
          { name: "ship" },
          { name: "pack" },
        ]);
        expect(await call("taskflow-db.find", { query: JSON.stringify(query), limit: 1, fields: "taskflowId" })).toEqual([
          { taskflowId: "a" },
        ]);
        expect(await call("taskflow-db.list", { search: "region", pageSize: 1 })).toMatchObject({ rows: [], total: 0 });
        expect(await call("taskflow-db.count", { search: "eu" })).toBe(1);
        await expect(call("taskflow-db.find", { query: "{" })).rejects.toMatchObject({
          code: 422,
          message: '/query must be JSON, got "{".',
        });
        await expect(call("taskflow-db.get", { id: [{ $ne: null }] })).rejects.toMatchObject({ code: 422 });
        await expect(call("taskflow-db.get", { id: "d" })).rejects.toMatchObject({ name: "EntityNotFoundError", code: 404 });
      });

      it("taskflow-db reads anew at each call, also where the broker has a cache", async () => {
        await store.open();
        await store.commit([create("a")]);
        const { call } = await start(TaskflowDb({ store: url }), { cacher: "Memory" });
        const status = async (): Promise<unknown> => ((await call("taskflow-db.get", { id: "a" })) as TaskflowRow).status;
        expect(await status()).toBe("RUNNING");
        await store.commit([append("a", 2, { status: "PAUSED" })]);
        // Its own reads wait for what it has stored itself.
        await store.list({ pageSize: 1 });
        expect(await status()).toBe("PAUSED");
      });

      it("taskflow-db bounds what find answers, as the settings say", async () => {
        await store.open();
        await store.commit(FLOWS);
        const bounded = { name: "few", mixins: [TaskflowDb({ store: url })], settings: { maxLimit: 2, maxPageSize: 1 } };
        const { call } = await start(bounded as ServiceSchema);
        for (const params of [{}, { limit: 0 }, { limit: 9 }]) expect(await call("few.find", params)).toHaveLength(2);
        expect(await call("few.find", { limit: 1 })).toHaveLength(1);
        expect(await call("few.list", { pageSize: 9 })).toMatchObject({ pageSize: 1, total: 3 });
      });

      it("taskflow-db waits for a store that a coordinator is about to make", async () => {
        const starting = start(TaskflowDb({ store: url }));
        await store.open();
        await store.commit([create("a")]);
        expect(await (await starting).call("taskflow-db.count", {})).toBe(1);
      });
    });

    it("says what to do where no store is", async () => {
      const adapter = new TaskflowAdapter({ store: url });
      await expect(adapter.connect()).rejects.toThrow(/^The store .* must exist: start a coordinator on it, or correct /);
    });
  });
}

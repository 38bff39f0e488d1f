/** The MongoDB ledger, alone and under two workers that share it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { MongoLedger } from "../../lib/worker/ledger/mongodb.ts";
import { again, ask, callOf, deliver, ranIn } from "../helpers/deliver.ts";
import { eventually } from "../helpers/eventually.ts";
import { startMongoProxy } from "../helpers/mongo-proxy.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { closeSites, openSite } from "../helpers/worker-nodes.ts";
import { describeLedger } from "./ledger.suite.ts";

const LIMITS = { keepForMs: 60_000, maxRecords: 1_000 };

describeOnMongo("on a server", (server) => {
  describeLedger("mongodb", () => {
    const url = server().newUrl();
    return { ledger: new MongoLedger(url, LIMITS), again: () => new MongoLedger(url, LIMITS) };
  });

  test("a write whose acknowledgement was lost is not taken for somebody else's", async () => {
    const proxy = await startMongoProxy(server().port);
    const ledger = new MongoLedger(server().newUrl(proxy.port), LIMITS);
    await ledger.open();
    const lost = new Set<string>();
    proxy.fault = ({ name, collection }) => {
      if (collection !== "taskflow_ledger" || name === "find" || lost.has(name)) return undefined;
      lost.add(name);
      return "cut after";
    };
    expect(await ledger.begin("f:t:0", { delivery: 1, instance: "a" })).toEqual({ kind: "new" });
    expect(await ledger.finish("f:t:0", "1")).toEqual({ outcome: "1", asked: false });
    expect([...lost]).toEqual(["insert", "update"]);
    expect(await ledger.ask("f:t:0", 1, 0)).toEqual({ kind: "done", outcome: "1" });
    await ledger.close();
    await proxy.close();
  });

  test("a server that is not there, or says no, is told of in a sentence without the password", async () => {
    const url = "mongodb://user:secret@127.0.0.1:1/x?serverSelectionTimeoutMS=200";
    await expect(new MongoLedger(url, LIMITS).open()).rejects.toThrow(
      /^The ledger mongodb:\/\/127\.0\.0\.1:1\/x cannot be opened: see that/,
    );
    await expect(new MongoLedger(url, LIMITS).open()).rejects.not.toThrow(/secret/);
  });

  describe("shared by two workers", () => {
    let nats: NatsServer;
    beforeAll(async () => {
      nats = await startNatsServer();
    });
    afterEach(async () => {
      await closeSites();
      await stopNodes();
    });
    afterAll(() => nats.stop());

    test("a repetition at the other one waits for the first, and is answered alike", async () => {
      const site = await openSite(nats.url);
      const options = { worker: { ledger: server().newUrl() } };
      const [one, two] = [await site.worker(options), await site.worker(options)];
      const call = callOf("svc.wait", { node: one.nodeID, exactlyOnce: true });
      const first = deliver(site.bus, call);
      await eventually(() => expect(site.runs()).toBe(1));
      const second = deliver(site.bus, again(call, { node: two.nodeID }));
      expect(await ask(site.bus, { ...call, node: two.nodeID })).toEqual({ kind: "running" });
      site.go();
      expect(await first).toMatchObject({ kind: "answered" });
      expect(await second).toEqual(ranIn(await first));
      expect(site.runs()).toBe(1);
    });

    test("when one is killed in the middle the other one knows it, and cannot vouch for what was sent to the first", async () => {
      const site = await openSite(nats.url);
      const options = { worker: { ledger: server().newUrl() } };
      const [one, two] = [await site.worker(options), await site.worker(options)];
      const call = callOf("svc.wait", { node: one.nodeID, exactlyOnce: true });
      void deliver(site.bus, call);
      await eventually(() => expect(site.runs()).toBe(1));
      await one.end("SIGKILL");
      await eventually(async () => expect(await ask(site.bus, call, { patienceMs: 20_000 })).toEqual({ kind: "interrupted" }), {
        timeoutMs: 20_000,
      });
      const repeated = await deliver(site.bus, again(call, { node: two.nodeID }));
      expect(repeated).toMatchObject({ kind: "unknown", error: { type: "TASK_OUTCOME_UNKNOWN" } });
      const other = callOf("svc.note", { node: one.nodeID });
      expect(await ask(site.bus, other, { patienceMs: 20_000 })).toEqual({ kind: "silent" });
      expect(await deliver(site.bus, again(other, { node: two.nodeID }))).toMatchObject({ kind: "answered" });
      expect(site.runs()).toBe(2);
    });
  });
});

describeOnMongo(
  "a server that goes away",
  (server) => {
    test("begins nothing meanwhile, and what ended meanwhile is answered, remembered, and kept when it is back", async () => {
      const nats = await startNatsServer();
      try {
        const site = await openSite(nats.url);
        const { nodeID: node } = await site.worker({ worker: { ledger: server().newUrl() } });
        const call = callOf("svc.wait", { node, listenMs: 60_000 });
        const answer = deliver(site.bus, call);
        await eventually(() => expect(site.runs()).toBe(1));
        await server().kill();
        site.go();
        const outcome = await answer;
        expect(outcome).toMatchObject({ kind: "answered" });
        expect(await ask(site.bus, call)).toEqual({ kind: "done", outcome: ranIn(outcome) });
        expect(await deliver(site.bus, callOf("svc.note", { node, listenMs: 60_000 }))).toEqual({ kind: "not-sent" });
        await server().restart();
        await eventually(async () => expect(await deliver(site.bus, again(call))).toEqual(ranIn(outcome)), { timeoutMs: 30_000 });
        expect(site.runs()).toBe(1);
      } finally {
        await closeSites();
        await stopNodes();
        await nats.stop();
      }
    }, 60_000);
  },
  true,
);

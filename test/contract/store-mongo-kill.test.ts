/**
 * The store on MongoDB while its server is killed and started again, and while the link to it
 * fails as networks do.
 */
import { expect, it } from "@jest/globals";
import { MongoStore } from "../../lib/adapters/mongodb/store.ts";
import type { Write } from "../../lib/ports/store.ts";
import { describeOnMongo } from "../helpers/mongo-server.ts";
import { eventually } from "../helpers/eventually.ts";
import { startProxy } from "../helpers/tcp-proxy.ts";
import { append, create } from "./store-writes.ts";

const FLOWS = 10;
const ENTRIES = 20;

/** Commits for several taskflows at a time, one after another; keeps what was acknowledged. */
class Writer {
  /** The number of acknowledged entries of each taskflow. */
  readonly acknowledged = new Map<string, number>();
  #isStopped = false;
  #count = 0;

  async run(store: MongoStore): Promise<void> {
    let flows: string[] = [];
    for (let revision = 1; !this.#isStopped; revision = (revision % ENTRIES) + 1) {
      if (revision === 1) flows = Array.from({ length: FLOWS }, () => `f${this.#count++}`);
      const writes = flows.map((id): Write =>
        revision === 1 ? create(id) : append(id, revision, revision === ENTRIES ? { status: "COMPLETED" } : undefined),
      );
      // Nothing is ever refused: no other writer is here.
      expect(await store.commit(writes)).toEqual(writes.map(() => "stored"));
      for (const id of flows) this.acknowledged.set(id, revision);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async check(store: MongoStore): Promise<void> {
    for (const [id, revision] of this.acknowledged) {
      const stored = (await store.read(id))!;
      const entries = Array.from({ length: stored.entries.length }, (_, index) => `${id} ${index + 1}`);
      expect(stored.entries).toEqual(entries);
      // The last commit may have been stored without an answer.
      expect([revision, revision + 1]).toContain(entries.length);
      expect(stored.row.status).toBe(entries.length === ENTRIES ? "COMPLETED" : "RUNNING");
    }
  }
}

describeOnMongo(
  "a MongoDB store whose server dies",
  (server) => {
    it("has lost nothing that it acknowledged, and goes on by itself, time after time", async () => {
      const url = server().newUrl();
      const store = new MongoStore({ url, patienceMs: 30_000 });
      await store.open();
      const writer = new Writer();
      const running = writer.run(store);
      for (const count of [1, 15, 35, 55, 75]) {
        await eventually(() => expect(writer.acknowledged.size).toBeGreaterThan(count), { intervalMs: 1 });
        await server().restart();
      }
      const before = writer.acknowledged.size;
      await eventually(() => expect(writer.acknowledged.size).toBeGreaterThan(before + 2 * FLOWS));
      writer.stop();
      await running;
      await store.close();
      await server().restart();
      const again = new MongoStore({ url });
      await again.open();
      await writer.check(again);
      await again.close();
    }, 90_000);
  },
  true,
);

describeOnMongo("a MongoDB store behind a bad network", (server) => {
  it("stores everything once, over cuts, stalls and links that hang half open", async () => {
    const proxy = await startProxy(server().port, server().host);
    const url = new URL(server().newUrl());
    url.host = `127.0.0.1:${proxy.port}`;
    const store = new MongoStore({ url: url.href, attemptMs: 200, patienceMs: 20_000 });
    // The server has just started: its first connection may take longer than an attempt.
    await eventually(() => store.open());
    const writer = new Writer();
    const running = writer.run(store);
    const goesOn = async (): Promise<void> => {
      const before = writer.acknowledged.size;
      await eventually(() => expect(writer.acknowledged.size).toBeGreaterThan(before + FLOWS), { intervalMs: 5 });
    };
    const stands = async (ms: number): Promise<void> => {
      const until = performance.now() + ms;
      await eventually(() => expect(performance.now()).toBeGreaterThan(until), { intervalMs: 5 });
    };
    const failures = [
      () => proxy.cut(),
      () => proxy.halfOpen(),
      () => proxy.oneWay("up"),
      () => proxy.oneWay("down"),
      () => proxy.cut(),
    ];
    await goesOn();
    for (const fail of failures) {
      fail();
      await stands(500);
      proxy.restore();
      await goesOn();
    }
    writer.stop();
    await running;
    await store.list({ pageSize: 1 });
    await writer.check(store);
    await store.close();
    await proxy.close();
  }, 60_000);
});

/**
 * The worker mixin over real NATS and in real processes: a handler runs once, and whoever asks is
 * told the truth.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import type { Reply } from "../../lib/ports/dispatch.ts";
import { again, ask, callOf, deliver, ranIn } from "../helpers/deliver.ts";
import { eventually } from "../helpers/eventually.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { tempFolder } from "../helpers/temp.ts";
import { closeSites, openSite } from "../helpers/worker-nodes.ts";

let server: NatsServer;
const ownServers: NatsServer[] = [];
beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await closeSites();
  await stopNodes();
  await Promise.all(ownServers.splice(0).map((own) => own.stop()));
});
afterAll(() => server.stop());

const TRANSPORTS = [
  ["NatsTransporter", false],
  ["Moleculer's own transporter", true],
] as const;

describe.each(TRANSPORTS)("with %s", (_, stock) => {
  test("a handler runs once for deliveries that come one after another or together, and all are answered alike", async () => {
    const site = await openSite(server.url, { stock });
    const { nodeID: node } = await site.worker({ stock });
    const call = callOf("svc.wait", { node });
    const together = [deliver(site.bus, call), deliver(site.bus, again(call)), deliver(site.bus, call)];
    await eventually(() => expect(site.runs()).toBe(1));
    site.go();
    const [first, ...others] = await Promise.all(together);
    expect(first).toMatchObject({ kind: "answered", reportedFailure: false });
    // The answer to another delivery names the one whose handler ran.
    const named = { ...first, delivery: 1 };
    expect(others).toEqual([named, first]);
    expect(await deliver(site.bus, again(call, { delivery: 5 }))).toEqual(named);
    expect(await ask(site.bus, call)).toEqual({ kind: "done", outcome: named });
    expect(site.runs()).toBe(1);
    // The next attempt is another one.
    await deliver(site.bus, callOf("svc.wait", { node, taskflowId: call.taskflowId, attempt: 1 }));
    expect(site.runs()).toBe(2);
  });

  test("an error is remembered like an answer, with what it says to the engine", async () => {
    const site = await openSite(server.url, { stock });
    const { nodeID: node } = await site.worker({ stock });
    const call = callOf("svc.tell", { node, params: { kind: "2 MB error" } });
    const first = await deliver(site.bus, call);
    expect(first).toMatchObject({ kind: "failed", permanent: false, retryAfterMs: 7_000, error: { nodeID: node } });
    expect(await deliver(site.bus, again(call))).toEqual(first);
    expect(await ask(site.bus, call)).toEqual({ kind: "done", outcome: first });
    expect(site.runs()).toBe(1);
  });

  test("a delivery that comes after never was said is refused for good, and a later one runs", async () => {
    const site = await openSite(server.url, { stock });
    const { nodeID: node } = await site.worker({ stock });
    const call = callOf("svc.note", { node });
    await eventually(async () => expect(await ask(site.bus, callOf("svc.note", { node }))).toEqual({ kind: "never" }));
    expect(await ask(site.bus, call)).toEqual({ kind: "never" });
    const late = new Promise((resolve) => site.bus.call(call, resolve));
    // The same node serves in order: when the next one is answered, this one was refused, and
    // nothing was told of it.
    expect(await deliver(site.bus, again(call))).toMatchObject({ kind: "answered" });
    expect(await Promise.race([late, Promise.resolve("nothing")])).toBe("nothing");
    expect(site.runs()).toBe(1);
  });

  test("a delivery of an owner that has lost the taskflow is turned away unread, by every service of the node", async () => {
    const site = await openSite(server.url, { stock });
    const { nodeID: node } = await site.worker({ stock });
    const call = callOf("svc.note", { node, fence: 7 });
    await deliver(site.bus, call);
    const zombie = callOf("svc.note", { node, taskflowId: call.taskflowId, attempt: 1, fence: 6 });
    expect(await deliver(site.bus, zombie)).toEqual({ kind: "not-sent" });
    expect(await deliver(site.bus, again(zombie, { fence: 8 }))).toMatchObject({ kind: "answered" });
    expect(await deliver(site.bus, again(zombie, { fence: 7 }))).toEqual({ kind: "not-sent" });
    expect(site.runs()).toBe(2);
  });
});

describe("a question", () => {
  test("is answered running while the handler runs, and silent by a worker without the mixin", async () => {
    const site = await openSite(server.url);
    const { nodeID: node } = await site.worker();
    const call = callOf("svc.wait", { node });
    const answer = deliver(site.bus, call);
    await eventually(() => expect(site.runs()).toBe(1));
    expect(await ask(site.bus, call, { ageMs: 60_000 })).toEqual({ kind: "running", quietMs: expect.any(Number) });
    const plain = callOf("plain.note", { node });
    await deliver(site.bus, plain);
    expect(await ask(site.bus, plain, { patienceMs: 600_000 })).toEqual({ kind: "silent" });
    site.go();
    expect(await answer).toMatchObject({ kind: "answered" });
  });

  test("is answered silent by a worker whose memory is younger than the attempt, and by nobody at the end of its patience", async () => {
    const site = await openSite(server.url);
    const { nodeID: node } = await site.worker();
    expect(await ask(site.bus, callOf("svc.note", { node }), { ageMs: 60_000 })).toEqual({ kind: "silent" });
    const nowhere = callOf("svc.note", { node: "nowhere" });
    const started = performance.now();
    expect(await ask(site.bus, nowhere, { patienceMs: 400 })).toEqual({ kind: "silent" });
    expect(performance.now() - started).toBeGreaterThanOrEqual(399);
  });

  test("is answered at once where the node said goodbye and had only memory", async () => {
    const site = await openSite(server.url);
    const worker = await site.worker();
    const call = callOf("svc.note", { node: worker.nodeID });
    await deliver(site.bus, call);
    await worker.end("SIGTERM");
    expect(await ask(site.bus, call, { patienceMs: 600_000 })).toEqual({ kind: "silent" });
  });

  test("waits for a worker that comes back, and for NATS", async () => {
    const own = await startNatsServer();
    ownServers.push(own);
    const site = await openSite(own.url);
    const options = { nodeID: "returning", worker: { ledger: `sqlite:${join(site.folder, "ledger.db")}` } };
    const worker = await site.worker(options);
    const call = callOf("svc.note", { node: worker.nodeID });
    const outcome = await deliver(site.bus, call);
    await worker.end("SIGTERM");
    const reply = ask(site.bus, call, { patienceMs: 60_000 });
    await site.worker(options);
    expect(await reply).toEqual({ kind: "done", outcome: ranIn(outcome) });
    await own.kill("SIGKILL");
    const second = ask(site.bus, call, { patienceMs: 60_000 });
    await own.restart();
    expect(await second).toEqual({ kind: "done", outcome: ranIn(outcome) });
  });
});

describe("with a SQLite ledger", () => {
  test("a restarted process answers what its predecessor did", async () => {
    const site = await openSite(server.url);
    const options = { nodeID: "restarted", worker: { ledger: `sqlite:${join(site.folder, "ledger.db")}` } };
    const first = await site.worker(options);
    const call = callOf("svc.note", { node: first.nodeID, exactlyOnce: true });
    const outcome = await deliver(site.bus, call);
    await first.end("SIGKILL");
    await site.worker(options);
    expect(await deliver(site.bus, again(call))).toEqual(ranIn(outcome));
    expect(await ask(site.bus, call, { ageMs: 1 })).toEqual({ kind: "done", outcome: ranIn(outcome) });
    expect(site.runs()).toBe(1);
    // It was there before this attempt was made, so its word counts, whichever process says it.
    await eventually(async () =>
      expect(await ask(site.bus, callOf("svc.note", { node: first.nodeID }))).toEqual({ kind: "never" }),
    );
  });

  test("what was killed in the middle is interrupted: run again in the default mode, and not under exactlyOnceTaskExecution", async () => {
    const site = await openSite(server.url);
    const options = { nodeID: "killed", worker: { ledger: `sqlite:${join(site.folder, "ledger.db")}` } };
    const first = await site.worker(options);
    const once = callOf("svc.wait", { node: first.nodeID, exactlyOnce: true, listenMs: 5_000 });
    const default_ = callOf("svc.wait", { node: first.nodeID, listenMs: 5_000 });
    void deliver(site.bus, once);
    void deliver(site.bus, default_);
    await eventually(() => expect(site.runs()).toBe(2));
    await first.end("SIGKILL");
    await site.worker(options);
    expect(await ask(site.bus, once)).toEqual({ kind: "interrupted" });
    expect(await deliver(site.bus, again(once))).toMatchObject({ kind: "unknown", error: { type: "TASK_OUTCOME_UNKNOWN" } });
    expect(site.runs()).toBe(2);
    site.go();
    const outcome = await deliver(site.bus, again(default_));
    expect(outcome).toMatchObject({ kind: "answered" });
    expect(site.runs()).toBe(3);
    expect(await ask(site.bus, default_)).toEqual({ kind: "done", outcome: ranIn(outcome, 2) });
  });
});

test("never counts only from the process that the delivery went to: a new one has forgotten nothing, and does not know", async () => {
  const site = await openSite(server.url);
  const worker = { ledger: `sqlite:${join(tempFolder(), "ledger.db")}` };
  const first = await site.worker({ nodeID: "the-worker", worker });
  const call = callOf("svc.note", { node: first.nodeID });
  const process = site.bus.processOf(first.nodeID);
  expect(process).toMatch(/^[\da-f]{8}-[\da-f]{4}$/);
  const askNew = (): Promise<Reply> => ask(site.bus, callOf("svc.note", { node: first.nodeID }));
  await eventually(async () => expect(await askNew()).toEqual({ kind: "never" }));
  await first.end("SIGKILL");
  await site.worker({ nodeID: "the-worker", worker });
  await eventually(() => expect(site.bus.processOf(first.nodeID)).not.toBe(process));
  // However young the coordinator's clock makes the attempt.
  expect(await ask(site.bus, call, { process: process ?? "", ageMs: 0, patienceMs: 20_000 })).toEqual({ kind: "silent" });
});

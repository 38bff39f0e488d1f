/**
 * Whatever a handler answers, throws or writes into its meta: its process lives, and the
 * coordinator hears what it was.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Outcome } from "../../lib/core/execution/inputs.ts";
import { again, ask, callOf, deliver, ranIn } from "../helpers/deliver.ts";
import { startNatsServer } from "../helpers/nats-server.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { stopNodes } from "../helpers/nodes.ts";
import { closeSites, openSite } from "../helpers/worker-nodes.ts";
import type { Site, WorkerNode } from "../helpers/worker-nodes.ts";

let server: NatsServer;
let site: Site;
let worker: WorkerNode;

const EXPECTED: readonly (readonly [string, object])[] = [
  ["cycle", { kind: "failed", permanent: true, error: { type: "RESPONSE_NOT_SERIALIZABLE", code: 500 } }],
  ["bigint", { kind: "failed", permanent: true, error: { type: "RESPONSE_NOT_SERIALIZABLE", code: 500 } }],
  ["2 MB", { kind: "answered", response: JSON.stringify("ä".repeat(1_000_000)) }],
  ["16 MiB", { kind: "failed", permanent: true, error: { type: "PAYLOAD_TOO_LARGE", code: 413 } }],
  [
    "proto",
    { kind: "answered", response: '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1}' },
  ],
  [
    "2 MB error",
    { kind: "failed", permanent: false, retryAfterMs: 7_000, error: { data: { $omitted: expect.any(Number), retryAfter: 7 } } },
  ],
  [
    "error with a cycle",
    { kind: "failed", permanent: false, error: { message: "It broke.", data: { $unreadable: expect.any(String) } } },
  ],
  [
    "error that cannot be read",
    { kind: "failed", permanent: false, error: { message: "The handler threw an error that cannot be read." } },
  ],
  ["null", { kind: "failed", permanent: false, error: { type: "Error" } }],
  ["2 MB meta", { kind: "answered" }],
  ["bigint meta", { kind: "answered" }],
];

const sizeOf = (outcome: Outcome): number => JSON.stringify(outcome).length;

describe.each([
  ["NatsTransporter", false],
  ["Moleculer's own transporter", true],
] as const)("with %s", (_, stock) => {
  beforeAll(async () => {
    server = await startNatsServer();
    site = await openSite(server.url, { stock });
    worker = await site.worker({ stock });
  });
  afterAll(async () => {
    await closeSites();
    await stopNodes();
    await server.stop();
  });
  afterEach(() => expect(worker.child.exit).toBeUndefined());

  test.each(EXPECTED)("%s is told, remembered, and ends no process", async (kind, expected) => {
    const call = callOf("svc.tell", { node: worker.nodeID, params: { kind } });
    const before = site.runs();
    const outcome = await deliver(site.bus, call);
    expect(outcome).toMatchObject(expected);
    expect(sizeOf(outcome)).toBeLessThan(kind === "2 MB" ? 2_000_000 : 100_000);
    expect(await deliver(site.bus, again(call))).toEqual(ranIn(outcome));
    expect(await ask(site.bus, call)).toEqual({ kind: "done", outcome: ranIn(outcome) });
    expect(site.runs()).toBe(before + 1);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("a large context does not come back with the answer", async () => {
    const previousStageRes = [{ taskName: "before", response: "x".repeat(700_000) }];
    const call = callOf("svc.note", { node: worker.nodeID, previousStageRes, meta: { user: "u" } });
    const outcome = await deliver(site.bus, call);
    expect(outcome).toMatchObject({ kind: "answered", response: expect.stringContaining('"user","taskflowExecutionContext"') });
  });

  test("a plain service of the same node is as it was", async () => {
    const call = callOf("plain.note", { node: worker.nodeID });
    const before = site.runs();
    expect(await deliver(site.bus, call)).toMatchObject({ kind: "answered" });
    expect(await deliver(site.bus, again(call))).toMatchObject({ kind: "answered" });
    expect(site.runs()).toBe(before + 2);
  });
});

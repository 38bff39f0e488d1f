/**
 * A worker node in a process of its own, for tests: `svc` with the worker mixin, `plain` without.
 * Settings come as JSON in WORKER; each run of a handler is a line in the file `runs`.
 */
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import type { Context } from "moleculer";
import { NatsTransporter, TaskflowWorker } from "../../lib/index.ts";
import { answerOf } from "./no-data-answers.ts";
import type { TaskflowContext, TaskflowWorkerOptions } from "../../lib/index.ts";

interface Settings {
  nodeID: string;
  namespace: string;
  url: string;
  /** Moleculer's own transporter. */
  stock?: boolean;
  worker?: TaskflowWorkerOptions;
  runs: string;
  /** `svc.wait` answers when this file is there. */
  go: string;
}

const { nodeID, namespace, url, stock, worker, runs, go } = JSON.parse(process.env.WORKER ?? "{}") as Settings;

const broker = new ServiceBroker({
  nodeID,
  namespace,
  transporter: stock ? { type: "NATS", options: { url } } : new NatsTransporter({ url }),
  logger: false,
  // In case a test is killed: without heartbeats it is as gone as it should be.
  heartbeatInterval: 1,
  heartbeatTimeout: 4,
});

function told(kind: unknown): unknown {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const megabytes = "ä".repeat(1_000_000);
  switch (kind) {
    case "cycle":
      return cycle;
    case "bigint":
      return { size: 1n };
    case "2 MB":
      return megabytes;
    case "16 MiB":
      return "x".repeat(16 * 1024 * 1024);
    case "proto":
      return JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":1}');
    case "2 MB error":
      throw Object.assign(new Error(megabytes), { type: megabytes, code: megabytes, data: { megabytes, retryAfter: 7 } });
    case "error with a cycle":
      throw Object.assign(new Error("It broke."), { data: cycle });
    case "error that cannot be read":
      throw Object.defineProperty(new Error(""), "message", {
        get() {
          throw new Error("Not for you.");
        },
      });
    case "null":
      throw null; // oxlint-disable-line no-throw-literal, typescript/only-throw-error -- what handlers do
    default:
      return process.pid;
  }
}

const actions = {
  note(ctx: Context) {
    appendFileSync(runs, "note\n");
    return { pid: process.pid, meta: Object.keys(ctx.meta) };
  },
  async wait(ctx: TaskflowContext) {
    appendFileSync(runs, "wait\n");
    while (!existsSync(go)) {
      if (ctx.taskflow?.signal.aborted) throw new Error(`Aborted: ${String(ctx.taskflow.signal.reason)}`);
      await delay(20);
    }
    return { pid: process.pid };
  },
  async produce(ctx: TaskflowContext<{ make?: unknown }>) {
    appendFileSync(runs, "produce\n");
    await ctx.call("taskflow.produce", ctx.params.make);
    return actions.wait(ctx);
  },
  /** Streams too: Moleculer itself sends them. */
  answer(ctx: Context<{ kind: string }>) {
    appendFileSync(runs, "answer\n");
    return answerOf(ctx.params.kind);
  },
  tell(ctx: Context<{ kind?: string }>) {
    appendFileSync(runs, "tell\n");
    if (ctx.params.kind === "2 MB meta") (ctx.meta as Record<string, unknown>).large = "x".repeat(2_000_000);
    if (ctx.params.kind === "bigint meta") (ctx.meta as Record<string, unknown>).large = 1n;
    return told(ctx.params.kind);
  },
};

broker.createService({ name: "svc", mixins: [TaskflowWorker(worker)], actions });
broker.createService({ name: "plain", actions });
await broker.start();
console.log(JSON.stringify({ ready: true }));

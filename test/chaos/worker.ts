/**
 * A worker of the chaos run: the service `ledgered` with the worker mixin and a ledger that
 * survives the process, and `plain` without. Settings come as JSON in CHAOS_WORKER. Each run of a
 * handler is written into the log, outside of everything that is tested.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import type { Context } from "moleculer";
import { NatsTransporter, TaskflowWorker } from "../../lib/index.ts";
import type { TaskflowContext, TaskflowExecutionContext } from "../../lib/index.ts";
import { ExecutionLog } from "./execution-log.ts";

export interface ChaosWorkerSettings {
  readonly nodeID: string;
  readonly namespace: string;
  readonly url: string;
  readonly ledger: string;
  readonly log: string;
}

export interface WorkParams {
  /** ms. */
  readonly work: number;
  /** Attempts that fail before one succeeds. */
  readonly failures?: number;
  /** It works longer than its timeout, and sends heartbeats. */
  readonly beats?: boolean;
}

/** What a handler answers: which run of it that was, and which runs it was told of. */
export interface WorkAnswer {
  readonly run: string;
  readonly previous: readonly (string | null)[];
}

const { nodeID, namespace, url, ledger, log: path } = JSON.parse(process.env.CHAOS_WORKER ?? "{}") as ChaosWorkerSettings;
const log = new ExecutionLog(path);
const incarnation = `${process.pid}-${Date.now().toString(36)}`;
/** A worker sends one a second at most. */
const BEAT_MS = 500;
let runs = 0;

async function work(ctx: Context<WorkParams>): Promise<WorkAnswer> {
  const { taskflowExecutionContext } = ctx.meta as { taskflowExecutionContext: TaskflowExecutionContext };
  const { taskflow, previousStageRes = [] } = taskflowExecutionContext;
  const { id, taskId, taskInfo, delivery, fence } = taskflow;
  const run = `${incarnation}-${++runs}`;
  const key = `${id}:${taskId}:${taskInfo.attempt}`;
  const action = ctx.action?.name ?? "";
  log.write({ kind: "start", run, key, delivery, fence, pid: process.pid, node: nodeID, action, at: Date.now() });
  const { taskflow: handle } = ctx as unknown as Partial<TaskflowContext>;
  const heart = ctx.params.beats ? setInterval(() => handle?.heartbeat(), BEAT_MS) : undefined;
  await delay(ctx.params.work);
  clearInterval(heart);
  const ok = taskInfo.attempt >= (ctx.params.failures ?? 0);
  log.write({ kind: "end", run, ok, at: Date.now() });
  if (!ok) throw new Error(`Attempt ${taskInfo.attempt} was to fail.`);
  const previous = Array.isArray(previousStageRes)
    ? previousStageRes.map(({ response }) => (response as WorkAnswer | null)?.run ?? null)
    : [];
  return { run, previous };
}

const broker = new ServiceBroker({
  nodeID,
  namespace,
  transporter: new NatsTransporter({ url }),
  logger: { type: "Console", options: { level: "info", formatter: "short", colors: false } },
  heartbeatInterval: 5,
  heartbeatTimeout: 15,
});
broker.createService({ name: "ledgered", mixins: [TaskflowWorker({ ledger })], actions: { work } });
broker.createService({ name: "plain", actions: { work } });
await broker.start();
process.stdout.write("The worker is ready.\n");

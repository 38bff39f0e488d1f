/** Deliveries of attempts as a coordinator makes them, without a coordinator. */
import type { MoleculerBus } from "../../lib/adapters/moleculer/bus.ts";
import type { JsonText } from "../../lib/core/model/values.ts";
import type { Outcome } from "../../lib/core/execution/inputs.ts";
import type { Call, OutcomeQuery, Reply } from "../../lib/ports/dispatch.ts";
import { uniqueName } from "./unique.ts";

const TASK = "00000000-0000-8000-8000-000100000000";

export interface DeliveryOptions {
  node: string;
  taskflowId?: string;
  attempt?: number;
  delivery?: number;
  fence?: number;
  params?: object;
  meta?: Readonly<Record<string, unknown>>;
  timeout?: number;
  exactlyOnce?: boolean;
  previousStageRes?: unknown;
  listenMs?: number;
}

/** `action` is `svc.do` or `v2.svc.do`. */
export function callOf(action: string, given: DeliveryOptions): Call {
  const {
    node,
    taskflowId = uniqueName("flow"),
    attempt = 0,
    delivery = 1,
    fence = 1,
    params = {},
    meta = {},
    timeout = 20_000,
  } = given;
  const [, version, serviceId = "", actionName = ""] = /^(?:v(\d+)\.)?([^.]+)\.(.+)$/.exec(action) ?? [];
  const taskInfo = {
    id: TASK,
    attempt,
    meta,
    params,
    options: { timeout, exactlyOnceTaskExecution: given.exactlyOnce ?? false },
    status: "RUNNING",
    nestedActiveRunningTaskFlowIds: [],
    nestedTaskflows: [],
    name: "task",
    type: "ACTION",
    taskDetails: { serviceId, actionName, ...(version === undefined ? {} : { version: Number(version) }) },
  };
  const { previousStageRes } = given;
  const context = JSON.stringify({
    ...(previousStageRes === undefined ? {} : { previousStageRes }),
    taskflow: { id: taskflowId, stageId: "stage", createdAt: 1, taskId: TASK, delivery, fence, taskInfo },
  }) as JsonText;
  const idempotencyKey = `${taskflowId}:${TASK}:${attempt}`;
  const ids = { taskflowId, stageId: "stage", taskId: TASK, attempt, delivery, fence, idempotencyKey };
  return {
    target: action,
    node,
    taskDetails: taskInfo.taskDetails,
    params,
    meta,
    context,
    ...ids,
    listenMs: given.listenMs ?? timeout,
  };
}

/** The next delivery of the same attempt. */
export function again(call: Call, more: { delivery?: number; node?: string; fence?: number } = {}): Call {
  const { delivery = call.delivery + 1, node = call.node, fence = call.fence } = more;
  const context = JSON.parse(call.context) as { taskflow: object };
  return {
    ...call,
    delivery,
    node,
    fence,
    context: JSON.stringify({ ...context, taskflow: { ...context.taskflow, delivery, fence } }) as JsonText,
  };
}

export function deliver(bus: MoleculerBus, call: Call): Promise<Outcome> {
  return new Promise((resolve) => bus.call(call, resolve));
}

/** Asks about an attempt as if it had been sent to the process that runs the node now. */
export function ask(bus: MoleculerBus, call: Call, more: Partial<OutcomeQuery> = {}): Promise<Reply> {
  const { target, node, idempotencyKey: key, delivery } = call;
  const process = bus.processOf(node);
  const query = { target, node, key, delivery, ageMs: 0, patienceMs: 5_000, ...(process === undefined ? {} : { process }) };
  return new Promise((resolve) => void bus.queryOutcome({ ...query, ...more }, resolve));
}

/** A success as a worker's ledger tells it: with the delivery whose handler ran. */
export function ranIn(outcome: Outcome, delivery = 1): Outcome {
  return outcome.kind === "answered" ? { ...outcome, delivery } : outcome;
}

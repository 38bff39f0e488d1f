/**
 * The action `produce`: a taskflow of its own, or one nested below the task whose handler calls it.
 */
import type { Service } from "moleculer";
import { getEventsEndpoint } from "../../lib/protocol/events-subject.ts";
import { passOn } from "../../lib/adapters/moleculer/forward-command.ts";
import { CONTEXT_KEY, PRODUCE_BELOW_ACTION } from "../../lib/protocol/names.ts";
import type { CommandResult } from "../../lib/core/model/command.ts";
import type { NewChild, Producer } from "../../lib/coordinator/commands/nesting.ts";
import { errorOfRefusal, taskflowError } from "../../lib/errors/errors.ts";
import { readTaskflowId, validateTaskflow, validationError } from "../../lib/validation/index.ts";
import { backoff, sleep } from "../../lib/util/timer.ts";
import type { ActionAnswers, ActionParams } from "../../schemas/actions/index.ts";
import type { Call } from "./action.ts";
import { type Engine, engineOf } from "./engine.ts";
import { isRecord } from "../../lib/util/record.ts";

/** How long the parent's owner is looked for: a takeover takes as long as a lease. */
const PATIENCE_MS = 30_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * The producer's meta, which travels with every task: plain JSON, without the execution context and
 * Moleculer's own keys.
 */
function producersMeta(meta: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  let isEmpty = true;
  for (const [key, value] of Object.entries(meta)) {
    if (key === CONTEXT_KEY || key.startsWith("$")) continue;
    kept[key] = value;
    isEmpty = false;
  }
  if (isEmpty) return kept;
  try {
    return JSON.parse(JSON.stringify(kept)) as Record<string, unknown>;
  } catch (error) {
    const message = `ctx.meta of the producer is stored with the taskflow, and is not JSON: ${(error as Error).message}`;
    throw validationError("The taskflow is not valid", [{ path: "/meta", message, keyword: "type" }]);
  }
}

/** A proxy of the caller's process may throw; the validation that follows reports it. */
function isDetached(given: unknown): boolean {
  try {
    return isRecord(given) && given["detached"] === true;
  } catch {
    return false;
  }
}

/**
 * The delivery whose handler is the caller; undefined if there is none, or if the taskflow is
 * detached.
 */
function producerOf(given: unknown, meta: Readonly<Record<string, unknown>>): Producer | undefined {
  if (isDetached(given)) return undefined;
  const context = meta[CONTEXT_KEY];
  const taskflow = isRecord(context) ? context["taskflow"] : undefined;
  if (!isRecord(taskflow) || !isRecord(taskflow["taskInfo"])) return undefined;
  const { id, taskId, taskInfo, delivery = 1 } = taskflow;
  const { attempt } = taskInfo;
  if (typeof id !== "string" || typeof taskId !== "string" || typeof attempt !== "number" || typeof delivery !== "number")
    return undefined;
  return { taskflowId: id, taskId, attempt, delivery };
}

export async function produce(engine: Engine, given: unknown, { service, ctx }: Call): Promise<ActionAnswers["produce"]> {
  const { coordinator } = engine;
  const taskflowId = readTaskflowId(given);
  const answer = (id: string, existing: boolean): ActionAnswers["produce"] => ({
    taskflowId: id,
    eventSubscription: getEventsEndpoint(id, true, service.broker.namespace),
    ...(existing ? { existing: true } : {}),
  });
  const producer = producerOf(given, ctx.meta);
  if (taskflowId !== undefined && (await coordinator.exists(taskflowId))) {
    if (!producer || !(await isBelow(engine, taskflowId, producer))) return answer(taskflowId, true);
  }
  const taskflow = checked(engine, given);
  const meta = producersMeta(ctx.meta);
  if (producer) {
    const id = taskflowId ?? engine.newId();
    const child = { ...taskflow, meta, taskflowId: id, isChosen: taskflowId !== undefined, maxDepth: engine.limits.nesting };
    const data = await produceAtOwner(service, producer, child);
    return answer(id, data["existing"] === true);
  }
  const stored = await coordinator.produce({ ...(taskflowId === undefined ? {} : { taskflowId }), ...taskflow, meta });
  return answer(stored.taskflowId, stored.existing === true);
}

/** @throws TASKFLOW_VALIDATION_ERROR */
function checked(engine: Engine, given: unknown): Pick<NewChild, "definition" | "text"> {
  const result = validateTaskflow(given, engine);
  if (!result.ok) throw validationError("The taskflow is not valid", result.problems);
  const { definition, text } = result;
  return { definition, text };
}

/** Does it stand below this very task? Then its handler goes on with it. */
async function isBelow({ coordinator }: Engine, taskflowId: string, producer: Producer): Promise<boolean> {
  const parent = (await coordinator.peek(taskflowId))?.parent;
  return parent?.taskflowId === producer.taskflowId && parent.taskId === producer.taskId;
}

/** @throws PARENT_TASK_NOT_RUNNING, NESTING_TOO_DEEP, TASKFLOW_OVERLOADED, STORE_UNAVAILABLE */
async function produceAtOwner(
  service: Service,
  producer: Producer,
  child: Omit<NewChild, "isNew">,
): Promise<Readonly<Record<string, unknown>>> {
  const { coordinator } = engineOf(service);
  const deadline = performance.now() + PATIENCE_MS;
  let isNew = !child.isChosen;
  const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  for (;;) {
    const here = await coordinator.produceBelow(producer, { ...child, isNew });
    if (here) return dataOf(here);
    const owner = await coordinator.ownerOf(producer.taskflowId);
    if (owner === undefined) {
      const message = `Taskflow "${producer.taskflowId}", whose task produces this one, is not running any more.`;
      throw taskflowError("PARENT_TASK_NOT_RUNNING", message, producer);
    }
    isNew = false;
    if (owner !== null && owner !== service.broker.nodeID) {
      const heard = await passOn(service.broker, owner, PRODUCE_BELOW_ACTION, producer.taskflowId, forwarded(producer, child));
      if (typeof heard === "object") return dataOf(heard);
    }
    if (performance.now() >= deadline) {
      const message = `Taskflow "${producer.taskflowId}", whose task produces this one, has no owner right now. Try again.`;
      throw taskflowError("TASKFLOW_OVERLOADED", message, { retryAfter: 1 });
    }
    await sleep(pause());
  }
}

const forwarded = (producer: Producer, { definition, taskflowId, isChosen, meta }: Omit<NewChild, "isNew">): object => ({
  producer,
  taskflowId,
  isChosen,
  taskflow: definition,
  meta,
});

/** From another coordinator. Without an answer: the parent is not this one's. */
export async function produceBelow(engine: Engine, params: ActionParams["produceBelow"]): Promise<ActionAnswers["produceBelow"]> {
  const { producer, taskflowId, isChosen, taskflow, meta } = params;
  const child = { ...checked(engine, taskflow), taskflowId, isChosen, meta, isNew: false, maxDepth: engine.limits.nesting };
  const answer = await engine.coordinator.produceBelow(producer, child);
  return answer ? { answer } : {};
}

/** @throws the refusal as an error of the catalogue */
export function dataOf(answer: CommandResult): Readonly<Record<string, unknown>> {
  if (answer.ok) return answer.data;
  throw errorOfRefusal(answer);
}

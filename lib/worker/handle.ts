/** `ctx.taskflow`: a handler's view of the run that it is part of, and its way to report to it. */
import type { Context } from "moleculer";
import type { PreviousStageResponse } from "../../schemas/execution-context.schema.ts";
import { HEARTBEAT_EVENT } from "../protocol/names.ts";
import { PreviousResponses } from "./previous-responses.ts";
import type { Delivery } from "./delivery.ts";

/** `ctx.taskflow` of a handler that a task called; undefined for other callers. */
export interface TaskflowHandle {
  readonly taskflowId: string;
  readonly stageId: string;
  readonly taskId: string;
  /** From 0; grows with each automatic or manual retry. */
  readonly attempt: number;
  /** Counts the deliveries of this attempt, from 1. */
  readonly delivery: number;
  /** `taskflowId:taskId:attempt`: the same for every delivery of one attempt. */
  readonly idempotencyKey: string;
  /**
   * The responses of the previous stage, in definition order; empty in the first stage. Large ones
   * are fetched at the first call. Rejects if the attempt is aborted meanwhile, or its taskflow is
   * gone.
   */
  previousStageRes(): Promise<readonly PreviousStageResponse[]>;
  /**
   * Aborted when the answer is not awaited any more: the attempt's timeout is over, its taskflow
   * was cancelled, or its node stops.
   */
  readonly signal: AbortSignal;
  /**
   * Restarts the attempt's timeout and shows progress. Sent once a second at most, with the latest
   * progress. Never throws.
   */
  heartbeat(progress?: unknown): void;
  /** Logs with the ids of the run. */
  log(message: string, data?: Readonly<Record<string, unknown>>): void;
}

const HEARTBEAT_PAUSE_MS = 1_000;
const MAX_PROGRESS = 4_096;

class Heartbeats {
  readonly #send: (progress: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #next: { progress: unknown } | undefined;

  constructor(send: (progress: unknown) => void) {
    this.#send = send;
  }

  beat(progress: unknown): void {
    if (this.#timer) {
      this.#next = { progress };
      return;
    }
    this.#send(progress);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.beat(next.progress);
    }, HEARTBEAT_PAUSE_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#next = undefined;
  }
}

function sendHeartbeat({ broker }: Context, key: string, progress: unknown): void {
  try {
    const text: string | undefined = JSON.stringify(progress);
    if (text !== undefined && text.length > MAX_PROGRESS) {
      throw new RangeError(`progress must have at most ${MAX_PROGRESS} characters as JSON, got ${text.length}`);
    }
    const fields = text === undefined ? {} : { progress: JSON.parse(text) as unknown };
    broker.broadcast(HEARTBEAT_EVENT, { key, ...fields }).catch(() => undefined);
  } catch (error) {
    broker.logger.warn(`A heartbeat of ${key} was not sent.`, error);
  }
}

/**
 * @param beaten called with each heartbeat
 * @returns the handle, and what ends it with the handler
 */
export function handleOf(
  ctx: Context,
  call: Delivery,
  signal: AbortSignal,
  beaten: () => void,
): { readonly handle: TaskflowHandle; readonly end: () => void } {
  const { context, key, delivery } = call;
  const { id: taskflowId, stageId, taskId, taskInfo } = context.taskflow;
  const { attempt } = taskInfo;
  const previous = new PreviousResponses(ctx.broker, context, signal);
  const heartbeats = new Heartbeats((progress) => sendHeartbeat(ctx, key, progress));
  let isOver = false;
  const handle = {
    taskflowId,
    stageId,
    taskId,
    attempt,
    delivery,
    idempotencyKey: key,
    previousStageRes: () => previous.read(),
    signal,
    heartbeat: (progress?: unknown) => {
      if (isOver) return;
      beaten();
      heartbeats.beat(progress);
    },
    log: (message: string, data?: Readonly<Record<string, unknown>>) => {
      const logger = ctx.service?.logger ?? ctx.broker.logger;
      logger.info(message, { taskflowId, taskId, attempt, ...data });
    },
  };
  const end = (): void => {
    isOver = true;
    heartbeats.stop();
  };
  return { handle, end };
}

import type { ServiceBroker } from "moleculer";
import { setTimeout as delay } from "node:timers/promises";
import type { PreviousStageResponse, TaskflowExecutionContext } from "../../schemas/execution-context.schema.ts";
import { isPermanentError } from "../errors/errors.ts";
import { PREVIOUS_RESPONSES_ACTION, VALUE_ACTION } from "../protocol/names.ts";
import { backoff } from "../util/timer.ts";
import { fetchValue, isReferred } from "../protocol/value-ref.ts";

const CALL_TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

interface Page {
  readonly rows: readonly PreviousStageResponse[];
  readonly nextCursor?: string;
}

/**
 * The responses of the previous stage. If they travelled by reference, they are fetched from the
 * coordinators page by page when first read; until the attempt is aborted, an unavailable bus or
 * coordinator is waited for.
 */
export class PreviousResponses {
  readonly #broker: ServiceBroker;
  readonly #context: TaskflowExecutionContext;
  readonly #signal: AbortSignal;
  #rows: Promise<readonly PreviousStageResponse[]> | undefined;

  constructor(broker: ServiceBroker, context: TaskflowExecutionContext, signal: AbortSignal) {
    this.#broker = broker;
    this.#context = context;
    this.#signal = signal;
  }

  read(): Promise<readonly PreviousStageResponse[]> {
    const { previousStageRes } = this.#context;
    if (Array.isArray(previousStageRes)) return Promise.resolve(previousStageRes);
    if (previousStageRes === undefined) return Promise.resolve([]);
    this.#rows ??= this.#begin();
    return this.#rows;
  }

  #begin(): Promise<readonly PreviousStageResponse[]> {
    const rows = this.#fetchAll();
    // A handler may await it later, or never: an unhandled rejection would end the process.
    rows.catch(() => {
      this.#rows = undefined;
    });
    return rows;
  }

  async #fetchAll(): Promise<readonly PreviousStageResponse[]> {
    const rows: PreviousStageResponse[] = [];
    let cursor: string | undefined;
    const { id: taskflowId, taskId } = this.#context.taskflow;
    do {
      const page: Page = await this.#fetch(PREVIOUS_RESPONSES_ACTION, {
        taskflowId,
        taskId,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const row of page.rows) rows.push(await this.#whole(row));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return rows;
  }

  /** An answer that does not fit into a message comes in chunks. */
  async #whole(row: PreviousStageResponse): Promise<PreviousStageResponse> {
    const { taskId, response } = row;
    if (taskId === undefined || !isReferred(response, taskId, "response")) return row;
    return { ...row, response: await fetchValue((offset) => this.#fetch(VALUE_ACTION, { ref: response.$ref, offset })) };
  }

  async #fetch<Data>(action: string, params: object): Promise<Data> {
    const pause = backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        const options = { timeout: CALL_TIMEOUT_MS, retries: 0 };
        return (await this.#broker.call<{ data: Data }, unknown>(action, params, options)).data;
      } catch (error) {
        if (isPermanentError(error)) throw error;
        // Aborted: the next round says so.
        await delay(pause(), undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
  }
}

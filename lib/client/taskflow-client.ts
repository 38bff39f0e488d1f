import type { CallingOptions, ServiceBroker } from "moleculer";
import type { ActionAnswers, ActionName, ActionParams } from "../../schemas/actions/index.ts";
import type { Decided, Retried, TaskDecided } from "../../schemas/actions/commands.ts";
import type { BulkDone, Health, PausedActions } from "../../schemas/actions/operations.ts";
import type { Produced, TaskflowSummary } from "../../schemas/actions/taskflows.ts";
import type { TaskflowStatus } from "../../schemas/common.schema.ts";
import type { PreviousStageResponse } from "../../schemas/execution-context.schema.ts";
import type { Explanation } from "../../schemas/explanation.schema.ts";
import type { TaskflowExport } from "../../schemas/export.schema.ts";
import type { TaskDetails, TaskflowDetails } from "../../schemas/taskflow-details.schema.ts";
import type { TaskflowEvent } from "../../schemas/taskflow-event.schema.ts";
import type { Taskflow } from "../../schemas/taskflow.schema.ts";
import type { ClientMethods, OfTask, OfTaskflow, Page, RetryOptions } from "./results.ts";
import { fetchValue } from "../protocol/value-ref.ts";
import { fetchExport, tooLargeToImport } from "./export.ts";
import { isTaskflowError } from "../errors/errors.ts";
import { sleep } from "../util/timer.ts";
import { parseDuration } from "../util/duration.ts";
import { type EventHandler, EventSubscription, type FetchEvents, type SubscriptionOptions } from "./event-subscription.ts";
import { recordOf } from "../util/record.ts";

/**
 * How long to wait for a taskflow (`timeout`: ms, or text such as "5m"; absent: without limit), and
 * how much of its tree to return.
 */
export interface WaitOptions extends OfTaskflow<"waitForTaskflow"> {}

/**
 * Where a subscription begins: after the event with the `seq` of `since`; by default at the first.
 */
export interface SubscribeOptions extends Pick<OfTaskflow<"getEvents">, "since">, Pick<SubscriptionOptions, "onRecreated"> {}

/**
 * Longest wait of one call, in ms. A longer wait takes several calls, so that a dead coordinator is
 * noticed soon.
 */
const SLICE_MS = 15_000;
/** Extra time of a call beyond the wait that it requests. */
const SPARE_MS = 5_000;
const RETRY_MS = 500;

/**
 * Typed calls of the service `taskflow` from any node: a method for each action, under its name,
 * that returns the `data`. Errors are of the catalogue: `isTaskflowError(error,
 * "TASKFLOW_NOT_FOUND")`. The comments name the errors of each method; any method can also throw
 * STORE_UNAVAILABLE.
 */
export class TaskflowClient implements ClientMethods {
  readonly #broker: ServiceBroker;
  readonly #options: CallingOptions;

  /** @param options calling options for every call, such as `{ meta, timeout }` */
  constructor(broker: ServiceBroker, options: CallingOptions = {}) {
    this.#broker = broker;
    this.#options = options;
  }

  async #call<A extends ActionName>(action: A, params: ActionParams[A], options: CallingOptions = {}): Promise<ActionAnswers[A]> {
    const answer = await this.#broker.call<{ data: ActionAnswers[A] }, unknown>(`taskflow.${action}`, params, {
      ...this.#options,
      ...options,
    });
    return answer.data;
  }

  /**
   * Stores a taskflow and starts it. With a `taskflowId` of your own it can be sent again safely.
   * @throws TASKFLOW_OVERLOADED, STORE_UNAVAILABLE
   */
  produce(taskflow: Taskflow, options?: CallingOptions): Promise<Produced> {
    return this.#call("produce", taskflow, options);
  }

  /**
   * The whole tree, nested taskflows included.
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND
   */
  getTaskflowDetails(taskflowId: string, options: OfTaskflow<"getTaskflowDetails"> = {}): Promise<TaskflowDetails> {
    return this.#call("getTaskflowDetails", { taskflowId, ...options });
  }

  /**
   * One task by id or unique name. A value that does not fit into a message is `{ $ref, bytes }`,
   * for `getValue`.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND
   */
  getTask(taskflowId: string, taskId: string): Promise<TaskDetails> {
    return this.#call("getTask", { taskflowId, taskId });
  }

  /**
   * The value behind a `$ref`, of any size: fetched in parts.
   * @throws TASKFLOW_CONFLICT if it has been replaced since, TASKFLOW_NOT_FOUND, TASK_NOT_FOUND
   */
  getValue(ref: string): Promise<unknown> {
    return fetchValue((offset) => this.#call("getValue", { ref, offset }));
  }

  /**
   * The responses of the stage before, as the task gets them, page by page; values as in `getTask`.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND
   */
  getPreviousStageRes(taskflowId: string, taskId: string, cursor?: string): Promise<Page<PreviousStageResponse>> {
    return this.#call("getPreviousStageRes", { taskflowId, taskId, ...(cursor === undefined ? {} : { cursor }) });
  }

  /**
   * Tasks in definition order, page by page; values as in `getTask`.
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND
   */
  listTasks(taskflowId: string, query: OfTaskflow<"listTasks"> = {}): Promise<Page<TaskDetails>> {
    return this.#call("listTasks", { taskflowId, ...query });
  }

  /** Taskflows that match, page by page, with their number by status. */
  listTaskflows(
    query: ActionParams["listTaskflows"] = {},
  ): Promise<Page<TaskflowSummary> & { counts: Partial<Record<TaskflowStatus, number>> }> {
    return this.#call("listTaskflows", query);
  }

  /**
   * Ends a taskflow, and those nested in it: once this has answered, nothing of it is sent any
   * more. Handlers with the worker mixin see `signal.aborted`.
   * @throws TASKFLOW_NOT_FOUND, TASKFLOW_ALREADY_FINISHED, TASKFLOW_CONFLICT
   */
  cancelTaskflow(taskflowId: string, options: OfTaskflow<"cancelTaskflow"> = {}): Promise<Decided> {
    return this.#call("cancelTaskflow", { taskflowId, ...options });
  }

  /**
   * A new run of a taskflow that has ended or waits for a decision: of everything, or of a
   * selection.
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND, TASK_NOT_FOUND, TASKFLOW_NOT_RETRYABLE,
   * TASKFLOW_EXACTLY_ONCE, TASK_RUNNING, TASKFLOW_CONFLICT
   */
  retryTaskflow(
    taskflowId: string,
    stagesInfo?: RetryOptions["stagesInfo"],
    tasksInfo?: RetryOptions["tasksInfo"],
  ): Promise<Retried>;
  retryTaskflow(taskflowId: string, options: RetryOptions): Promise<Retried>;
  retryTaskflow(
    taskflowId: string,
    first?: RetryOptions["stagesInfo"] | RetryOptions,
    tasksInfo?: RetryOptions["tasksInfo"],
  ): Promise<Retried> {
    const options = Array.isArray(first) ? { stagesInfo: first } : (first ?? {});
    return this.#call("retryTaskflow", { taskflowId, ...options, ...(tasksInfo ? { tasksInfo } : {}) });
  }

  /**
   * Starts nothing new of a taskflow and of those nested in it; answers of running attempts are
   * taken.
   * @throws TASKFLOW_NOT_FOUND, TASKFLOW_ALREADY_FINISHED, TASKFLOW_CONFLICT
   */
  pauseTaskflow(taskflowId: string, options: OfTaskflow<"pauseTaskflow"> = {}): Promise<Decided> {
    return this.#call("pauseTaskflow", { taskflowId, ...options });
  }

  /**
   * Lets a paused taskflow go on.
   * @throws TASKFLOW_NOT_FOUND, TASKFLOW_ALREADY_FINISHED, TASKFLOW_CONFLICT if it is not paused
   */
  resumeTaskflow(taskflowId: string, options: OfTaskflow<"resumeTaskflow"> = {}): Promise<Decided> {
    return this.#call("resumeTaskflow", { taskflowId, ...options });
  }

  /**
   * Ends a task that waits or runs, as CANCELLED.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, TASK_NOT_ACTIVE, TASKFLOW_ALREADY_FINISHED,
   * TASKFLOW_CONFLICT
   */
  cancelTask(taskflowId: string, taskId: string, options: OfTask<"cancelTask"> = {}): Promise<TaskDecided> {
    return this.#call("cancelTask", { taskflowId, taskId, ...options });
  }

  /**
   * Settles a failed or waiting task by hand; the taskflow goes on.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, TASK_RUNNING, TASK_NOT_ACTIVE,
   * TASKFLOW_ALREADY_FINISHED, TASKFLOW_CONFLICT
   */
  resolveTask(taskflowId: string, taskId: string, options: OfTask<"resolveTask">): Promise<TaskDecided> {
    return this.#call("resolveTask", { taskflowId, taskId, ...options });
  }

  /**
   * Changes params or options for the attempts to come.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, TASK_RUNNING, TASKFLOW_CONFLICT
   */
  updateTask(taskflowId: string, taskId: string, options: OfTask<"updateTask">): Promise<TaskDecided> {
    return this.#call("updateTask", { taskflowId, taskId, ...options });
  }

  /**
   * Adds an annotation, which the details have and `listTaskflows` finds.
   * @throws TASKFLOW_NOT_FOUND, TASKFLOW_CONFLICT
   */
  annotateTaskflow(
    taskflowId: string,
    type: string,
    value: unknown,
    options: Omit<OfTaskflow<"annotateTaskflow">, "type" | "value"> = {},
  ): Promise<{ taskflowId: string; type: string }> {
    return this.#call("annotateTaskflow", { taskflowId, type, value, ...options });
  }

  /**
   * Removes a finished taskflow, with all that is nested below it.
   * @throws TASKFLOW_NOT_FOUND, TASKFLOW_NOT_FINISHED
   */
  deleteTaskflow(taskflowId: string): Promise<{ taskflowId: string }> {
    return this.#call("deleteTaskflow", { taskflowId });
  }

  /**
   * Why each unfinished part is not moving, and what would move it: as sentences and as data.
   * @throws TASKFLOW_NOT_FOUND
   */
  explainTaskflow(taskflowId: string): Promise<Explanation> {
    return this.#call("explainTaskflow", { taskflowId });
  }

  /**
   * One command for every taskflow that matches: each has its turn once, and failures are counted
   * by the type of the error. It has no timeout; the event `taskflow.bulk.progress` says how far it
   * is. With `dryRun` it only counts.
   * @throws TASKFLOW_OVERLOADED when its coordinator stops: what was done is done, and the same
   * bulk can be sent again
   */
  bulk(params: ActionParams["bulk"]): Promise<BulkDone> {
    return this.#call("bulk", params, { timeout: 0, retries: 0 });
  }

  /**
   * A portable copy of a taskflow as it is now, of any size: fetched in parts where it does not fit
   * into a message. It is JSON.
   * @throws TASKFLOW_NOT_FOUND
   */
  exportTaskflow(taskflowId: string): Promise<TaskflowExport> {
    return fetchExport((cursor) => this.#call("exportTaskflow", { taskflowId, ...cursor }));
  }

  /**
   * Makes a taskflow of an export. One that was not finished is PAUSED until it is resumed. With a
   * `newTaskflowId` it can be sent again safely.
   * @throws TASKFLOW_VALIDATION_ERROR, TASKFLOW_OVERLOADED; PAYLOAD_TOO_LARGE if it does not fit
   * into one message to the coordinator
   */
  async importTaskflow(
    exported: TaskflowExport,
    { newTaskflowId }: { newTaskflowId?: string } = {},
  ): Promise<Produced & { status: TaskflowStatus }> {
    try {
      return await this.#call("importTaskflow", { ...exported, ...(newTaskflowId === undefined ? {} : { newTaskflowId }) });
    } catch (error) {
      throw tooLargeToImport(error) ?? error;
    }
  }

  /**
   * Keeps tasks from calling the actions of a pattern (`payment.*`, `**`), at every coordinator,
   * until it is lifted.
   * @throws STORE_UNAVAILABLE
   */
  pauseActions(pattern: string, reason?: string): Promise<PausedActions> {
    return this.#call("pauseActions", { pattern, ...(reason === undefined ? {} : { reason }) });
  }

  /**
   * Lifts the rules with exactly this pattern; `lifted` is their number. `**` also ends the pause
   * of coordinators that started paused.
   * @throws STORE_UNAVAILABLE
   */
  resumeActions(pattern: string): Promise<{ pattern: string; lifted: number }> {
    return this.#call("resumeActions", { pattern });
  }

  /** The rules of all coordinators, oldest first. */
  listPausedActions(): Promise<{ rows: PausedActions[] }> {
    return this.#call("listPausedActions", {});
  }

  /** Store, bus and load of the coordinator that answers. */
  health(): Promise<Health> {
    return this.#call("health", {});
  }

  /** Answers as long as the process of a coordinator does. */
  live(): Promise<{ live: true }> {
    return this.#call("live", {});
  }

  /** Whether the coordinator that answers takes work. */
  ready(): Promise<{ ready: boolean }> {
    return this.#call("ready", {});
  }

  /**
   * The tree once the taskflow is finished, whatever its status. It calls again while the taskflow
   * goes on, and after losses of the bus.
   * @throws TASKFLOW_WAIT_TIMEOUT when `timeout` passes first (`data`: the tree so far),
   * TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND
   */
  async waitForTaskflow(taskflowId: string, { timeout, ...shown }: WaitOptions = {}): Promise<TaskflowDetails> {
    const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + parseDuration(timeout);
    for (;;) {
      const slice = Math.max(0, Math.min(SLICE_MS, Math.ceil(deadline - performance.now())));
      const params = { taskflowId, timeout: slice, ...shown };
      try {
        return await this.#call("waitForTaskflow", params, { timeout: slice + SPARE_MS, retries: 0 });
      } catch (error) {
        if (performance.now() >= deadline || !isPassing(error)) throw error;
        if (!isTaskflowError(error, "TASKFLOW_WAIT_TIMEOUT")) await sleep(RETRY_MS);
      }
    }
  }

  /**
   * Events of the history with `seq` > `since`, as many as fit into a message.
   * `subscribeToTaskflowEvents` follows live ones too.
   * @throws TASKFLOW_NOT_FOUND
   */
  getEvents(
    taskflowId: string,
    options: OfTaskflow<"getEvents"> = {},
  ): Promise<{ events: TaskflowEvent[]; lastSeq: number; finished: boolean }> {
    return this.#call("getEvents", { taskflowId, ...options });
  }

  /**
   * Gives every event with `seq` > `since` to the handler, each once and in order, one call after
   * the other: history first, then live, across reconnects. Resolves when the history has been
   * given.
   * @throws TASKFLOW_NOT_FOUND
   */
  subscribeToTaskflowEvents(
    taskflowId: string,
    handler: EventHandler,
    { since = 0, onRecreated }: SubscribeOptions = {},
  ): Promise<EventSubscription> {
    const fetch: FetchEvents = (from, limit) =>
      // A call that the bus loses would never end, and no further event would be delivered.
      this.#call("getEvents", { taskflowId, since: from, limit }, { timeout: SPARE_MS, retries: 0 });
    return new EventSubscription(this.#broker, taskflowId, fetch, handler, {
      since,
      ...(onRecreated ? { onRecreated } : {}),
    }).start();
  }
}

/** The wait goes on: time was up for one call, or the bus lost it. */
function isPassing(error: unknown): boolean {
  return isTaskflowError(error, "TASKFLOW_WAIT_TIMEOUT") || recordOf(error)["retryable"] === true;
}

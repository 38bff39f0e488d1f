/** What is read of taskflows: by their coordinator from memory, of all others from the store. */
import type { ActionAnswers, ActionParams } from "../../../schemas/actions/index.ts";
import type { TaskflowSummary } from "../../../schemas/actions/taskflows.ts";
import { DEFAULT_TASKS_SIZE } from "../../../schemas/actions/tasks.ts";
import type { PreviousStageResponse } from "../../../schemas/execution-context.schema.ts";
import type { TaskDetails, TaskflowDetails } from "../../../schemas/taskflow-details.schema.ts";
import type { TaskflowEvent } from "../../../schemas/taskflow-event.schema.ts";
import { previousRows } from "../../core/views/execution-context.ts";
import { progressOf, effectiveStatus, taskDetails, taskflowDetails, type WaitReason } from "../../core/views/details.ts";
import { type Flow, isOver, type Task } from "../../core/model/flow.ts";
import type { Refusal } from "../../core/model/command.ts";
import { findStage, findTask } from "../../core/model/find.ts";
import { targetOf } from "../../core/model/task-type.ts";
import { errorOfRefusal, taskflowError, type TaskflowErrorLike, taskflowNotFound } from "../../errors/errors.ts";
import { bytesOf, fitEvents } from "../../protocol/truncate.ts";
import { copyJson } from "../../util/copy-json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store, TaskflowQuery } from "../../ports/store.ts";
import type { KnownTaskTypes } from "../../ports/task-types.ts";
import type { Coordinator } from "../coordinator.ts";
import { addNestedTrees, branchOf } from "./nested-trees.ts";
import type { Gate } from "../flow-control/pause-rules.ts";
import { fits, type Chunk } from "../../protocol/chunks.ts";
import { refer } from "../../protocol/value-ref.ts";
import type { JournalCache } from "./journal-cache.ts";
import { Looks } from "./looks.ts";
import { Values } from "./values.ts";
import { boundOfTask, truncateTask, truncateTree, shapeOf } from "./truncate.ts";

/** Who gets an answer. */
export interface Reader {
  /** In this process: it gets a copy, for nothing is written on the way. */
  readonly isLocal: boolean;
  /** Bytes of an answer that fit into one message to it; no limit in this process. */
  readonly maxBytes: number;
}

/**
 * Characters of a page of `previousStageRes`: with its frame a page is a message of at most 64 KiB,
 * unless a single row is longer.
 */
const PAGE_LENGTH = 56 * 1024;

/** What of a tree is told: all stages, and all levels of nested taskflows, if nothing is said. */
export interface Shown {
  readonly stages?: readonly string[];
  readonly depth?: number;
}

export interface QueriesOptions {
  readonly coordinator: Coordinator;
  readonly store: Store;
  readonly journals: JournalCache;
  readonly taskTypes: KnownTaskTypes;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly eventTreeLimit: number;
}

export class Queries {
  readonly #coordinator: Coordinator;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #eventTreeLimit: number;
  readonly #journals: JournalCache;
  readonly #looks: Looks;
  readonly #waitReason: WaitReason;
  readonly #values = new Values(async (taskflowId, taskId) => {
    const flow = await this.#flow(taskflowId);
    return { flow, task: orThrow(findTask(flow, taskId)) };
  });

  constructor({ coordinator, store, journals, taskTypes, clock, gate, eventTreeLimit }: QueriesOptions) {
    this.#coordinator = coordinator;
    this.#store = store;
    this.#clock = clock;
    this.#eventTreeLimit = eventTreeLimit;
    this.#journals = journals;
    this.#looks = new Looks(clock);
    this.#waitReason = (task) => {
      const target = targetOf(taskTypes, task);
      if (gate.ruleFor(target)) return "PAUSED";
      return taskTypes.dispatchOf(task).route(target) === undefined ? "NO_WORKER" : "CONCURRENCY_LIMIT";
    };
  }

  /** @throws TASKFLOW_NOT_FOUND */
  async #flow(taskflowId: string): Promise<Flow> {
    const flow = await this.#find(taskflowId);
    if (!flow) throw taskflowNotFound(taskflowId);
    return flow;
  }

  async #find(taskflowId: string): Promise<Flow | undefined> {
    return (await this.#coordinator.inMemory(taskflowId)) ?? (await this.#journals.read(taskflowId))?.flow;
  }

  /**
   * The tree, with the nested ones in it.
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND
   */
  async details(reader: Reader, taskflowId: string, shown: Shown = {}): Promise<TaskflowDetails> {
    return this.#wholeTree(reader, await this.#flow(taskflowId), shown);
  }

  async #wholeTree(reader: Reader, flow: Flow, { stages, depth = Infinity }: Shown): Promise<TaskflowDetails> {
    const tree = this.#tree(reader, flow, stages);
    if (depth === 0 || flow.children.size === 0) return tree;
    const room = reader.isLocal ? Infinity : reader.maxBytes - bytesOf(tree);
    await addNestedTrees(branchOf(flow, tree), depth, room, async (id) => {
      const nested = await this.#find(id);
      return nested && branchOf(nested, copyJson(taskflowDetails(nested, this.#waitReason)) as TaskflowDetails);
    });
    return tree;
  }

  #tree({ isLocal, maxBytes }: Reader, flow: Flow, stages: readonly string[] | undefined): TaskflowDetails {
    const only = stages && new Set(stages.map((ref) => orThrow(findStage(flow, ref))));
    if (isLocal) return copyJson(taskflowDetails(flow, this.#waitReason, only)) as TaskflowDetails;
    const shape = shapeOf(flow, only, maxBytes);
    const tree = taskflowDetails(flow, this.#waitReason, only, shape);
    if (shape) truncateTree(tree, maxBytes);
    return tree;
  }

  /** @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND */
  async task(reader: Reader, taskflowId: string, ref: string): Promise<TaskDetails> {
    const flow = await this.#flow(taskflowId);
    return this.#row(reader, flow, orThrow(findTask(flow, ref)));
  }

  #row({ isLocal, maxBytes }: Reader, flow: Flow, task: Task): TaskDetails {
    const row = taskDetails(flow, task, this.#waitReason);
    if (isLocal) return copyJson(row) as TaskDetails;
    if (boundOfTask(task) > maxBytes) truncateTask(row, maxBytes, (field, text) => refer(flow.taskflowId, row.id, field, text));
    return row;
  }

  /**
   * `previousStageRes` of a task, page by page, in definition order.
   * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, RangeError for a bad cursor
   */
  async previousStageRes(
    { isLocal, maxBytes }: Reader,
    taskflowId: string,
    ref: string,
    cursor?: string,
  ): Promise<ActionAnswers["getPreviousStageRes"]> {
    const flow = await this.#flow(taskflowId);
    const all = previousRows(flow, orThrow(findTask(flow, ref)).stage);
    const rows: PreviousStageResponse[] = [];
    let left = PAGE_LENGTH;
    for (let index = cursor === undefined ? 0 : decodeCursor(cursor); index < all.length; index++) {
      const text = all[index] ?? "null";
      const isWhole = isLocal || fits(text, maxBytes);
      left -= isWhole ? text.length : 0;
      if (left < 0 && rows.length > 0) return { rows, nextCursor: encodeCursor(index) };
      const row = JSON.parse(text) as Required<PreviousStageResponse>;
      rows.push(isWhole ? row : { ...row, response: refer(taskflowId, row.taskId, "response", JSON.stringify(row.response)) });
    }
    return { rows };
  }

  /**
   * The JSON text behind a reference, as much as fits.
   * @throws TASKFLOW_VALIDATION_ERROR, TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, TASKFLOW_CONFLICT
   */
  value({ maxBytes }: Reader, ref: string, offset = 0): Promise<Chunk> {
    return this.#values.unit(ref, offset, maxBytes);
  }

  /**
   * Tasks in definition order, page by page; a page ends early if no more fits.
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND, RangeError for a bad cursor
   */
  async tasks(reader: Reader, query: ActionParams["listTasks"]): Promise<ActionAnswers["listTasks"]> {
    const flow = await this.#flow(query.taskflowId);
    const pool = query.stageId === undefined ? flow.tasks : orThrow(findStage(flow, query.stageId)).tasks;
    const statuses = query.status === undefined ? undefined : new Set<unknown>([query.status].flat());
    const pageSize = query.pageSize ?? DEFAULT_TASKS_SIZE;
    const after = query.cursor === undefined ? -1 : decodeCursor(query.cursor);
    const rows: TaskDetails[] = [];
    let last = after;
    let left = reader.maxBytes;
    for (const task of pool) {
      if (task.ordinal <= after) continue;
      if (statuses && !statuses.has(effectiveStatus(flow, task, this.#waitReason).status)) continue;
      const row = rows.length < pageSize ? this.#row(reader, flow, task) : undefined;
      if (row && !reader.isLocal) left -= bytesOf(row) + 1;
      if (!row || (left < 0 && rows.length > 0)) return { rows, nextCursor: encodeCursor(last) };
      rows.push(row);
      last = task.ordinal;
    }
    return { rows };
  }

  /**
   * Rows without tasks. The row of an unfinished taskflow is completed from its journal.
   * @throws RangeError for a bad cursor
   */
  async list(query: TaskflowQuery): Promise<ActionAnswers["listTaskflows"]> {
    const page = await this.#store.list(query);
    const unfinished = page.rows.flatMap(({ taskflowId, finishedAt }) => (finishedAt === null ? taskflowId : []));
    const flows = await this.#findMany(unfinished);
    const rows = page.rows.map((row) => {
      const { owner: _owner, fence: _fence, dueAt: _dueAt, format: _format, annotations: _annotations, ...kept } = row;
      const summary: TaskflowSummary = { ...kept, tags: kept.tags as string[] };
      const flow = flows.get(row.taskflowId);
      if (!flow) return summary;
      if ("message" in flow) return { ...summary, status: "UNREADABLE" as const, unreadable: flow.message };
      const { status, startedAt, finishedAt } = flow;
      return { ...summary, status, startedAt, finishedAt, progress: progressOf(flow) };
    });
    return { ...page, rows };
  }

  /** An error for a taskflow that cannot be read. */
  async #findMany(taskflowIds: readonly string[]): Promise<Map<string, Flow | TaskflowErrorLike>> {
    const flows = new Map<string, Flow | TaskflowErrorLike>();
    const others: string[] = [];
    for (const taskflowId of taskflowIds) {
      const flow = await this.#coordinator.inMemory(taskflowId);
      if (flow) flows.set(taskflowId, flow);
      else others.push(taskflowId);
    }
    for (const [taskflowId, read] of await this.#journals.readMany(others)) {
      flows.set(taskflowId, "flow" in read ? read.flow : read);
    }
    return flows;
  }

  /**
   * The tree once the taskflow and its compensation are finished.
   * @param gone aborted when the caller no longer waits: nothing is read for it any more
   * @throws TASKFLOW_NOT_FOUND, STAGE_NOT_FOUND, TASKFLOW_WAIT_TIMEOUT with the tree so far
   */
  async wait(
    reader: Reader,
    taskflowId: string,
    timeoutMs: number,
    shown: Shown = {},
    gone?: AbortSignal,
  ): Promise<TaskflowDetails> {
    const deadline = this.#clock.monotonic() + timeoutMs;
    for (;;) {
      const flow = await this.#flow(taskflowId);
      for (const ref of shown.stages ?? []) orThrow(findStage(flow, ref));
      if (isOver(flow)) return this.#wholeTree(reader, flow, shown);
      const left = deadline - this.#clock.monotonic();
      if (left <= 0)
        throw taskflowError(
          "TASKFLOW_WAIT_TIMEOUT",
          `Taskflow "${taskflowId}" is ${flow.status} after ${timeoutMs} ms.`,
          await this.#wholeTree(reader, flow, shown),
        );
      const last = await this.#change(taskflowId, left, gone);
      if (gone?.aborted)
        throw taskflowError("TASKFLOW_WAIT_TIMEOUT", `The caller that waited for taskflow "${taskflowId}" has left.`);
      if (last && isOver(last)) return this.#wholeTree(reader, last, shown);
    }
  }

  /**
   * Waits until the taskflow leaves this coordinator, at most that long; if it is not resident
   * here, until the next look is due.
   */
  #change(taskflowId: string, leftMs: number, gone: AbortSignal | undefined): Promise<Flow | undefined> {
    return new Promise((resolve) => {
      const end = (last?: Flow): void => {
        endWatch();
        cancel();
        gone?.removeEventListener("abort", left);
        resolve(last);
      };
      const left = (): void => end();
      const endWatch = this.#coordinator.watch(taskflowId, end) ?? this.#looks.await(taskflowId, end);
      const cancel = this.#clock.after(Math.ceil(leftMs), end);
      gone?.addEventListener("abort", left);
    });
  }

  /**
   * Events with `seq` > `since`, in order, as many as fit, and the number of the latest there is.
   * @throws TASKFLOW_NOT_FOUND
   */
  async events(reader: Reader, taskflowId: string, since: number, limit: number): Promise<ActionAnswers["getEvents"]> {
    const read = await this.#journals.read(taskflowId);
    if (!read) throw taskflowNotFound(taskflowId);
    const { flow, history } = read;
    const { events, lastSeq } = history.page(since, limit, this.#eventTreeLimit);
    const texts = events.map(({ text }) => text);
    const fitting = reader.isLocal ? texts : fitEvents(texts, reader.maxBytes);
    return { events: fitting.map((text) => JSON.parse(text) as TaskflowEvent), lastSeq, finished: isOver(flow) };
  }
}

/** @throws STAGE_NOT_FOUND, TASK_NOT_FOUND */
function orThrow<Found extends object>(found: Found | Refusal): Found {
  if ("ok" in found) throw errorOfRefusal(found);
  return found;
}

function encodeCursor(ordinal: number): string {
  return Buffer.from(`t${ordinal}`).toString("base64url");
}

function decodeCursor(cursor: string): number {
  const match = /^t(-?\d{1,9})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (!match) throw new RangeError(`The cursor must come from listTasks, got "${cursor.slice(0, 40)}".`);
  return Number(match[1]);
}

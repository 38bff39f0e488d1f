/** `getValue`: the JSON text behind a reference, in parts. */
import { previousRows, previousStage } from "../../core/views/execution-context.ts";
import { taskDetails } from "../../core/views/details.ts";
import type { Flow, Task } from "../../core/model/flow.ts";
import { taskflowError } from "../../errors/errors.ts";
import { digestOf, isBeginning, chunkAt, type Chunk } from "../../protocol/chunks.ts";
import { validationError } from "../../validation/index.ts";
import { REFERABLE, PREVIOUS, partsOf, type Referable, type ValueRef } from "../../protocol/value-ref.ts";

/**
 * Finds a task in memory or in the store.
 * @throws TASKFLOW_NOT_FOUND, TASK_NOT_FOUND
 */
export type TaskFinder = (taskflowId: string, taskId: string) => Promise<{ flow: Flow; task: Task }>;

export class Values {
  readonly #find: TaskFinder;
  /**
   * The text that is being fetched in chunks: it belongs to its reference, whatever becomes of the
   * task.
   */
  #latest: { readonly ref: string; readonly text: string } | undefined;

  constructor(find: TaskFinder) {
    this.#find = find;
  }

  /**
   * @throws TASKFLOW_VALIDATION_ERROR, TASKFLOW_NOT_FOUND, TASK_NOT_FOUND, TASKFLOW_CONFLICT if the
   * value was replaced
   */
  async unit(ref: string, offset: number, maxBytes: number): Promise<Chunk> {
    const text = this.#latest?.ref === ref ? this.#latest.text : await this.#read(ref);
    if (!isBeginning(text, offset)) {
      const message = `/offset is ${offset}, where no part of the ${text.length} characters begins: give the nextOffset of the part before.`;
      throw validationError("The params of taskflow.getValue are not valid", [{ path: "/offset", message, keyword: "format" }]);
    }
    const unit = chunkAt(text, offset, maxBytes);
    this.#latest = unit.nextOffset === undefined ? undefined : { ref, text };
    return unit;
  }

  async #read(ref: string): Promise<string> {
    const { taskflowId, taskId, field, digest } = valueRefOf(ref);
    const { flow, task } = await this.#find(taskflowId, taskId);
    const text = field === "previousStageRes" ? previousText(flow, task, digest) : textOf(flow, task, field);
    if (text !== undefined && (field === "previousStageRes" || digestOf(text) === digest)) return text;
    const message = `The ${field} of task "${task.definition.name}" of taskflow "${taskflowId}" is another one by now: read the task again for its reference.`;
    throw taskflowError("TASKFLOW_CONFLICT", message, { taskflowId, taskId, field });
  }
}

function textOf(flow: Flow, task: Task, field: Referable): string | undefined {
  const row = taskDetails(flow, task, () => "CONCURRENCY_LIMIT");
  const value = field === "error.data" ? (row["error"] as { data?: unknown } | undefined)?.data : row[field];
  return JSON.stringify(value);
}

/** Undefined: the stage has changed since `changedAt`. */
function previousText(flow: Flow, { stage }: Task, changedAt: string): string | undefined {
  if (String(previousStage(flow, stage)?.changedAt) !== changedAt) return undefined;
  return `[${previousRows(flow, stage).join(",")}]`;
}

/** @throws TASKFLOW_VALIDATION_ERROR */
function valueRefOf($ref: string): ValueRef {
  const [taskflowId, taskId, field, digest, ...rest] = PREVIOUS.exec($ref)?.slice(1) ?? partsOf($ref);
  const isField = field === "previousStageRes" || REFERABLE.includes(field as Referable);
  if (taskflowId === undefined || taskId === undefined || digest === undefined || !isField || rest.length > 0) {
    const message = "/ref is not a reference that this service gave: take the `$ref` of an answer as it is.";
    throw validationError("The params of taskflow.getValue are not valid", [{ path: "/ref", message, keyword: "format" }]);
  }
  return { taskflowId, taskId, field: field as ValueRef["field"], digest };
}

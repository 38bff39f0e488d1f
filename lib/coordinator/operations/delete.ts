/** The action `deleteTaskflow`: a finished taskflow goes, with all that is nested below it. */
import { type Flow, isOver } from "../../core/model/flow.ts";
import { taskflowError, taskflowNotFound } from "../../errors/errors.ts";
import type { Store } from "../../ports/store.ts";
import type { Coordinator } from "../coordinator.ts";

export interface DeletePorts {
  readonly coordinator: Pick<Coordinator, "peek">;
  readonly store: Pick<Store, "delete">;
}

/** What is nested goes first: a deletion that was cut short can be repeated. */
export async function deleteTaskflow(
  { coordinator, store }: DeletePorts,
  { taskflowId }: { taskflowId: string },
): Promise<{ taskflowId: string }> {
  const flow = await coordinator.peek(taskflowId);
  if (!flow) throw taskflowNotFound(taskflowId);
  const root = flow.rootId === taskflowId ? flow : await coordinator.peek(flow.rootId);
  const ids: string[] = [];
  for (const each of [root, ...(await familyOf(coordinator, flow))]) {
    if (each && !isOver(each)) throw unfinished(taskflowId, each);
    if (each && each !== root) ids.push(each.taskflowId);
  }
  if (root === flow) ids.unshift(taskflowId);
  for (const id of ids.toReversed()) {
    const result = await store.delete(id);
    if (result === "active") throw unfinished(taskflowId, flow);
    if (result === "missing" && id === taskflowId) throw taskflowNotFound(taskflowId);
  }
  return { taskflowId };
}

/** The taskflow, and all that is nested below it, level by level. */
async function familyOf(coordinator: DeletePorts["coordinator"], flow: Flow): Promise<Flow[]> {
  const nested = [flow];
  // It grows while it is gone through.
  for (const { children } of nested)
    for (const id of children.keys()) {
      const child = await coordinator.peek(id);
      if (child) nested.push(child);
    }
  return nested;
}

function unfinished(taskflowId: string, { taskflowId: id, status }: Flow): Error {
  const why = id === taskflowId ? `it is ${status}` : `"${id}" of the same tree is ${status}`;
  const message = `Taskflow "${taskflowId}" cannot be deleted: ${why}, and only what is finished can be.`;
  return taskflowError("TASKFLOW_NOT_FINISHED", message, { taskflowId, status });
}

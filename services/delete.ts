import { taskflowError } from "../lib/errors.ts";
import type { Engine } from "./taskflow-engine.ts";

/** Removes a finished taskflow. @throws TASKFLOW_NOT_FOUND, TASKFLOW_NOT_FINISHED */
export async function deleteTaskflow({ store }: Engine, { taskflowId }: { taskflowId: string }): Promise<{ taskflowId: string }> {
  const result = await store.delete(taskflowId);
  if (result === "deleted") return { taskflowId };
  if (result === "missing") throw taskflowError("TASKFLOW_NOT_FOUND", `There is no taskflow "${taskflowId}".`, { taskflowId });
  throw taskflowError("TASKFLOW_NOT_FINISHED", `Taskflow "${taskflowId}" is not finished: only finished ones can be deleted.`, {
    taskflowId,
  });
}

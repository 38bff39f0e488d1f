/** Keys of attempts, as workers tell them. */
import type { Flow } from "../core/model/flow.ts";
import { taskOrdinalOf } from "../core/model/ids.ts";

/** `taskflowId:taskId:attempt`. */
const KEY = /^(.+):([^:]+):(\d+)$/;

/** Empty if it is none. */
export const taskflowIdOf = (key: string): string => KEY.exec(key)?.[1] ?? "";

/** Undefined if it is none of the taskflow's. */
export function placeOf(key: string, { idBase }: Flow): { task: number; attempt: number } | undefined {
  const [, , id = "", attempt = ""] = KEY.exec(key) ?? [];
  const task = taskOrdinalOf(idBase, id);
  return task === undefined ? undefined : { task, attempt: Number(attempt) };
}

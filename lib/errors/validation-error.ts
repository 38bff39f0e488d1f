import type { Problem } from "../util/problem.ts";
import { taskflowError, type TaskflowError } from "./errors.ts";

/** The error that lists problems in `data`; its message is the `heading` and the first of them. */
export function validationError(heading: string, problems: readonly Problem[]): TaskflowError {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more in data)` : "";
  return taskflowError("TASKFLOW_VALIDATION_ERROR", `${heading}: ${problems[0]?.message ?? "unknown problem."}${more}`, problems);
}

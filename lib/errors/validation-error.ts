import type { Problem } from "../util/problem.ts";
import { taskflowError, type TaskflowError } from "./errors.ts";

/** The error that lists problems; its message begins with `what` and tells the first. */
export function validationError(what: string, problems: readonly Problem[]): TaskflowError {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more in data)` : "";
  return taskflowError("TASKFLOW_VALIDATION_ERROR", `${what}: ${problems[0]?.message ?? "unknown problem."}${more}`, problems);
}

import type { TaskError, JsonText } from "../model/values.ts";
import type { DueTask, TaskTypes } from "../model/task-type.ts";
import { dataText } from "../../util/no-data.ts";
import type { Outcome } from "./inputs.ts";

/**
 * Begins an attempt by its task's type: the outcome, if the type computed one; undefined: send it.
 */
export function beginAttempt(types: TaskTypes, task: DueTask, now: number): Outcome | undefined {
  try {
    const begun = types.typeOf(task).begin(task, now);
    return begun.kind === "send" ? undefined : computed(begun.response);
  } catch (thrown) {
    // A user's type may throw. Types are pure, so a second call would throw the same.
    return { kind: "failed", error: errorOf(thrown), permanent: true };
  }
}

function computed(response: unknown): Outcome {
  try {
    return { kind: "answered", response: dataText(response) as JsonText, reportedFailure: false };
  } catch (thrown) {
    const { name, message } = errorOf(thrown);
    return { kind: "failed", error: { type: "RESPONSE_NOT_SERIALIZABLE", name, message }, permanent: true };
  }
}

function errorOf(thrown: unknown): TaskError {
  const error: { name?: unknown; message?: unknown; type?: unknown } =
    typeof thrown === "object" && thrown !== null ? thrown : { message: String(thrown) };
  const name = typeof error.name === "string" ? error.name : "Error";
  return {
    type: typeof error.type === "string" ? error.type : name,
    name,
    message: typeof error.message === "string" ? error.message : "",
  };
}

/**
 * Every error type, with its HTTP code, meaning and remedy. Tests compare docs/errors.md with it,
 * word for word.
 */

export interface CatalogueEntry {
  /** HTTP status code. */
  readonly code: number;
  /**
   * Where it occurs: an `action` throws it; a `task` (or one of its attempts) has it in `error`; a
   * `handler` throws it to the engine.
   */
  readonly kind: "action" | "task" | "handler";
  readonly meaning: string;
  readonly whatToDo: string;
  /** The same call may succeed a little later; Moleculer's own retry relies on it. */
  readonly retryable?: true;
}

export const ERRORS = {
  TASKFLOW_VALIDATION_ERROR: {
    code: 422,
    kind: "action",
    meaning: "The params of an action are invalid. Nothing was stored.",
    whatToDo: "Correct every problem listed in `data` as { path, message, … }, then send it again.",
  },
  TASKFLOW_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "No taskflow has this id, or it was deleted.",
    whatToDo: "Check the id; listTaskflows finds taskflows by name, tag or attribute.",
  },
  STAGE_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "The taskflow has no stage with this id or name.",
    whatToDo: "Take stage ids or names from getTaskflowDetails.",
  },
  TASK_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "The taskflow has no task with this id or name, or the name is not unique.",
    whatToDo: "Take task ids or names from getTaskflowDetails.",
  },
  NESTING_TOO_DEEP: {
    code: 422,
    kind: "action",
    meaning: "A handler produced a taskflow nested too deep.",
    whatToDo: "Look for a taskflow that produces itself; `detached: true` starts a tree of its own.",
  },
  TASKFLOW_WAIT_TIMEOUT: {
    code: 408,
    kind: "action",
    meaning: "The taskflow did not finish within the timeout of waitForTaskflow. It continues.",
    whatToDo: "Read its state from `data`, or wait again.",
    retryable: true,
  },
  TASKFLOW_ALREADY_FINISHED: {
    code: 409,
    kind: "action",
    meaning: "The taskflow has ended and cannot be cancelled or changed any more.",
    whatToDo: "Read its status; retryTaskflow starts a new run.",
  },
  TASKFLOW_NOT_RETRYABLE: {
    code: 409,
    kind: "action",
    meaning: "The taskflow cannot be retried in its current status.",
    whatToDo: "Wait until it has ended; of two concurrent retries only the first is accepted.",
  },
  TASKFLOW_EXACTLY_ONCE: {
    code: 409,
    kind: "action",
    meaning: "A task that succeeded was selected for a retry under exactlyOnceTaskExecution.",
    whatToDo: "Leave it out, or give `force: true` if its work may be done twice.",
  },
  TASKFLOW_CONFLICT: {
    code: 409,
    kind: "action",
    meaning: "The taskflow is not in the state that `expect` or the command requires.",
    whatToDo: "Read its state and decide again.",
  },
  TASKFLOW_NOT_FINISHED: {
    code: 409,
    kind: "action",
    meaning: "The action requires a finished taskflow.",
    whatToDo: "Cancel it or wait for its end first.",
  },
  TASKFLOW_READ_ONLY: {
    code: 405,
    kind: "action",
    meaning: "Taskflows cannot be written through moleculer-db.",
    whatToDo: "Call an action of the service taskflow, such as taskflow.cancelTaskflow.",
  },
  TASK_RUNNING: {
    code: 409,
    kind: "action",
    meaning: "The task is running and cannot be changed now.",
    whatToDo: "Cancel the task or wait for its answer.",
  },
  TASK_NOT_ACTIVE: {
    code: 409,
    kind: "action",
    meaning: "The task is settled, or does not wait for a result: it needs no decision.",
    whatToDo: "Drop the decision: the task was settled, cancelled or withdrawn in the meantime.",
  },
  PARENT_TASK_NOT_RUNNING: {
    code: 409,
    kind: "action",
    meaning: "The task whose handler produced this taskflow is no longer running.",
    whatToDo: "Produce before the handler answers, or with `detached: true`.",
  },
  TASKFLOW_OVERLOADED: {
    code: 503,
    kind: "action",
    meaning:
      "A limit on active taskflows or on queued work is reached, or the taskflow has no owner right now. Nothing was stored.",
    whatToDo: "Send it again after `data.retryAfter` seconds.",
    retryable: true,
  },
  STORE_UNAVAILABLE: {
    code: 503,
    kind: "action",
    meaning: "The store does not answer: the outcome of the call is unknown.",
    whatToDo: "Send it again; that is safe for a produce with a taskflowId, and for a command with a commandId.",
    retryable: true,
  },
  TASKFLOW_UNREADABLE: {
    code: 500,
    kind: "action",
    meaning: "The stored taskflow is damaged, or has the format of a newer version.",
    whatToDo: "Use the version that wrote it, put back a backup, or export it as it is stored and delete it.",
  },
  TASK_TIMEOUT: {
    code: 504,
    kind: "task",
    meaning: "No answer arrived within the task's `timeout`. The work may have been done.",
    whatToDo: "Raise `timeout` or find the slow worker; make the action idempotent, or use exactlyOnceTaskExecution.",
  },
  MAX_AGE_EXCEEDED: {
    code: 408,
    kind: "task",
    meaning: "The `maxAge` of the task or the taskflow was over before it ended.",
    whatToDo: "Raise `maxAge`; statusReason and the attempts show where the time went.",
  },
  TASK_REPORTED_FAILURE: {
    code: 500,
    kind: "task",
    meaning: "The action answered with `success: false`; the answer is kept in `response`.",
    whatToDo: "Read the response; with `checkSuccess: false` such answers count as successes.",
  },
  TASK_OUTCOME_UNKNOWN: {
    code: 500,
    kind: "task",
    meaning: "The outcome of an attempt is unknown: its work may or may not have been done.",
    whatToDo: "Check at the worker, then use resolveTask or retry this task by name.",
  },
  TASKFLOW_FENCED: {
    code: 409,
    kind: "task",
    meaning: "A worker rejected a delivery: the coordinator that sent it no longer owns the taskflow.",
    whatToDo: "Nothing: the taskflow's owner continues it.",
  },
  TASK_DELIVERY_REFUSED: {
    code: 409,
    kind: "task",
    meaning: "A worker rejected a delivery: a coordinator was already told that this attempt never started.",
    whatToDo: "Nothing: the attempt is delivered again, or was settled.",
  },
  TASK_LEDGER_UNAVAILABLE: {
    code: 503,
    kind: "task",
    meaning: "A worker cannot write its ledger and started nothing.",
    whatToDo: "Check the ledger's disk or database; the attempt is sent again.",
    retryable: true,
  },
  WORKER_LOST: {
    code: 503,
    kind: "task",
    meaning: "The node that ran the attempt disappeared.",
    whatToDo: "Find out why it stopped; `maxRetries` gives the task another attempt elsewhere.",
  },
  NESTED_TASKFLOW_FAILED: {
    code: 500,
    kind: "task",
    meaning: "A taskflow that the task's handler produced FAILED or was CANCELLED.",
    whatToDo: "Read the nested taskflow listed in `nestedTaskflows`; retry it, or retry the task.",
  },
  EXPRESSION_ERROR: {
    code: 422,
    kind: "task",
    meaning: "An expression in the task's templates cannot be computed. Nothing was called.",
    whatToDo: "Correct the params with `updateTask` and retry, or produce a corrected taskflow.",
  },
  ACTION_NOT_ALLOWED: {
    code: 403,
    kind: "task",
    meaning: "Tasks may not call this action. Produce lists it as a problem, too.",
    whatToDo: "Add it to TASKFLOW_ALLOWED_ACTIONS of the coordinators.",
  },
  PAYLOAD_TOO_LARGE: {
    code: 413,
    kind: "task",
    meaning: "The call or its answer exceeds the size of one bus message. If it is the answer, the work was done.",
    whatToDo: "Send a reference instead of the data, raise NATS's max_payload, or use the worker mixin.",
  },
  RESPONSE_NOT_SERIALIZABLE: {
    code: 500,
    kind: "task",
    meaning: "The work was done, but its answer is not JSON data (a cycle, a BigInt, a Map, a stream).",
    whatToDo: "Return plain data.",
  },
  TASKFLOW_FAILED: {
    code: 500,
    kind: "task",
    meaning: "No task of the taskflow succeeded, and none has an error of its own.",
    whatToDo: "Read the state of its tasks.",
  },
  PERMANENT_ERROR: {
    code: 422,
    kind: "handler",
    meaning: "A handler threw PermanentError: repeating the work cannot help.",
    whatToDo: "Read the message; correct the cause, then retry the taskflow.",
  },
  EXPECTED_ERROR: {
    code: 422,
    kind: "handler",
    meaning:
      "A handler threw ExpectedError: a failure of the business logic. `data.abort` says whether it ends the task or the taskflow.",
    whatToDo: "Nothing: the definition of the taskflow decides how it continues.",
  },
} as const satisfies Record<string, CatalogueEntry>;

/** The types of the catalogue. */
export type TaskflowErrorType = keyof typeof ERRORS;

/** Every type of error that taskflows know, with its HTTP code, meaning and remedy. The docs and the tests are compared with it. */

export interface CatalogueEntry {
  /** HTTP status code. */
  readonly code: number;
  /** Who says it: an `action` throws it; a `task` has it in its `error` (or an attempt of it); a `handler` throws it to the engine. */
  readonly kind: "action" | "task" | "handler";
  readonly meaning: string;
  readonly whatToDo: string;
  /** The same call may well succeed a little later; Moleculer's own retry goes by it. */
  readonly retryable?: true;
}

export const ERRORS = {
  TASKFLOW_VALIDATION_ERROR: {
    code: 422,
    kind: "action",
    meaning: "The params of an action are not valid. Nothing was stored.",
    whatToDo: "`data` lists every problem as { path, message, … }; correct them all and send it again.",
  },
  TASKFLOW_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "There is no taskflow of this id, or it was deleted.",
    whatToDo: "Check the id; listTaskflows finds taskflows by name, tag or attribute.",
  },
  STAGE_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "The taskflow has no stage of this id or name.",
    whatToDo: "Take stage ids or names from getTaskflowDetails.",
  },
  TASK_NOT_FOUND: {
    code: 404,
    kind: "action",
    meaning: "The taskflow has no task of this id or name.",
    whatToDo: "Take task ids or names from getTaskflowDetails.",
  },
  NESTING_TOO_DEEP: {
    code: 422,
    kind: "action",
    meaning: "A handler produced a taskflow below too many others.",
    whatToDo: "Look for a taskflow that starts itself; `detached: true` begins a tree of its own.",
  },
  TASKFLOW_WAIT_TIMEOUT: {
    code: 408,
    kind: "action",
    meaning: "The taskflow was not finished within the time given to waitForTaskflow. It goes on.",
    whatToDo: "`data` has its state so far; wait again.",
    retryable: true,
  },
  TASKFLOW_ALREADY_FINISHED: {
    code: 409,
    kind: "action",
    meaning: "The taskflow has ended, so that nothing is left to be cancelled or changed.",
    whatToDo: "Look at its status; retryTaskflow starts a new run of it.",
  },
  TASKFLOW_NOT_RETRYABLE: {
    code: 409,
    kind: "action",
    meaning: "The taskflow cannot be retried in the status that it has now.",
    whatToDo: "Wait until it has ended; of two retries at once only the first is taken.",
  },
  TASKFLOW_EXACTLY_ONCE: {
    code: 409,
    kind: "action",
    meaning: "A task that succeeded was selected for a retry under exactlyOnceTaskExecution.",
    whatToDo: "Leave it out, or say `force: true` if its work may be done twice.",
  },
  TASKFLOW_CONFLICT: {
    code: 409,
    kind: "action",
    meaning: "The taskflow is not in the state that `expect` tells, or that the decision needs.",
    whatToDo: "Read it again and decide anew.",
  },
  TASKFLOW_NOT_FINISHED: {
    code: 409,
    kind: "action",
    meaning: "This can be done to a finished taskflow only.",
    whatToDo: "Cancel it or wait for its end first.",
  },
  TASKFLOW_READ_ONLY: {
    code: 405,
    kind: "action",
    meaning: "Taskflows cannot be written through moleculer-db.",
    whatToDo: "Call the actions of the service taskflow, such as taskflow.cancelTaskflow.",
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
    meaning: "The task is settled, or not waiting for a result: there is nothing to decide about it.",
    whatToDo: "Drop it: the task was settled, cancelled or taken back meanwhile.",
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
      "A limit on active taskflows or on queued work is reached, or nobody drives the taskflow at this moment. Nothing was stored.",
    whatToDo: "Send it again after `data.retryAfter` seconds.",
    retryable: true,
  },
  STORE_UNAVAILABLE: {
    code: 503,
    kind: "action",
    meaning: "The store does not answer, so that nothing can be promised.",
    whatToDo: "Send it again: that is safe for a produce with a taskflowId of its own, and for a decision with a commandId.",
    retryable: true,
  },
  TASK_TIMEOUT: {
    code: 504,
    kind: "task",
    meaning: "No answer came within the task's `timeout`. The work may have been done.",
    whatToDo: "Raise `timeout`, look for a slow or stuck worker; make the action idempotent, or use exactlyOnceTaskExecution.",
  },
  MAX_AGE_EXCEEDED: {
    code: 408,
    kind: "task",
    meaning: "The `maxAge` of the task or the taskflow was over before it could end.",
    whatToDo: "Raise `maxAge`; statusReason and the attempts tell what took the time.",
  },
  TASK_REPORTED_FAILURE: {
    code: 500,
    kind: "task",
    meaning: "The action answered with `success: false`; the answer is kept in `response`.",
    whatToDo: "Read the response; `checkSuccess: false` takes such answers as successes.",
  },
  TASK_OUTCOME_UNKNOWN: {
    code: 500,
    kind: "task",
    meaning: "An attempt was sent, and nobody can tell whether its work was done.",
    whatToDo: "Find out at the worker, then resolveTask or retry this task by name.",
  },
  TASKFLOW_FENCED: {
    code: 409,
    kind: "task",
    meaning: "A worker turned a delivery away: the coordinator that sent it no longer owns the taskflow.",
    whatToDo: "Nothing: the taskflow's owner goes on with it.",
  },
  TASK_DELIVERY_REFUSED: {
    code: 409,
    kind: "task",
    meaning: "A worker turned a delivery away: it came after a coordinator had been told that it never began.",
    whatToDo: "Nothing: the attempt is delivered again, or was settled.",
  },
  TASK_LEDGER_UNAVAILABLE: {
    code: 503,
    kind: "task",
    meaning: "A worker cannot write its ledger, so it began nothing.",
    whatToDo: "See to the ledger's disk or database; the attempt is sent again.",
    retryable: true,
  },
  WORKER_LOST: {
    code: 503,
    kind: "task",
    meaning: "The node that ran the attempt went away.",
    whatToDo: "Look at why it stopped; `maxRetries` gives the task another attempt elsewhere.",
  },
  NESTED_TASKFLOW_FAILED: {
    code: 500,
    kind: "task",
    meaning: "A taskflow that the task's handler produced FAILED or was CANCELLED.",
    whatToDo: "Look at the nested taskflow in `nestedTaskflows`; retry the task or the nested one.",
  },
  ACTION_NOT_ALLOWED: {
    code: 403,
    kind: "task",
    meaning: "Tasks may not call this action. Also a problem that produce lists.",
    whatToDo: "Add it to TASKFLOW_ALLOWED_ACTIONS of the coordinators.",
  },
  PAYLOAD_TOO_LARGE: {
    code: 413,
    kind: "task",
    meaning: "The call or its answer does not fit into one message of the bus. For an answer the work was done.",
    whatToDo: "Send a reference instead of the data, raise NATS's max_payload, or use the worker mixin.",
  },
  RESPONSE_NOT_SERIALIZABLE: {
    code: 500,
    kind: "task",
    meaning: "The work was done, but its answer cannot be written as JSON (a cycle, a BigInt).",
    whatToDo: "Answer plain data.",
  },
  TASKFLOW_FAILED: {
    code: 500,
    kind: "task",
    meaning: "A taskflow of which nothing succeeded, without an error of its own.",
    whatToDo: "Look at its tasks.",
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
    meaning: "A handler threw ExpectedError: a failure that belongs to the business. `data.abort` tells how far it reaches.",
    whatToDo: "Nothing is broken; what follows is up to the taskflow.",
  },
} as const satisfies Record<string, CatalogueEntry>;

/** The types of the catalogue. */
export type TaskflowErrorType = keyof typeof ERRORS;

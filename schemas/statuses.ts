/** All statuses with their meanings, from which schemas, types, stores and docs derive. */

const namesOf = <Name extends string>(table: Readonly<Record<Name, string>>) => Object.keys(table) as Name[];

const TASKFLOW = {
  WAITING: "It is stored and has not started",
  RUNNING: "Its stages run, one after another",
  PAUSED:
    "A person paused it, or must decide about a task (`statusReason`): no attempt starts, answers of running attempts still count",
  COMPLETED: "Finished: every stage is COMPLETED",
  PARTIAL_COMPLETED: "Finished: it ran to its end, with at least one SUCCESS and one FAILED or CANCELLED task",
  FAILED: "Finished: it stopped early, or no task succeeded",
  CANCELLED: "Finished: it was cancelled",
};

const STAGE = {
  WAITING: "It has not been reached, or is about to run again",
  RUNNING: "Its tasks run",
  COMPLETED: "All of its tasks are SUCCESS, or were skipped by a person",
  PARTIAL_COMPLETED: "It has successes and failures; the status of the taskflow says whether the failures stopped it",
  FAILED: "None of its tasks succeeded",
  CANCELLED: "The taskflow was cancelled",
  SKIPPED: "Its `when` is false",
};

const TASK = {
  WAITING: "It has not been sent, or waits for its next attempt: `statusReason` says why",
  QUEUED: "It is due, and its coordinator holds it back: too many attempts are in flight",
  RUNNING: "An attempt is in flight, or its nested taskflows run",
  SUCCESS: "It succeeded, or a person supplied its response",
  FAILED: "It failed, and no attempt follows in this run",
  CANCELLED: "It was cancelled, or its taskflow was",
  SKIPPED: "Its `when` or that of its stage is false, or a person skipped it",
};

/**
 * Why a task is not moving. A taskflow has PAUSED, AWAITING_DECISION, or the reason of its
 * cancellation.
 */
const STATUS_REASON = {
  RETRY_DELAY: "It waits for its next automatic attempt, due at `nextAttemptAt`",
  NO_WORKER: "No node offers its action",
  CONCURRENCY_LIMIT: "As many attempts as `maxInFlight` or `maxConcurrency` allow are in flight",
  PAUSED: "Its taskflow or its action is paused",
  AWAITING_NESTED: "Its handler has answered, and taskflows that it produced still run",
};

export const STATUS_TABLES = { taskflow: TASKFLOW, stage: STAGE, task: TASK, statusReason: STATUS_REASON };

export const TASKFLOW_STATUSES = namesOf(TASKFLOW);
export const STAGE_STATUSES = namesOf(STAGE);
export const TASK_STATUSES = namesOf(TASK);
export const STATUS_REASONS = namesOf(STATUS_REASON);

/** Status of a taskflow. */
export type TaskflowStatus = keyof typeof TASKFLOW;
/** Status of a stage. */
export type StageStatus = keyof typeof STAGE;
/** Status of a task. QUEUED is derived on reading: due, and held back by its coordinator. */
export type TaskStatus = keyof typeof TASK;

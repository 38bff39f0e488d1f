/**
 * Why a part of a taskflow is not moving: each code with its meaning, in the order in
 * which reasons are listed: first those that need a person, last those that pass by themselves.
 */
export const REASONS = {
  STORE_UNAVAILABLE: "the store is unavailable; `status` is null if it cannot be read",
  AWAITING_DECISION:
    'a task failed under `onFailure: "pause"`: `data.decisions` are the actions that decide, `data.expect` guards them',
  PAUSED: "a person paused it: why, and for how long",
  PAUSED_BY_PARENT: "it is paused together with its parent taskflow",
  COORDINATOR_PAUSED: "its coordinator started with `TASKFLOW_PAUSED=1`, or every action is paused",
  NOT_LOADED: "its coordinator has not loaded it: it is being read, or reading it failed",
  NO_OWNER: "its coordinator released it, and no other has taken it yet",
  OWNER_SILENT: "its coordinator is silent: when its lease expires, another one takes over",
  OWNER_ELSEWHERE: "its coordinator is alive, but could not be reached",
  LEASE_EXPIRED: "its coordinator could not renew its lease, and sends nothing",
  DRAINING: "its coordinator is shutting down",
  BUS_DOWN: "its coordinator has no connection to the bus",
  FAILED: "it failed: with which error",
  CANCELLED: "it was cancelled: why",
  PARTIAL_COMPLETED: "it ended with failures that were allowed",
  COMPLETED: "it ended, and all tasks are done",
  COMPENSATION_FAILED: "finished: a task could not be undone",
  COMPENSATING: "finished: its compensation is running; the compensating task has its own reasons",
  CANCELLING_NESTED: "finished: nested taskflows are still being cancelled",
  TASK_FAILED: "finished: a task failed, on which node, with which error",
  TASK_CANCELLED: "finished: a task was cancelled while it ran",
  ACTION_PAUSED: "the task's action is paused by a rule (`pauseActions`)",
  NO_WORKER: "no worker serves the task; for an ACTION: no node offers its action",
  WORKER_GONE: "the node of the attempt is no longer connected",
  EXACTLY_ONCE_UNKNOWN:
    "the outcome of an attempt is unknown and must not be repeated: its worker is queried, repeatedly while it runs the attempt",
  QUERYING: "an attempt is silent: its worker is queried for the outcome",
  IN_DOUBT: "the latest attempt may have succeeded unseen: its worker is queried before a retry",
  REDELIVERING: "no outcome of the attempt is known: it is about to be delivered again",
  NOT_SENT: "a delivery could not be sent; it is retried",
  RETRY_DELAY: "the next automatic attempt: which retry of how many, when, after which error",
  STAGE_CONCURRENCY: "`maxConcurrency` tasks of the stage are running",
  IN_FLIGHT_LIMIT: "the coordinator has `maxInFlight` attempts in flight",
  ABORTING: "a handler ended the whole taskflow, and attempts still run",
  AWAITING_NESTED: "the task has answered, and nested taskflows still run",
  DUE: "the task is about to be sent",
  RUNNING: "an attempt runs: where, for how long, how often delivered, when it times out",
  HEARTBEAT: "as RUNNING, for a handler that sends heartbeats",
  NOT_STARTED: "it is stored and has not started",
  NOT_SELECTED: "the task is not part of this run: a retry selected others of its stage",
  BLOCKED: "the stage will not run: an earlier task failed",
  NOT_REACHED: "finished: the stage was never reached",
  EARLIER_STAGE: "the stage waits for the running one",
  MAX_AGE: "when its `maxAge` ends it",
  TASK_MAX_AGE: "how long attempts of the task can still start",
  PROGRESSING: "nothing is blocking it",
} as const;

/** Names a kind of reason; docs/explain.md lists them. */
export type ReasonCode = keyof typeof REASONS;
export const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];

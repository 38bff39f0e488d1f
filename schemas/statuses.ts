/** All statuses, as constants: the schemas, the types of the core and the stores are made of them. */
export const TASKFLOW_STATUSES = [
  "WAITING",
  "RUNNING",
  "PAUSED",
  "COMPLETED",
  "PARTIAL_COMPLETED",
  "FAILED",
  "CANCELLED",
] as const;
export const STAGE_STATUSES = ["WAITING", "RUNNING", "COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED", "SKIPPED"] as const;
export const TASK_STATUSES = ["WAITING", "QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED", "SKIPPED"] as const;

/** Status of a taskflow. */
export type TaskflowStatus = (typeof TASKFLOW_STATUSES)[number];
/** Status of a stage. */
export type StageStatus = (typeof STAGE_STATUSES)[number];
/** Status of a task. QUEUED is worked out when it is read: due, and held back by its coordinator. */
export type TaskStatus = (typeof TASK_STATUSES)[number];

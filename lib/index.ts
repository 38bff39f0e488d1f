/**
 * The package's door: the coordinator's service, and all that the doors `./client` and `./worker`
 * have. Other projects may use what the doors export, and nothing else.
 */
export { TaskflowService, type TaskflowServiceOptions } from "../services/taskflow.service.ts";
export { DEFAULT_LIMITS, type Limits } from "./config/limits.ts";
export {
  SEND,
  type CheckRules,
  type Done,
  type DueTask,
  type Observed,
  type ReasonText,
  type Send,
  type TaskType,
  type TypedTask,
} from "./core/model/task-type.ts";
export type { Problem } from "./util/problem.ts";
export type { Outcome, OutcomeReply } from "./core/execution/inputs.ts";
export type { Call, Dispatch, OutcomeQuery } from "./ports/dispatch.ts";
export type { DispatchPorts, SendingTaskType } from "./ports/task-types.ts";
export { inProcess, type Work } from "./task-types/in-process.ts";
export * from "./client.ts";
export * from "./worker.ts";

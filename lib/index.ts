/** The package's door. Everything that other projects may use is exported here, and nothing else. */
export { TaskflowService, type TaskflowServiceOptions } from "../services/taskflow.service.ts";
export {
  TaskflowWorker,
  type Asked,
  type Begin,
  type Begun,
  type Finished,
  type Ledger,
  type TaskflowContext,
  type TaskflowHandle,
  type TaskflowWorkerOptions,
} from "../mixins/taskflow-worker.mixin.ts";
export { TaskflowClient, type SubscribeOptions, type WaitOptions } from "./client/taskflow-client.ts";
export type {
  BulkDone,
  Decided,
  OfTask,
  OfTaskflow,
  Page,
  PausedActions,
  Produced,
  Retried,
  RetryOptions,
  TaskDecided,
  TaskflowSummary,
  TaskPlace,
} from "./client/results.ts";
export type { EventHandler, EventSubscription } from "./client/event-subscription.ts";
export { NatsTransporter, type NatsTransporterOptions } from "./adapters/nats/transporter.ts";
export type { TaskflowExport } from "./client/export.ts";
export type { Explanation, Reason } from "../schemas/explanation.schema.ts";
export type { ReasonCode } from "../schemas/reason-codes.ts";
export { getEventsEndpoint } from "./protocol/events-subject.ts";
export { defineTaskflow } from "./client/define-taskflow.ts";
export {
  ExpectedError,
  isTaskflowError,
  PermanentError,
  type TaskflowErrorLike,
  type TaskflowErrorType,
} from "./errors/errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./config/limits.ts";
export type { Options, TaskOptions } from "../schemas/options.schema.ts";
export type { PreviousStageResponse, TaskflowExecutionContext } from "../schemas/execution-context.schema.ts";
export type { StageDefinition, TaskDefinition, Taskflow } from "../schemas/taskflow.schema.ts";
export type {
  AttemptDetails,
  StageDetails,
  TaskDetails,
  TaskErrorDetails,
  TaskflowDetails,
} from "../schemas/taskflow-details.schema.ts";
export type {
  FlowEvent,
  SnapshotEvent,
  StageEvent,
  TaskEvent,
  TaskflowEvent,
  TaskflowObject,
} from "../schemas/taskflow-event.schema.ts";

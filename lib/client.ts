/** The door for those who call: the client, the types of what it takes and answers, and the transporter. */
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
export type { TaskflowExport } from "./client/export.ts";
export { defineTaskflow } from "./client/define-taskflow.ts";
export { NatsTransporter, type NatsTransporterOptions } from "./adapters/nats/transporter.ts";
export { getEventsEndpoint } from "./protocol/events-subject.ts";
export { isTaskflowError, type TaskflowErrorLike, type TaskflowErrorType } from "./errors/errors.ts";
export type { Explanation, Reason } from "../schemas/explanation.schema.ts";
export type { ReasonCode } from "../schemas/reason-codes.ts";
export type { Options, TaskOptions } from "../schemas/options.ts";
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

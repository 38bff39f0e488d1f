/**
 * The door for those who call: the client, the types of what it takes and answers, and the
 * transporter.
 */
export { TaskflowClient, type SubscribeOptions, type WaitOptions } from "./client/taskflow-client.ts";
export type { ClientAnswer, ClientMethods, OfTask, OfTaskflow, Page, RetryOptions } from "./client/results.ts";
export type { EventHandler, EventSubscription } from "./client/event-subscription.ts";
export { defineTaskflow } from "./client/define-taskflow.ts";
export { NatsTransporter, type NatsTransporterOptions } from "./adapters/nats/transporter.ts";
export { getEventsEndpoint } from "./protocol/events-subject.ts";
export { isTaskflowError, type TaskflowErrorLike, type TaskflowErrorType } from "./errors/errors.ts";
export type { ActionAnswers, ActionKind, ActionName, ActionParams, PublicAction, Right } from "../schemas/actions/index.ts";
export type { Decided, Retried, StageSelection, TaskDecided, TaskPlace } from "../schemas/actions/commands.ts";
export type { BulkDone, Health, PausedActions } from "../schemas/actions/operations.ts";
export type { Produced, TaskflowSummary } from "../schemas/actions/taskflows.ts";
export type { StageStatus, TaskflowStatus, TaskStatus } from "../schemas/common.schema.ts";
export type { TaskflowExport } from "../schemas/export.schema.ts";
export type { Explanation, Reason } from "../schemas/explanation.schema.ts";
export type { ReasonCode } from "../schemas/reasons.ts";
export type { EffectiveOptions, Options, TaskOptions } from "../schemas/options.ts";
export type { StageDefinition, TaskDefinition, Taskflow } from "../schemas/taskflow.schema.ts";
export type { AnyTaskDetails, TaskDetailsByType } from "../schemas/task-types/index.ts";
export type {
  AttemptDetails,
  CompensationDetails,
  ParentTaskflowDetails,
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
  TaskflowState,
  TaskState,
} from "../schemas/taskflow-event.schema.ts";

/**
 * The door for nodes whose services are called: the worker mixin, what handlers throw, and the
 * transporter.
 */
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
export { NatsTransporter, type NatsTransporterOptions } from "./adapters/nats/transporter.ts";
export {
  ExpectedError,
  isTaskflowError,
  PermanentError,
  type TaskflowErrorLike,
  type TaskflowErrorType,
} from "./errors/errors.ts";
export type { PreviousStageResponse, TaskflowExecutionContext } from "../schemas/execution-context.schema.ts";

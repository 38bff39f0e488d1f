/**
 * The package's door: the coordinator's service, and all that the doors `./client` and `./worker`
 * have. Other projects may use what the doors export, and nothing else.
 */
export { TaskflowService, type TaskflowServiceOptions } from "../services/taskflow.service.ts";
export { DEFAULT_LIMITS, type Limits } from "./config/limits.ts";
export * from "./client.ts";
export * from "./worker.ts";

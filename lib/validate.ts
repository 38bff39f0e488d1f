/** Everything that comes from outside is checked here, once; inside it is trusted. */
export { DECIDING_ACTIONS, type DecidingAction, readAnnotationFilter, readForwarded, readOrder } from "./validation/orders.ts";
export { readTaskflowId, validateTaskflow, type TaskflowValidation } from "./validation/taskflow.ts";
export { validateExport, type ExportValidation } from "./validation/export.ts";
export { validateParams, validationError } from "./validation/actions.ts";
export type { Problem } from "./validation/problems.ts";

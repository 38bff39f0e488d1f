/** Everything that comes from outside is checked here, once; inside it is trusted. */
export { DECIDING_ACTIONS, type DecidingAction, readAnnotationFilter, readForwarded, readCommand } from "./commands.ts";
export { readTaskflowId, validateTaskflow, type TaskflowValidation } from "./definition.ts";
export { validateExport, type ExportValidation } from "./import.ts";
export { validateParams, validationError } from "./params.ts";
export type { Problem } from "./problems.ts";

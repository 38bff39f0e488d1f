/** Everything that comes from outside is checked here, once; inside it is trusted. */
export { type OwnersCommand, readAnnotationFilter } from "./commands.ts";
export { readTaskflowId, validateTaskflow, type TaskflowValidation } from "./definition.ts";
export { validateExport, type ExportValidation } from "./import.ts";
export { type CheckedAction, validateParams } from "./params.ts";
export { taskChecks } from "./task-checks.ts";
export { readParams, type ReadParams } from "./read-params.ts";
export { validationError } from "../errors/validation-error.ts";
export type { Problem } from "../util/problem.ts";

/** The door to moleculer-db: its adapter over taskflows, and a service that reads them. */
export { TaskflowAdapter, type TaskflowAdapterOptions } from "./moleculer-db/adapter.ts";
export type { TaskflowDocument } from "./moleculer-db/fields.ts";
export type { DocumentFilters } from "./moleculer-db/filters.ts";
export type { DocumentQuery } from "./moleculer-db/query.ts";
export { TaskflowDb, type TaskflowDbOptions } from "./moleculer-db/taskflow-db.ts";

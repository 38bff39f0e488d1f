/** What the catalogue says of each action. Routes, commands of the CLI, rights and docs follow from it. */
import type { TSchema } from "typebox";
import type { TaskflowErrorType } from "../../lib/errors/catalogue.ts";

/** Everything that a caller can be allowed to do; the operations that an `authorize` hook is asked about. */
export const RIGHTS = [
  "taskflow:produce",
  "taskflow:read",
  "taskflow:list",
  "taskflow:wait",
  "taskflow:cancel",
  "taskflow:retry",
  "taskflow:pause",
  "taskflow:resume",
  "taskflow:signal",
  "taskflow:update",
  "taskflow:resolve",
  "taskflow:annotate",
  "taskflow:delete",
  "taskflow:export",
  "taskflow:import",
  "taskflow:bulk",
  "board:read",
  "board:claim",
  "board:complete",
  "template:read",
  "template:write",
  "template:execute",
  "schedule:read",
  "schedule:write",
  "schedule:run",
  "operations:read",
  "operations:write",
  "health:read",
] as const;

/** The right to call an action. */
export type Right = (typeof RIGHTS)[number];

/**
 * The kind of an action. `query` reads; `command` changes one taskflow, and its owner executes it; `operator` runs the service or
 * works on many taskflows; `internal` is for coordinators and workers, and asks for no right.
 */
export type ActionKind = "query" | "command" | "operator" | "internal";

/** A route of the HTTP API. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to the base path, with the names of params: `/api/taskflows/:taskflowId`. */
  readonly path: string;
}

interface Described {
  /** One sentence about its effect. */
  readonly summary: string;
  readonly params: TSchema;
  /** `data` of the answer `{ success: true, data }`. */
  readonly answer: TSchema;
  /** Types of the errors that it can throw, beside `EVERY_ACTION`. */
  readonly errors: readonly TaskflowErrorType[];
  readonly route?: Route;
  /** The verb of the CLI. */
  readonly cli?: string;
}

/** An entry of the catalogue; its key is the name of the action. */
export type Action = Described &
  ({ readonly kind: Exclude<ActionKind, "internal">; readonly right: Right } | { readonly kind: "internal" });

/** Errors that every action can throw. */
export const EVERY_ACTION: readonly TaskflowErrorType[] = ["TASKFLOW_VALIDATION_ERROR"];

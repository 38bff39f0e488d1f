/**
 * An entry of the catalogue of actions, from which handlers, client types, rights and checks
 * derive.
 */
import type { TSchema } from "typebox";
import type { TaskflowErrorType } from "../../lib/errors/catalogue.ts";

/** All rights that a caller can have: the operations that an `authorize` hook decides about. */
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
 * The kind of an action. `query` reads; `command` changes one taskflow and is executed by its
 * owner; `operator` operates the service or many taskflows; `internal` is for coordinators and
 * workers, and needs no right.
 */
export type ActionKind = "query" | "command" | "operator" | "internal";

/** A route of the HTTP API. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with the names of params, such as `/api/taskflows/:taskflowId`. */
  readonly path: string;
}

interface Described {
  /** One sentence about its effect. */
  readonly summary: string;
  readonly params: TSchema;
  /** `data` of the answer `{ success: true, data }`. */
  readonly answer: TSchema;
  /** Types of the errors that it can throw, besides `EVERY_ACTION`. */
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

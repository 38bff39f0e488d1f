/** Actions for operators: copies, bulk, pause rules, health. */
import { Type, type Static } from "typebox";
import { Count, Dictionary, Name, Nullable, TASKFLOW_STATUSES, Time } from "../common.schema.ts";
import { ExportChunkSchema, ExportSchema, importParams } from "../export.schema.ts";
import { FILTER } from "../filter.schema.ts";
import type { Action } from "./action.ts";
import { closed, taskflowId } from "./params.ts";
import { produced, StatusCounts } from "./taskflows.ts";

const empty = Type.Object({}, closed);
const text = Type.String();

/** Characters of action names, and wildcards. */
const pattern = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9_$.*?-]+$",
  description: "Pattern of names of actions: `*` within a part, `**` over parts, `?` one character",
});

const PauseRuleSchema = Type.Object(
  {
    pattern: text,
    reason: Nullable(text),
    since: Time("When it was created"),
    coordinator: Nullable(Type.String({ description: "The coordinator that started paused; null: all coordinators" })),
  },
  closed,
);
/** A rule that keeps tasks from calling actions. */
export interface PausedActions extends Static<typeof PauseRuleSchema> {}

const BulkSchema = Type.Object(
  {
    bulkId: Type.Optional(Type.String({ description: "Identifies its progress events; absent for a dry run" })),
    matched: Count("Taskflows that match"),
    done: Type.Optional(Count("Taskflows for which the command succeeded")),
    skipped: Type.Optional(Count("Taskflows with nothing to do, such as those that had already ended")),
    failed: Type.Optional(Dictionary(Count("Taskflows"), "By the type of the error")),
    counts: Type.Optional(StatusCounts),
    dryRun: Type.Optional(Type.Literal(true)),
  },
  closed,
);
/** Answer of `bulk`. */
export interface BulkDone extends Static<typeof BulkSchema> {}

const milliseconds = Type.Number({ minimum: 0 });
const HealthSchema = Type.Object(
  {
    ready: Type.Boolean({ description: "It accepts work" }),
    live: Type.Literal(true),
    nodeID: text,
    store: Type.Object({ name: text, ok: Type.Boolean(), kind: text, error: Type.Optional(text) }, closed),
    bus: Type.Object({ kind: Type.Enum(["transporter", "local"]), connected: Type.Boolean() }, closed),
    owned: Count("Taskflows in its memory"),
    inFlight: Count("Attempts in flight"),
    draining: Type.Boolean({ description: "It is shutting down" }),
    paused: Type.Boolean({ description: "It sends nothing" }),
    pausedActions: Type.Array(text, { description: "Patterns of paused actions" }),
    lag: Type.Object(
      { p50: milliseconds, p99: milliseconds },
      { ...closed, description: "Delay of the event loop since the start, ms" },
    ),
  },
  closed,
);
/** Answer of `health`. */
export interface Health extends Static<typeof HealthSchema> {}

export const OPERATION_ACTIONS = {
  bulk: {
    summary: "Sends a command to every taskflow that matches; failures are counted by error type.",
    kind: "operator",
    right: "taskflow:bulk",
    params: Type.Object(
      {
        action: Type.Enum(["cancel", "retry", "pause", "resume", "delete"]),
        filter: Type.Object(FILTER, { ...closed, minProperties: 1, description: "As for listTaskflows" }),
        reason: Type.Optional(Name("Why; for cancel, pause and resume")),
        mode: Type.Optional(Type.Enum(["all", "failed"], { description: "For retry" })),
        dryRun: Type.Optional(Type.Boolean({ default: false, description: "Only count the matches" })),
      },
      closed,
    ),
    answer: BulkSchema,
    errors: ["TASKFLOW_OVERLOADED", "STORE_UNAVAILABLE"],
  },
  exportTaskflow: {
    summary: "A portable copy of a taskflow as it is now; in chunks if it exceeds a message.",
    kind: "operator",
    right: "taskflow:export",
    params: Type.Object(
      {
        taskflowId,
        cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description: "`nextCursor` of the previous chunk" })),
      },
      closed,
    ),
    answer: Type.Union([ExportSchema, ExportChunkSchema]),
    errors: ["TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE", "STORE_UNAVAILABLE"],
  },
  importTaskflow: {
    summary: "Creates a taskflow from an export. An unfinished one is PAUSED until it is resumed.",
    kind: "operator",
    right: "taskflow:import",
    params: Type.Object(importParams, closed),
    answer: Type.Object({ ...produced, status: Type.Enum(TASKFLOW_STATUSES) }, closed),
    errors: ["TASKFLOW_OVERLOADED", "STORE_UNAVAILABLE", "TASKFLOW_NOT_FOUND", "TASKFLOW_UNREADABLE"],
  },
  pauseActions: {
    summary: "Stops tasks from calling the actions of a pattern, at every coordinator, until resumeActions.",
    kind: "operator",
    right: "operations:write",
    params: Type.Object({ pattern, reason: Type.Optional(Name("Why")) }, closed),
    answer: PauseRuleSchema,
    errors: ["STORE_UNAVAILABLE"],
  },
  resumeActions: {
    summary: "Removes the rules with exactly this pattern. `**` also ends the pause of coordinators that started paused.",
    kind: "operator",
    right: "operations:write",
    params: Type.Object({ pattern }, closed),
    answer: Type.Object({ pattern: text, lifted: Count("Rules that were removed") }, closed),
    errors: ["STORE_UNAVAILABLE"],
  },
  listPausedActions: {
    summary: "The pause rules of all coordinators, oldest first.",
    kind: "operator",
    right: "operations:read",
    params: empty,
    answer: Type.Object({ rows: Type.Array(PauseRuleSchema) }, closed),
    errors: ["STORE_UNAVAILABLE"],
  },
  health: {
    summary: "Store, bus and load of the coordinator that answers.",
    kind: "operator",
    right: "health:read",
    params: empty,
    answer: HealthSchema,
    errors: [],
  },
  live: {
    summary: "The process answers.",
    kind: "operator",
    right: "health:read",
    params: empty,
    answer: Type.Object({ live: Type.Literal(true) }, closed),
    errors: [],
  },
  ready: {
    summary: "Whether the coordinator accepts work.",
    kind: "operator",
    right: "health:read",
    params: empty,
    answer: Type.Object({ ready: Type.Boolean() }, closed),
    errors: [],
  },
} satisfies Record<string, Action>;

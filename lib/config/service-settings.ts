/** The options of `TaskflowService`: declared here and nowhere else. */
import { OPTIONS, SERVICE_OPTIONS } from "../../schemas/options.ts";
import type { TaskType } from "../core/model/task-type.ts";
import type { Store } from "../ports/store.ts";
import type { SendingTaskType } from "../ports/task-types.ts";
import { boolean, bytes, duration, guarded, integer, type Kind, listOf } from "../util/kind.ts";
import { type GivenOf, group, optional, setting, type ValuesOf } from "../util/setting.ts";
import { isRecord } from "../util/record.ts";
import { LIMITS } from "./limits.ts";

const taskTypes = guarded("a list of task types, each with a name, a schema and begin()", areTaskTypes);

function areTaskTypes(given: unknown): given is readonly (TaskType | SendingTaskType)[] {
  return (
    Array.isArray(given) &&
    given.every((type) => isRecord(type) && isRecord(type["schema"]) && typeof type["begin"] === "function")
  );
}

const STORE_URL = /^(memory:$|sqlite:.|mongodb(\+srv)?:\/\/.)/;

const store: Kind<string | Store> = {
  expects: "sqlite:<file>, memory:, a mongodb:// or mongodb+srv:// URL, or a store",
  schema: { type: "string" },
  read: (given) => (isStore(given) || (typeof given === "string" && STORE_URL.test(given)) ? given : undefined),
};

function isStore(given: unknown): given is Store {
  if (typeof given !== "object" || given === null) return false;
  return (["open", "commit", "close"] as const).every((method) => typeof (given as Partial<Store>)[method] === "function");
}

export const SERVICE_SETTINGS = {
  store: setting(store, {
    default: "sqlite:./data/taskflow.db",
    variable: "TASKFLOW_STORE",
    description:
      "`sqlite:<file>`, `memory:`, or a `mongodb://` or `mongodb+srv://` URL; its path names the database, without one it is `taskflow`",
  }),
  options: setting(group(OPTIONS), {
    default: SERVICE_OPTIONS,
    description: "Options where a taskflow, stage or task gives none",
  }),
  limits: setting(group(LIMITS), { default: {}, description: "Limits that differ from the defaults" }),
  allowedActions: setting(listOf("a list of patterns such as payment.* or !payment.refund"), {
    default: ["**"],
    variable: "TASKFLOW_ALLOWED_ACTIONS",
    description:
      "Patterns of the actions that tasks may call; `!` excludes. Never `$node.**`, and `taskflow.**` only by a pattern that begins so",
  }),
  maxInFlight: setting(integer(1), {
    default: 1_000,
    description: "Attempts in flight at once, over all taskflows of this coordinator",
  }),
  maxActive: setting(integer(1), {
    default: 100_000,
    description:
      "Taskflows in memory at once, without those that wait for longer than `parkAfter`. Beyond it `produce` is refused with `TASKFLOW_OVERLOADED`, and due taskflows wait in the store",
  }),
  parkAfter: setting(duration(1_000), {
    default: "30s",
    variable: "TASKFLOW_PARK_AFTER",
    description: "A taskflow in which nothing can happen for longer than this leaves memory until shortly before its time",
  }),
  retention: optional(duration(1_000), {
    variable: "TASKFLOW_RETENTION",
    description:
      "How long finished taskflows are kept, such as `30d`; then they are deleted, nested ones with their root. Without it: for ever",
  }),
  eventTreeLimit: setting(bytes, {
    default: "4KiB",
    variable: "TASKFLOW_EVENT_TREE_LIMIT",
    description: "Size from which the tree in an event gives way to counts",
  }),
  lease: setting(duration(1_000), {
    default: "10s",
    variable: "TASKFLOW_LEASE",
    description: "How long a silent coordinator keeps its taskflows; others take over soon after",
  }),
  shutdownGrace: setting(duration(0), {
    default: "10s",
    variable: "TASKFLOW_SHUTDOWN_GRACE",
    description: "How long a stop waits for running attempts",
  }),
  paused: setting(boolean, {
    default: false,
    variable: "TASKFLOW_PAUSED",
    description: "Starts paused: this coordinator sends nothing until `resumeActions` with the pattern `**`",
  }),
  fastPaths: setting(boolean, {
    default: true,
    description:
      "Whether tasks and events are sent past the public methods of Moleculer and of its NATS client, where their versions are known. `false`: all goes through `broker.call` and `publish`, which takes more CPU. `NatsTransporter` has a switch of its own, `writeBuffer`",
  }),
  taskTypes: setting(taskTypes, {
    default: [],
    description: "Task types of your own, beside those of the package. Give all coordinators of a store the same",
  }),
};

/**
 * Options of `TaskflowService`. One that is absent comes from its environment variable, then from
 * its default.
 */
export type TaskflowServiceOptions = GivenOf<typeof SERVICE_SETTINGS>;
export type ServiceSettings = ValuesOf<typeof SERVICE_SETTINGS>;

/**
 * What users and handlers do to taskflows beside producing them, as a list of calls. Each may be
 * done again from the beginning, by the same command ids, after a crash at whichever of them:
 * what was done is answered as it was the first time.
 */
import type { StageDefinition, Taskflow, TaskflowClient, TaskflowDetails } from "../../lib/index.ts";
import { task } from "./flow.ts";

type RecordedCall = (client: TaskflowClient) => Promise<unknown>;

const stage = (name: string, ...tasks: StageDefinition["tasks"]): StageDefinition => ({ name, tasks });

/** No node offers it: it waits until somebody settles it. */
const open = task("open", "nobody.work");

const FLOWS: readonly (Taskflow & { taskflowId: string })[] = [
  {
    taskflowId: "decided",
    stages: [
      stage("first", task("good", "ledgered.work"), { ...task("bad", "ledgered.failsIfTold"), params: { fails: true } }),
      stage("second", task("behind", "ledgered.work")),
    ],
  },
  { taskflowId: "paused", stages: [stage("only", open)] },
  { taskflowId: "left", stages: [stage("only", task("given-up", "ledgered.untilAborted"), open)] },
  {
    taskflowId: "undone",
    options: { onFailure: "compensate" },
    stages: [
      stage("first", {
        ...task("made", "ledgered.work"),
        compensate: { taskDetails: { serviceId: "ledgered", actionName: "work" } },
      }),
      stage("second", { ...task("broken", "ledgered.failsIfTold"), params: { fails: true } }),
    ],
  },
  {
    taskflowId: "parent",
    options: { maxRetries: 3, retryDelay: 50 },
    stages: [stage("only", task("nests", "ledgered.nests"), task("gives-up", "ledgered.nestsAndFailsOnce"))],
  },
  {
    taskflowId: "late",
    options: { timeout: 400, maxRetries: 3, retryDelay: 1_500 },
    stages: [stage("only", task("nests-late", "ledgered.nestsAndIsLate"))],
  },
];

/**
 * Its tasks are turned away: one goes back for good, unless a crash comes in between, and one is
 * accepted later.
 */
const REFUSED: Taskflow & { taskflowId: string } = {
  taskflowId: "refused",
  stages: [
    stage(
      "only",
      task("too-old", "plain.refusesTwice", { maxAge: 60, continueOnTaskFailure: true }),
      task("late", "plain.refusesOnceThenSlow"),
    ),
  ],
};

/**
 * The taskflows that are the same in the end, with a crash and without. A copy announces nothing
 * of its past.
 */
const ALL_IDS = [...FLOWS.map(({ taskflowId }) => taskflowId), "child"];
/** How often "late" is attempted depends on how long a restart takes. */
export const CALL_IDS: readonly string[] = ALL_IDS.filter((id) => id !== "late");
export const COPY = "copy";

/** Throws until it has come to that. */
function until(taskflowId: string, isSo: (tree: TaskflowDetails) => boolean): RecordedCall {
  return async (client) => {
    const tree = await client.getTaskflowDetails(taskflowId);
    if (!isSo(tree)) throw new Error(`Taskflow ${taskflowId} is ${tree.status}, and its tasks are not there yet`);
  };
}

const ends = (taskflowId: string, status: TaskflowDetails["status"]): RecordedCall =>
  until(taskflowId, (tree) => tree.status === status);

const statusOf = (tree: TaskflowDetails, name: string): string | undefined =>
  Object.values(tree.stages)
    .flatMap(({ tasks }) => Object.values(tasks))
    .find((each) => each.name === name)?.status;

const settle =
  (taskflowId: string): RecordedCall =>
  (client) =>
    client.resolveTask(taskflowId, "open", { outcome: "SKIPPED", reason: "Nobody does it.", commandId: `settle-${taskflowId}` });

export const RECORDED_CALLS: readonly RecordedCall[] = [
  ...[...FLOWS, REFUSED].map(
    (flow): RecordedCall =>
      (client) =>
        client.produce(flow),
  ),
  // A task that never ran is chosen, and one that failed is put right and runs again.
  until("decided", (tree) => tree.status !== "WAITING" && tree.status !== "RUNNING"),
  (client) => client.annotateTaskflow("decided", "ticket", 7, { commandId: "note" }),
  (client) => client.retryTaskflow("decided", { tasksInfo: [{ taskId: "behind" }], commandId: "retry-behind" }),
  until("decided", (tree) => tree.status !== "RUNNING" && statusOf(tree, "behind") === "SUCCESS"),
  (client) => client.updateTask("decided", "bad", { params: {}, commandId: "update" }),
  (client) => client.retryTaskflow("decided", { tasksInfo: [{ taskId: "bad" }], commandId: "retry-bad" }),
  ends("decided", "COMPLETED"),
  async (client) => client.importTaskflow(await client.exportTaskflow("decided"), { newTaskflowId: COPY }),
  (client) => client.pauseTaskflow("paused", { commandId: "pause" }),
  (client) => client.resumeTaskflow("paused", { commandId: "resume" }),
  settle("paused"),
  until("left", (tree) => statusOf(tree, "given-up") !== "WAITING"),
  (client) => client.cancelTask("left", "given-up", { commandId: "cancel" }),
  (client) => client.pauseActions("nobody.at-all", "A recorded call."),
  (client) => client.resumeActions("nobody.at-all"),
  until("undone", ({ compensation }) => compensation?.status === "SUCCESS"),
  ends("parent", "COMPLETED"),
  ends("late", "COMPLETED"),
  settle("left"),
  until("refused", ({ finishedAt }) => finishedAt !== null),
];

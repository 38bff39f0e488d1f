/**
 * Schemas of a snapshot in an export. Like those of the facts they list all fields: the compiler
 * reports one that is missing.
 */
import { Type, type TSchema } from "typebox";
import { STAGE_STATUSES, TASKFLOW_STATUSES, TaskflowId } from "../../schemas/common.schema.ts";
import { TaskOptionsSchema } from "../../schemas/options.schema.ts";
import type { Attempt, Stage } from "../core/model/flow.ts";
import type { ChildState, FlowState, StageState, TaskState } from "../core/journal/snapshot-state.ts";
import {
  anything,
  closed,
  error,
  longText,
  nullable,
  number,
  oneOf,
  oneOfType,
  positive,
  task,
  text,
  time,
} from "./fact-values.ts";

type All<State> = Record<keyof State, TSchema>;

const list = (items: TSchema): TSchema => Type.Array(items, { maxItems: 1_000_000 });
const flag = Type.Boolean();
const nullableError = nullable(error);
const taskStatus = oneOf("WAITING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED", "SKIPPED");
const values = nullable(Type.Unsafe<object>({ type: "object" }));

const ATTEMPT: All<Attempt> = {
  attempt: number,
  deliveries: positive,
  startedAt: time,
  finishedAt: nullable(time),
  nodeID: nullable(text),
  process: Type.Optional(text),
  status: taskStatus,
  error: Type.Optional(error),
};

const CHILD: All<ChildState> = {
  id: TaskflowId,
  task,
  isChosen: flag,
  attempt: number,
  deliveries: list(number),
  state: oneOf("active", "ended", "spared", "abandoned", "gone"),
  status: nullable(oneOfType(TASKFLOW_STATUSES)),
  seq: number,
  place: Type.Optional(task),
};

const COUNT: All<Stage["count"]> = {
  settled: task,
  success: task,
  failed: task,
  running: task,
  blocking: task,
  open: task,
  selected: task,
};

const FLOW: All<FlowState> = {
  status: oneOf(...TASKFLOW_STATUSES),
  statusReason: nullable(longText),
  startedAt: nullable(time),
  finishedAt: nullable(time),
  retryAttempt: number,
  runStartedAt: time,
  runSeq: number,
  error: nullableError,
  output: anything,
  seq: positive,
  fence: positive,
  passed: task,
  settled: task,
  pause: nullable(Type.Object({ reason: nullable(longText), by: nullable(TaskflowId), at: time }, closed)),
  aborting: flag,
  undoing: Type.Object({ order: list(task), next: task }, closed),
  awaiting: list(task),
  commands: Type.Array(Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 }), { maxItems: 100 }),
  annotations: list(Type.Object({ type: Type.String(), value: anything, at: time }, closed)),
  due: list(task),
  repeats: list(task),
  children: list(Type.Object(CHILD, closed)),
};

const STAGE: All<StageState> = {
  stage: task,
  whenValues: values,
  status: oneOf(...STAGE_STATUSES),
  startedAt: nullable(time),
  finishedAt: nullable(time),
  changedAt: number,
  blockedAt: number,
  count: Type.Object(COUNT, closed),
};

const replaced = Type.Object(
  { params: Type.Optional(anything), taskDetails: Type.Optional(anything), options: Type.Optional(TaskOptionsSchema) },
  closed,
);

const TASK: All<TaskState> = {
  ordinal: task,
  definition: replaced,
  resolved: replaced,
  whenValues: values,
  status: taskStatus,
  attempt: number,
  runAttempts: number,
  attempts: Type.Array(Type.Object(ATTEMPT, closed), { maxItems: 100 }),
  attemptsOmitted: number,
  dueSince: nullable(time),
  retryAt: nullable(time),
  response: nullable(longText),
  error: nullableError,
  blocks: flag,
  open: flag,
  selected: flag,
  inDoubt: nullable(oneOfType(["verify", "verify-or-fail"])),
  pendingResponse: nullable(longText),
  respondedBy: nullable(number),
  isResolved: flag,
  settledAt: number,
};

/** All fields but one may be absent: they are as in a new taskflow. */
function sparse(fields: Record<string, TSchema>, required?: string): TSchema {
  const optional = Object.entries(fields).map(([name, schema]) => [name, name === required ? schema : Type.Optional(schema)]);
  return Type.Object(Object.fromEntries(optional) as Record<string, TSchema>, closed);
}

/** The properties of the fact. */
export const SNAPSHOT = {
  flow: Type.Optional(sparse(FLOW)),
  stages: Type.Optional(list(sparse(STAGE, "stage"))),
  tasks: Type.Optional(list(sparse(TASK, "ordinal"))),
};

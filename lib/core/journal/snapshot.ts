/**
 * Snapshots: the state of a taskflow as facts (`compacted`), which stand for all facts before them.
 * They hold the fields that differ from those of a taskflow that was just built, a bounded number
 * of tasks in each fact, so that reading and writing the largest taskflow can pause in between.
 */
import type { Child, Flow, Task } from "../model/flow.ts";
import { resolveOptions } from "../model/options.ts";
import type { TaskDefinition } from "../model/values.ts";
import { changeChild } from "./children.ts";
import { build } from "./build.ts";
import type { Compacted, Created } from "./facts.ts";
import type {
  ChildState,
  FlowField,
  FlowState,
  Replaced,
  StageField,
  StageState,
  TaskField,
  TaskState,
} from "./snapshot-state.ts";
import { taskOf } from "./tasks.ts";

/** Tasks of one fact. */
const PORTION = 500;

const FLOW = fieldsOf<FlowField>({
  status: true,
  statusReason: true,
  startedAt: true,
  finishedAt: true,
  retryAttempt: true,
  runStartedAt: true,
  runSeq: true,
  error: true,
  output: true,
  seq: true,
  fence: true,
  passed: true,
  settled: true,
  pause: true,
  aborting: true,
  undoing: true,
});
const STAGE = fieldsOf<StageField>({
  whenValues: true,
  status: true,
  startedAt: true,
  finishedAt: true,
  changedAt: true,
  blockedAt: true,
  count: true,
});
const TASK = fieldsOf<TaskField>({
  whenValues: true,
  status: true,
  attempt: true,
  runAttempts: true,
  attempts: true,
  attemptsOmitted: true,
  dueSince: true,
  retryAt: true,
  response: true,
  error: true,
  blocks: true,
  open: true,
  selected: true,
  inDoubt: true,
  pendingResponse: true,
  respondedBy: true,
  isResolved: true,
  settledAt: true,
});

/**
 * The state as facts, one after the other: the flow must not change meanwhile.
 * @param created its first fact
 */
export function* snapshotOf(flow: Flow, created: Created): Generator<Compacted> {
  const fresh = build(created, flow.createdAt);
  const stages = [...flow.stages, flow.undo].map((stage): StageState => ({
    stage: stage.index,
    ...changed(STAGE, stage, fresh.stages[stage.index] ?? fresh.undo),
  }));
  yield { kind: "compacted", flow: flowState(flow, fresh), stages: stages.filter(hasMore) };
  const tasks = [...flow.tasks, ...flow.undo.tasks];
  const freshTasks = [...fresh.tasks, ...fresh.undo.tasks];
  for (let from = 0; from < tasks.length; from += PORTION) {
    const portion = tasks.slice(from, from + PORTION).map((task) => taskState(task, freshTasks[task.ordinal] as Task));
    yield { kind: "compacted", tasks: portion.filter(hasMore) };
  }
}

function flowState(flow: Flow, fresh: Flow): FlowState {
  const { awaiting, commands, annotations, due, repeats } = flow;
  const children = childStates(flow);
  return {
    ...changed(FLOW, flow, fresh),
    ...(awaiting.size > 0 ? { awaiting: [...awaiting] } : {}),
    ...(commands.size > 0 ? { commands: [...commands] } : {}),
    ...(annotations.length > 0 ? { annotations } : {}),
    ...(due.size > 0 ? { due: [...due] } : {}),
    ...(repeats.size > 0 ? { repeats: [...repeats] } : {}),
    ...(children.length > 0 ? { children } : {}),
  };
}

function childStates({ children, tasks, undo }: Flow): ChildState[] {
  if (children.size === 0) return [];
  const places = new Map(Array.from(children.values(), (child, place) => [child, place]));
  return [...tasks, ...undo.tasks].flatMap((task) =>
    task.children.map((child): ChildState => {
      const place = places.get(child);
      return { ...child, task: task.ordinal, ...(place === undefined ? {} : { place }) };
    }),
  );
}

function taskState(task: Task, fresh: Task): TaskState {
  const { ordinal, definition, resolved } = task;
  return {
    ordinal,
    ...changed(TASK, task, fresh),
    ...(definition === fresh.definition ? {} : { definition: replaced(definition, fresh.definition) }),
    ...(resolved ? { resolved: replaced(resolved, definition) } : {}),
  };
}

function replaced(definition: TaskDefinition, { params, taskDetails, options }: TaskDefinition): Replaced {
  return {
    ...(definition.params === params ? {} : { params: definition.params }),
    ...(definition.taskDetails === taskDetails ? {} : { taskDetails: definition.taskDetails }),
    ...(definition.options === options || !definition.options ? {} : { options: definition.options }),
  };
}

/**
 * Restores a portion of a snapshot; its first fact must meet a flow that was just built. The fact
 * may be applied again: nothing that changes later is shared with it.
 */
export function restore(flow: Flow, { flow: whole, stages = [], tasks = [] }: Compacted): void {
  if (whole) restoreFlow(flow, whole);
  for (const { stage: index, ...state } of stages) {
    const stage = index === flow.stages.length ? flow.undo : flow.stages[index];
    if (!stage) throw new Error(`Taskflow ${flow.taskflowId} has no stage ${index}: its snapshot does not match its definition.`);
    Object.assign(stage, state, { count: { ...(state.count ?? stage.count) } });
  }
  for (const state of tasks) restoreTask(taskOf(flow, state.ordinal), state);
}

function restoreFlow(flow: Flow, state: FlowState): void {
  const { awaiting = [], commands = [], annotations = [], due = [], repeats = [], children = [], ...fields } = state;
  Object.assign(flow, fields, { undoing: { ...(fields.undoing ?? flow.undoing) } });
  for (const ordinal of awaiting) flow.awaiting.add(ordinal);
  for (const [id, answer] of commands) flow.commands.set(id, answer);
  flow.annotations.push(...annotations);
  for (const ordinal of due) flow.due.add(ordinal);
  for (const ordinal of repeats) flow.repeats.add(ordinal);
  const placed: Child[] = [];
  for (const { task: ordinal, state: childState, place, ...child } of children) {
    const task = taskOf(flow, ordinal);
    const added: Child = { ...child, task, state: "ended" };
    if (place !== undefined) placed[place] = added;
    task.children.push(added);
    changeChild(flow, added, childState);
  }
  for (const child of placed.filter(Boolean)) flow.children.set(child.id, child);
}

function restoreTask(task: Task, { ordinal: _, definition, resolved, ...fields }: TaskState): void {
  Object.assign(task, fields, { attempts: (fields.attempts ?? []).map((attempt) => ({ ...attempt })) });
  if (definition) task.definition = { ...task.definition, ...definition };
  if (definition?.options) {
    task.options = resolveOptions(task.stage.options, definition.options);
    if (task.undo) task.undo.options = task.options;
  }
  if (resolved) task.resolved = { ...task.definition, ...resolved };
}

const hasMore = (state: object): boolean => Object.keys(state).length > 1;

function fieldsOf<Field extends string>(fields: Readonly<Record<Field, true>>): readonly Field[] {
  return Object.keys(fields) as Field[];
}

/** The fields whose values are not those of the fresh one; both are JSON. */
function changed<Thing, Field extends keyof Thing>(
  fields: readonly Field[],
  thing: Thing,
  fresh: Thing,
): Partial<Pick<Thing, Field>> {
  const state: Partial<Pick<Thing, Field>> = {};
  for (const field of fields) {
    const value = thing[field];
    if (value === fresh[field]) continue;
    if (typeof value === "object" && value !== null && JSON.stringify(value) === JSON.stringify(fresh[field])) continue;
    state[field] = value;
  }
  return state;
}

/**
 * Truncates answers to one message of the bus: large values go first, then attempts, then tasks.
 * For the usual small answer this costs a sum over its tasks; only an answer that may be too large
 * is measured.
 */
import type { Flow, Stage, Task } from "../../core/model/flow.ts";
import type { JsonText, TaskError } from "../../core/model/values.ts";
import type { TreeShape } from "../../core/views/details.ts";
import { bytesOf, isOmitted, leaveOut, omission, type Omission, omitted, WORTH_OMITTING } from "../../protocol/truncate.ts";
import type { Referable } from "../../protocol/value-ref.ts";

type Json = Record<string, unknown>;

interface Stages {
  [stageId: string]: Json & { tasks: Record<string, Json>; tasksOmitted?: number };
}

/** No task takes less in a tree, whatever is left out of it. */
const SHORTEST_ROW = 400;
/** What a task takes beside its values, at most: options, ids, and names of 256 characters. */
const ROW_FRAME = 4_096;
const ATTEMPT_FRAME = 600;
/** Not less than the bytes of its JSON text; without writing it. */
function boundOf(value: unknown): number {
  if (typeof value === "string") return 6 * value.length + 2;
  if (typeof value !== "object" || value === null) return 26;
  let sum = 2;
  if (Array.isArray(value)) for (const element of value) sum += boundOf(element) + 1;
  else for (const key in value) sum += 6 * key.length + 4 + boundOf((value as Json)[key]);
  return sum;
}

const boundOfError = (error: TaskError | null | undefined): number => (error ? boundOf(error) : 0);

/** Not less than what `taskDetails` of the task takes in a message. */
export function boundOfTask({ definition, resolved, whenValues, response, error, attempts }: Task): number {
  let sum = ROW_FRAME + boundOfError(error) + (response === null ? 0 : 3 * response.length);
  if (definition.params !== undefined) sum += boundOf(definition.params);
  if (resolved?.params !== undefined) sum += boundOf(resolved.params);
  if (whenValues !== null) sum += boundOf(whenValues);
  if (definition.meta !== undefined) sum += boundOf(definition.meta);
  for (const attempt of attempts) sum += ATTEMPT_FRAME + boundOfError(attempt.error);
  return sum;
}

function surelyFits(flow: Flow, stages: readonly Stage[], maxBytes: number): boolean {
  const { context, tags, attributes } = flow.definition;
  let left =
    maxBytes -
    ROW_FRAME -
    boundOf(context) -
    boundOf(tags) -
    boundOf(attributes) -
    boundOf(flow.output) -
    boundOfError(flow.error);
  for (const stage of stages) {
    left -= ROW_FRAME;
    for (const task of stage.tasks) {
      left -= boundOfTask(task);
      if (left < 0) return false;
    }
  }
  return left >= 0;
}

/** What stands for a value that is left out, by its JSON text. */
type StandIn = (field: Referable, text: string) => unknown;

function* firstTasks(stages: readonly Stage[], most: number): Generator<Task> {
  let left = most;
  for (const stage of stages) {
    for (const task of stage.tasks) {
      if (left-- <= 0) return;
      yield task;
    }
  }
}

/** The shape in which a tree costs no more than can be sent; undefined: it surely fits. */
export function shapeOf(flow: Flow, only: ReadonlySet<Stage> | undefined, maxBytes: number): TreeShape | undefined {
  const stages = only ? flow.stages.filter((stage) => only.has(stage)) : flow.stages;
  if (surelyFits(flow, stages, maxBytes)) return undefined;
  const mostTasks = Math.ceil(maxBytes / SHORTEST_ROW);
  const lengths: number[] = [];
  let sum = 0;
  for (const { response } of firstTasks(stages, mostTasks)) {
    if (response === null) continue;
    lengths.push(response.length);
    sum += response.length;
  }
  let longest = Number.POSITIVE_INFINITY;
  lengths.sort((a, b) => b - a);
  // The largest of them that do not fit together are not even read.
  for (const length of lengths) {
    if (sum <= maxBytes) break;
    sum -= length;
    longest = length - 1;
  }
  return {
    mostTasks,
    valueOf: (text: JsonText) => (text.length > longest ? omitted(Buffer.byteLength(text)) : (JSON.parse(text) as unknown)),
  };
}

/** The values of a task and of its error. The error belongs to the state, so a copy is changed. */
function omissionsOf(row: Json, standIn?: StandIn): Omission[] {
  const of = (owner: Json, key: string, field = key as Referable): Omission | undefined =>
    omission(owner, key, standIn && ((text) => standIn(field, text)));
  const found = [of(row, "response"), of(row, "params"), of(row, "resolvedParams"), of(row, "meta")];
  if (row["error"]) {
    const error: Json = { ...(row["error"] as Json) };
    row["error"] = error;
    const { stack } = error;
    found.push(of(error, "data", "error.data"));
    if (typeof stack === "string" && stack.length > WORTH_OMITTING) {
      found.push({ bytes: bytesOf(stack), omit: () => ((error["stack"] = `(${stack.length} characters)`), 24) });
    }
  }
  return found.filter((each) => each !== undefined);
}

function attemptsOmission(row: Json): Omission | undefined {
  const attempts = row["attempts"] as unknown[];
  if (attempts.length === 0) return undefined;
  return {
    bytes: bytesOf(attempts),
    omit() {
      row["attemptsOmitted"] = ((row["attemptsOmitted"] as number | undefined) ?? 0) + attempts.length;
      row["attempts"] = [];
      return 2 + `,"attemptsOmitted":${String(row["attemptsOmitted"])}`.length;
    },
  };
}

/**
 * A task in at most that many bytes, with references in place of large values. Changes the row
 * itself, not the values in it.
 */
export function truncateTask(row: Json, maxBytes: number, standIn: StandIn): Json {
  let tooMany = bytesOf(row) - maxBytes;
  if (tooMany > 0) tooMany = leaveOut(omissionsOf(row, standIn), tooMany);
  const attempts = attemptsOmission(row);
  if (tooMany > 0 && attempts) leaveOut([attempts], tooMany);
  return row;
}

/**
 * A tree in at most that many bytes. Changes the tree, its stages and its tasks, not the values in
 * them.
 */
export function truncateTree(tree: Json, maxBytes: number): Json {
  const stages = tree["stages"] as Stages;
  const rows = Object.values(stages).flatMap((stage) => Object.values(stage.tasks));
  const isCut = Object.values(stages).some((stage) => stage.tasksOmitted !== undefined);
  const isShortened = rows.some((row) => isOmitted(row["response"]));
  let tooMany = sizeOf(tree, stages) - maxBytes;
  if (tooMany <= 0 && !isCut && !isShortened) return tree;
  tree["truncated"] = true;
  tooMany += 20;
  if (tooMany > 0) {
    const own = ["context", "output"].flatMap((key) => omission(tree, key) ?? []);
    tooMany = leaveOut([...rows.flatMap((row) => omissionsOf(row)), ...own], tooMany);
  }
  if (tooMany > 0)
    tooMany = leaveOut(
      rows.flatMap((row) => attemptsOmission(row) ?? []),
      tooMany,
    );
  if (tooMany > 0) cutTasks(tree, stages, tooMany);
  return tree;
}

/** Piece by piece: the text of all of it at once may be longer than a string can be. */
function sizeOf(tree: Json, stages: Stages): number {
  let sum = bytesOf({ ...tree, stages: {} });
  for (const stage of Object.values(stages)) {
    sum += bytesOf({ ...stage, tasks: {} }) + 40;
    for (const row of Object.values(stage.tasks)) sum += bytesOf(row) + 40;
  }
  return sum;
}

/** Tasks go from the end; where that is not enough, stages do. */
function cutTasks(tree: Json, stages: Stages, tooMany: number): void {
  for (const stage of Object.values(stages).toReversed()) {
    const ids = Object.keys(stage.tasks).toReversed();
    if (ids.length > 0 && stage.tasksOmitted === undefined) tooMany += 24;
    for (const id of ids) {
      if (tooMany <= 0) return;
      tooMany -= bytesOf(stage.tasks[id]) + 40;
      delete stage.tasks[id];
      stage.tasksOmitted = (stage.tasksOmitted ?? 0) + 1;
    }
  }
  let stagesOmitted = 0;
  for (const [id, stage] of Object.entries(stages).toReversed()) {
    if (tooMany <= 0) return;
    if (stagesOmitted === 0) tooMany += 24;
    tooMany -= bytesOf(stage) + 40;
    delete stages[id];
    tree["stagesOmitted"] = ++stagesOmitted;
  }
}
/** `,"truncated":true`, and what stands around a list. */
const FRAME = 64;
/**
 * Truncates an answer to a command: the same if it fits, else with its lists cut and `truncated:
 * true`.
 */
export function truncateAnswer(data: Readonly<Json>, maxBytes: number): Readonly<Json> {
  if (bytesOf(data) <= maxBytes) return data;
  const lists = Object.entries(data).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const fitted: Record<string, unknown> = { ...data, truncated: true };
  for (const [key] of lists) fitted[key] = [];
  let left = maxBytes - bytesOf(fitted) - FRAME;
  for (const [key, list] of lists) {
    const kept: unknown[] = [];
    for (const each of list) {
      left -= bytesOf(each) + 1;
      if (left < 0) break;
      kept.push(each);
    }
    fitted[key] = kept;
  }
  return fitted;
}

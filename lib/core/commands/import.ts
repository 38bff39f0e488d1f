/**
 * Copies a taskflow from its journal: the same history under a new id. Neither the original nor the
 * workers know the copy, because the keys of its attempts differ.
 *
 * A finished taskflow is copied as it is. An unfinished one is PAUSED, so that nothing runs before
 * a person resumes it:
 *
 * - A running attempt may have done its work for the original. In the default mode it is delivered
 *   again, as after a crash; under `exactlyOnceTaskExecution` it ends with `TASK_OUTCOME_UNKNOWN`,
 *   and a person decides. No worker is asked about it, now or before a later retry.
 * - Nested taskflows stay the original's. If some still ran, the attempt that produced them is
 *   repeated.
 * - A running compensation has failed: the copy cannot know how far the original got.
 */
import { isPastAge } from "../execution/max-age.ts";
import { type Flow, isFinished, isSettled, latestAttempt, type Task, taskAt } from "../model/flow.ts";
import { assertFlow } from "../model/invariants.ts";
import { build } from "../journal/build.ts";
import { applyEntry, isSnapshot } from "../journal/journal.ts";
import { AWAITING_DECISION, failure, type TaskError } from "../model/values.ts";
import type { Created, Entry, Fact } from "../journal/facts.ts";
import { stageId, stageIndexOf, taskId, taskOrdinalOf } from "../model/ids.ts";
import { pause } from "./pause.ts";
import { afterSettled, begin } from "../execution/stage.ts";
import { record, type Step } from "../execution/step.ts";

/** Pause reason of an unfinished copy, and type of the annotation that names its origin. */
export const IMPORTED = "imported";

export interface Copy {
  readonly entries: readonly Entry[];
  readonly flow: Flow;
}

export interface Identity {
  readonly taskflowId: string;
  readonly idBase: string;
}

/** An entry of the journal that contradicts the entries before it. */
export class JournalError extends Error {
  readonly entry: number;

  constructor(entry: number, message: string) {
    super(message);
    this.entry = entry;
  }
}

/**
 * @param journal its first fact must be `created`, and no other
 * @throws JournalError if the entries contradict each other
 */
export function copyJournal(journal: readonly Entry[], identity: Identity, now: number): Copy {
  const original = journal[0]?.facts[0] as Created;
  // The original's clock may be ahead.
  const copiedAt = Math.max(now, ...journal.slice(-1).map(({ at }) => at + 1));
  const entries = journal.map(({ at, facts }) => ({
    at,
    facts: facts.flatMap((fact) => adopt(fact, original, { ...identity, copiedAt })),
  }));
  const flow = replayed(entries);
  const step: Step = { flow, now, facts: [], effects: [], answers: [] };
  settleForCopy(step);
  const origin = { taskflowId: original.taskflowId, revision: journal.length };
  record(step, { kind: "annotated", type: IMPORTED, value: origin });
  assertFlow(flow);
  flow.revision = entries.length + 1;
  return { entries: [...entries, { at: now, facts: step.facts }], flow };
}

/** The fact as it stands in the copy's journal; command ids belong to the original only. */
function adopt(
  fact: Fact,
  original: Created,
  { taskflowId, idBase, copiedAt }: Identity & { readonly copiedAt: number },
): Fact[] {
  if (fact.kind === "command-handled") return [];
  if (fact.kind === "created") {
    const { nested: _, ...rest } = fact;
    return [{ ...rest, taskflowId, idBase, copiedAt }];
  }
  const renamed = (error: TaskError): TaskError => renameIn(error, original.idBase, idBase);
  if (fact.kind === "flow" && fact.error) return [{ ...fact, error: renamed(fact.error) }];
  if (fact.kind !== "compacted" || !fact.flow) return [fact];
  const { commands: _, ...flow } = fact.flow;
  return [{ ...fact, flow: { ...flow, ...(flow.error ? { error: renamed(flow.error) } : {}) } }];
}

function renameIn(error: TaskError, from: string, to: string): TaskError {
  if (typeof error.data !== "object" || error.data === null) return error;
  const data = Object.entries(error.data).map(([key, value]) => [key, rename(value, from, to)]);
  return { ...error, data: Object.fromEntries(data) as unknown };
}

/** Translates an id of a stage or task inside a taskflow's error. */
function rename(value: unknown, from: string, to: string): unknown {
  if (typeof value !== "string") return value;
  const stage = stageIndexOf(from, value);
  const task = taskOrdinalOf(from, value);
  return stage === undefined ? (task === undefined ? value : taskId(to, task)) : stageId(to, stage);
}

function replayed(entries: readonly Entry[]): Flow {
  const [first, second] = entries;
  const flow = build(first?.facts[0] as Created, first?.at ?? 0);
  entries.forEach((entry, index) => {
    try {
      // What the first entry left is in the snapshot too.
      if (index > 0 || !isSnapshot(second)) applyEntry(flow, entry);
      if (index === entries.length - 1) checkWhole(flow);
    } catch (error) {
      throw new JournalError(index, error instanceof Error ? error.message : String(error));
    }
  });
  return flow;
}

function checkWhole(flow: Flow): void {
  assertFlow(flow);
  if (isFinished(flow.status) || flow.status === "WAITING") return;
  const current = flow.stages.find(({ status }) => status === "RUNNING");
  if (current && (current.count.open > 0 || flow.awaiting.size > 0)) return;
  throw new Error(`The taskflow is ${flow.status}, and no stage has work left.`);
}

/** Ends everything that only the original can continue. */
function settleForCopy(step: Step): void {
  const { flow } = step;
  if (flow.status === "WAITING") begin(step);
  for (const task of flow.tasks) if (task.status === "RUNNING") loseRunning(step, task);
  for (const { id, state } of Array.from(flow.children.values())) {
    if (state === "active" || state === "abandoned") record(step, { kind: "child-ended", child: id, status: null });
  }
  if (flow.undo.status === "RUNNING") endUndoing(step);
  if (!isFinished(flow.status)) pause(step, { kind: "pause", reason: IMPORTED });
}

function loseRunning(step: Step, task: Task): void {
  const { flow, now } = step;
  const { ordinal, options } = task;
  if (!options.exactlyOnceTaskExecution) {
    // Without nested taskflows the same attempt is delivered again.
    if (task.pendingResponse !== null || task.activeChildren > 0)
      record(step, { kind: "delayed", task: ordinal, retryAt: now, error: lost(task) });
    return;
  }
  const blocks = !options.continueOnTaskFailure;
  const awaits = blocks && !flow.aborting && !isPastAge(flow, now);
  record(step, {
    kind: "settled",
    task: ordinal,
    status: "FAILED",
    error: lost(task),
    ...(blocks ? { blocks } : {}),
    ...(awaits ? { awaits } : {}),
  });
  if (awaits && flow.statusReason !== AWAITING_DECISION)
    record(step, { kind: "flow", status: "PAUSED", reason: AWAITING_DECISION });
  afterSettled(step, task.stage);
}

function lost(task: Task): ReturnType<typeof failure> {
  const { attempt, nodeID } = latestAttempt(task);
  const message = `Attempt ${attempt} was running on ${nodeID ?? "a node"} at the time of the export. Its outcome is unknown to the copy: see the original.`;
  return failure("TASK_OUTCOME_UNKNOWN", message);
}

function endUndoing(step: Step): void {
  const { flow } = step;
  for (const ordinal of flow.undoing.order) {
    const task = taskAt(flow, ordinal);
    if (!task || isSettled(task.status)) continue;
    const error = failure(
      "TASK_OUTCOME_UNKNOWN",
      "The taskflow was exported during its compensation. The outcome is unknown to the copy: see the original.",
    );
    record(step, { kind: "settled", task: ordinal, status: "FAILED", error });
  }
  record(step, { kind: "compensated", status: "FAILED" });
}

/** What a retry runs: a first run, a retry, and the calls that follow. */
import type { RetryOptions, StageDefinition, Taskflow, TaskflowDetails } from "../../lib/index.ts";
import { stageOf } from "../helpers/local-node.ts";

/** s0: a, b; s1: c, d; s2: e. */
export const STAGES: StageDefinition[] = [stageOf("s0", ["a", "b"]), stageOf("s1", ["c", "d"]), stageOf("s2", ["e"])];
const EXACTLY = { exactlyOnceTaskExecution: true };

export interface FirstRun {
  readonly title: string;
  readonly options?: Taskflow["options"];
  /** What fails in it. */
  readonly fails?: readonly string[];
  readonly ends: TaskflowDetails["status"];
  readonly retry?: RetryOptions;
}

interface Row extends FirstRun {
  /** Calls of the retry, stage by stage. */
  readonly runs: readonly string[];
}

interface RefusedRow extends FirstRun {
  readonly refusal: string;
}

export const TABLE: readonly Row[] = [
  { title: "bare: everything", ends: "COMPLETED", runs: ["ab", "cd", "e"] },
  { title: "bare, exactly once: what did not succeed", options: EXACTLY, fails: ["c"], ends: "FAILED", runs: ["c", "e"] },
  { title: "failed only", fails: ["c"], ends: "FAILED", retry: { mode: "failed" }, runs: ["c", "e"] },
  { title: "failed only, and nothing is", ends: "COMPLETED", retry: { mode: "failed" }, runs: [] },
  {
    title: "all by force",
    options: EXACTLY,
    fails: ["c"],
    ends: "FAILED",
    retry: { mode: "all", force: true },
    runs: ["ab", "cd", "e"],
  },
  { title: "a stage: those behind it are left alone", ends: "COMPLETED", retry: { stagesInfo: ["s1"] }, runs: ["cd"] },
  {
    title: "a stage, exactly once",
    options: EXACTLY,
    fails: ["c"],
    ends: "FAILED",
    retry: { stagesInfo: ["s1"] },
    runs: ["c", "e"],
  },
  { title: "a stage, cascading", ends: "COMPLETED", retry: { stagesInfo: ["s1"], cascade: true }, runs: ["cd", "e"] },
  {
    title: "tasks of stages, in stage order whatever was given",
    ends: "COMPLETED",
    retry: {
      stagesInfo: [
        { stageId: "s2", taskIds: ["e"] },
        { stageId: "s0", taskIds: ["b"] },
      ],
    },
    runs: ["b", "e"],
  },
  { title: "one task", ends: "COMPLETED", retry: { tasksInfo: [{ taskId: "d" }] }, runs: ["d"] },
  {
    title: "what was allowed to fail",
    options: { continueOnTaskFailure: true },
    fails: ["b"],
    ends: "PARTIAL_COMPLETED",
    retry: { mode: "failed" },
    runs: ["b"],
  },
];

export const REFUSED: readonly RefusedRow[] = [
  { title: "bare, exactly once and COMPLETED", options: EXACTLY, ends: "COMPLETED", refusal: "TASKFLOW_NOT_RETRYABLE" },
  {
    title: "all, exactly once",
    options: EXACTLY,
    fails: ["c"],
    ends: "FAILED",
    retry: { mode: "all" },
    refusal: "TASKFLOW_EXACTLY_ONCE",
  },
  {
    title: "one task that succeeded, exactly once",
    options: EXACTLY,
    fails: ["c"],
    ends: "FAILED",
    retry: { tasksInfo: [{ taskId: "d" }] },
    refusal: "TASKFLOW_EXACTLY_ONCE",
  },
  { title: "one wrong id among good ones", ends: "COMPLETED", retry: { stagesInfo: ["s0", "s9"] }, refusal: "STAGE_NOT_FOUND" },
  {
    title: "a task under the wrong stage",
    ends: "COMPLETED",
    retry: { tasksInfo: [{ stageId: "s0", taskId: "d" }] },
    refusal: "TASK_NOT_FOUND",
  },
];

const stageOfCall: Readonly<Record<string, number>> = { a: 0, b: 0, c: 1, d: 1, e: 2 };

/** Calls as they are written in the table; a stage that was called for twice in between shows. */
export function byStage(calls: readonly string[]): string[] {
  const stages: string[] = [];
  calls.forEach((call, index) => {
    if (index > 0 && stageOfCall[call] === stageOfCall[calls[index - 1] ?? ""]) stages.push((stages.pop() ?? "") + call);
    else stages.push(call);
  });
  return stages.map((names) => Array.from(names).toSorted().join(""));
}

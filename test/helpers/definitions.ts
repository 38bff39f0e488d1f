/** Definitions for tests of validation: the smallest that is valid, and ways to change it. */
import { compileActionPatterns } from "../../lib/config/allowed-actions.ts";
import { DEFAULT_LIMITS, type Limits } from "../../lib/config/limits.ts";
import { BUILT_IN_TASK_TYPES } from "../../lib/task-types/index.ts";
import { validateTaskflow, type Problem } from "../../lib/validation/index.ts";

export type Loose = Record<string, unknown>;

export const aTask = (changes: Loose = {}): Loose => ({
  name: "task",
  type: "ACTION",
  taskDetails: { serviceId: "greeter", actionName: "hello" },
  ...changes,
});

export const aStage = (changes: Loose = {}): Loose => ({ name: "stage", tasks: [aTask()], ...changes });

export const aTaskflow = (changes: Loose = {}): Loose => ({ stages: [aStage()], ...changes });

/** A taskflow of one task that differs from the valid one by `changes`. */
export const withTask = (changes: Loose): Loose => aTaskflow({ stages: [aStage({ tasks: [aTask(changes)] })] });

/** The settings that definitions are checked against. */
export const CONTEXT = {
  limits: DEFAULT_LIMITS,
  isActionAllowed: compileActionPatterns(),
  taskTypes: BUILT_IN_TASK_TYPES,
};

export function problemsOf(params: unknown, limits: Partial<Limits> = {}): Problem[] {
  const result = validateTaskflow(params, { ...CONTEXT, limits: { ...DEFAULT_LIMITS, ...limits } });
  return result.ok ? [] : result.problems;
}

export function pathsOf(params: unknown, limits: Partial<Limits> = {}): string[] {
  return problemsOf(params, limits).map((problem) => problem.path);
}

/** Objects inside one another, the outermost counted as 1. */
export function nested(depth: number): Loose {
  let value: Loose = {};
  for (let level = 1; level < depth; level++) value = { inner: value };
  return value;
}

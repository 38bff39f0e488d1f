/** Retries, and what came of them: for tests of the core. */
import type { RetryCommand } from "../../lib/core/model/command.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import { finish } from "./commands.ts";
import { type CoreRun, ID_BASE } from "./core-run.ts";

/** The names of the tasks that an answer lists. */
export const retried = (data: Readonly<Record<string, unknown>>, run: CoreRun, key = "retried"): string[] =>
  (data[key] as { taskId: string; stageId: string }[]).map((ids) => {
    const task = run.flow.tasks.find(({ ordinal }) => taskId(ID_BASE, ordinal) === ids.taskId);
    if (ids.stageId !== stageId(ID_BASE, task?.stage.index ?? -1))
      throw new Error(`Task ${ids.taskId} is not in ${ids.stageId}.`);
    return task?.definition.name ?? "";
  });

export const RETRY: RetryCommand = { kind: "retry" };
export const tasks = (...names: string[]): RetryCommand => ({ kind: "retry", selection: [{ tasks: names }] });
export const stages = (...names: string[]): RetryCommand => ({ kind: "retry", selection: names.map((stage) => ({ stage })) });

/** What a retry answers, and what is then sent, stage by stage. */
export function tried(run: CoreRun, command: RetryCommand): { readonly retried: string[]; readonly sent: string[][] } {
  const answer = run.handleCommand(command);
  return { retried: retried(answer, run), sent: finish(run) };
}

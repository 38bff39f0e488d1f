import type { CommandResult, Command } from "../../lib/core/model/command.ts";
import type { Decision } from "../../lib/core/decide.ts";
import type { Effect } from "../../lib/core/execution/effects.ts";
import type { TaskflowStatus } from "../../lib/core/model/values.ts";
import { taskflowDetails } from "../../lib/core/views/details.ts";
import { stageId, taskId } from "../../lib/core/model/ids.ts";
import type { Options } from "../../schemas/options.ts";
import type { TaskDetails } from "../../schemas/taskflow-details.schema.ts";
import { ID_BASE } from "./core-run.ts";
import { UndoRun } from "./undo-run.ts";

export const MAX_DEPTH = 16;

/** The orders to other taskflows among effects: whom, and what. */
export const orders = (effects: readonly Effect[]): [string, Command["kind"]][] =>
  effects.flatMap((effect): [string, Command["kind"]][] =>
    effect.kind === "send-command" ? [[effect.to, effect.command.kind]] : [],
  );

/** A run whose tasks produce taskflows. */
export class NestedRun extends UndoRun {
  /** The handler of the running attempt of a task produces a taskflow. */
  link(
    name: string,
    child: string,
    more: { isChosen?: boolean; attempt?: number; delivery?: number; maxDepth?: number } = {},
  ): CommandResult {
    const { ordinal, attempt, attempts } = this.task(name);
    return this.command({
      kind: "link",
      taskId: taskId(ID_BASE, ordinal),
      attempt,
      delivery: attempts.at(-1)?.deliveries ?? 1,
      child,
      isChosen: false,
      maxDepth: MAX_DEPTH,
      ...more,
    }).answer;
  }

  join(child: string, status: TaskflowStatus | null, seq?: number): Decision {
    return this.command({ kind: "join", child, status, ...(seq === undefined ? {} : { seq }) });
  }

  /** Of a nested taskflow: what the taskflow above knows of it. */
  stateOf(child: string): string | undefined {
    return this.flow.children.get(child)?.state;
  }
}

/** A task whose handler has produced these, and is still at it. */
export function producing(children: readonly string[], options: Options = {}, more: { isChosen?: boolean } = {}): NestedRun {
  const run = new NestedRun([{ a: options }, ["b"]]).begin();
  run.send();
  for (const child of children) run.link("a", child, more);
  return run;
}

/** Of the first task, as callers see it. */
export const taskDetails = (run: NestedRun): TaskDetails => {
  const { stages } = taskflowDetails(run.flow);
  return stages[stageId(ID_BASE, 0)]?.tasks[taskId(ID_BASE, 0)] as TaskDetails;
};

import { decodeEntry, replay } from "../../lib/core/journal/journal.ts";
import type { Decision } from "../../lib/core/decide.ts";
import { taskflowDetails } from "../../lib/core/views/details.ts";
import { targetOf } from "../../lib/core/model/task-type.ts";
import type { StoredDefinition } from "../../lib/core/model/values.ts";
import { type Task, taskAt } from "../../lib/core/model/flow.ts";
import type { Router } from "../../lib/core/execution/dispatch.ts";
import type { Input } from "../../lib/core/execution/inputs.ts";
import type { Options } from "../../schemas/options.ts";
import type { TaskflowDetails } from "../../schemas/taskflow-details.schema.ts";
import { answered, CoreRun, failed, fingerprint, sketch, type StageSketch, TYPES, written } from "./core-run.ts";

/** Tasks that `undo <name>` undoes, and beside them others. */
export function undoable(
  stages: readonly StageSketch[],
  options: Options = {},
  without: readonly string[] = [],
): StoredDefinition {
  const { stages: made } = sketch(stages);
  const compensateOf = (name: string) => ({ compensate: { taskDetails: { serviceId: "undo", actionName: name } } });
  return {
    options: { onFailure: "compensate", ...options },
    stages: made.map((stage) => ({
      ...stage,
      tasks: stage.tasks.map((task) => (without.includes(task.name) ? task : { ...task, ...compensateOf(task.name) })),
    })),
  };
}

/**
 * A run in which tasks are undone: those that undo are called "undo <name>". After each commit
 * the journal must tell what memory holds.
 */
export class UndoRun extends CoreRun {
  override decide(inputs: readonly Input[], router?: Router): Decision {
    const decision = super.decide(inputs, router);
    const memory = fingerprint(this.flow);
    const journal = fingerprint(this.#replay());
    if (memory !== journal) throw new Error(`Memory and journal differ:\n${memory}\n${journal}`);
    return decision;
  }

  override task(name: string): Task {
    if (!name.startsWith("undo ")) return super.task(name);
    const undo = super.task(name.slice("undo ".length)).undo;
    if (!undo) throw new Error(`Nothing undoes ${name}.`);
    return undo;
  }

  /** Sends what is due. Answers the actions that are called. */
  override send(limit?: number, node?: string | ((task: Task) => string | undefined)): string[] {
    const before = this.effects.length;
    super.send(limit, node);
    return this.effects.slice(before).flatMap((effect) => {
      const task = effect.kind === "call" ? taskAt(this.flow, effect.task) : undefined;
      return task ? [targetOf(TYPES, task)] : [];
    });
  }

  /** The coordinator dies; another one reads the journal. */
  crash(): void {
    this.flow = this.#replay();
  }

  #replay(): ReturnType<typeof replay> {
    return replay(written(this).map(decodeEntry));
  }

  compensation(name: string): Task | null {
    return super.task(name).undo;
  }
}

/** Two tasks side by side that end in the order b, a; then c; then d fails. */
export function failing(options: Options = {}, stages = [["a", "b"], ["c"], ["d"]]): UndoRun {
  const run = new UndoRun(undoable(stages, options)).begin();
  run.send();
  run.answer("b", answered({ id: "B" }));
  run.answer("a", answered({ id: "A" }));
  run.send();
  run.answer("c", answered({ id: "C" }));
  run.send();
  run.now += 10;
  run.answer("d", failed());
  return run;
}

export const details = (run: UndoRun): TaskflowDetails => taskflowDetails(run.flow);

/** By the names of the tasks. */
export const compensationsOf = (run: UndoRun): Record<string, unknown> => {
  const tasks = Object.values(details(run).stages).flatMap((stage) => Object.values(stage.tasks));
  return Object.fromEntries(tasks.map(({ name, compensation }) => [name, compensation]));
};

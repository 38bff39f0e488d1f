import { decodeEntry, replay } from "../../lib/core/journal.ts";
import type { Decision } from "../../lib/core/decide.ts";
import { actionNameOf } from "../../lib/core/action-name.ts";
import type { StoredDefinition } from "../../lib/core/facts.ts";
import { type Task, taskAt } from "../../lib/core/flow.ts";
import type { Input } from "../../lib/core/inputs.ts";
import type { Options } from "../../lib/options.ts";
import { CoreRun, fingerprint, sketch, type StageSketch, written } from "./core-run.ts";

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

/** A run in which tasks are undone: those that undo are called "undo <name>". After each commit the journal must tell what memory holds. */
export class UndoRun extends CoreRun {
  override give(...inputs: Input[]): Decision {
    const decision = super.give(...inputs);
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
      return task ? [actionNameOf(task.definition.taskDetails)] : [];
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

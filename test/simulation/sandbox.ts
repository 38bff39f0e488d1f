import type { Evaluation, Sandbox } from "../../lib/ports/sandbox.ts";
import { isRecord } from "../../lib/util/record.ts";
import type { Incarnation } from "./incarnation.ts";

/** Computes the expressions of the simulated definitions, after a while. */
export class SimulatedSandbox implements Sandbox {
  readonly #incarnation: Incarnation;

  constructor(incarnation: Incarnation) {
    this.#incarnation = incarnation;
  }

  evaluate(sources: readonly string[], scope: string): Promise<readonly Evaluation[]> {
    const { taskflow, previousStageRes } = JSON.parse(scope) as Record<string, unknown>;
    const run = isRecord(taskflow) ? taskflow["retryAttempt"] : undefined;
    const valueOf = (source: string): unknown => {
      if (source.startsWith("$boolean(")) return true;
      return source === "previousStageRes" ? previousStageRes : String(run);
    };
    const values = sources.map((source) => ({ value: valueOf(source) }));
    const { world } = this.#incarnation;
    return new Promise((resolve) => {
      world.agenda.in(values.length * 20, () => this.#incarnation.reach(() => resolve(values)));
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

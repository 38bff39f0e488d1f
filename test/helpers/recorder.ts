/**
 * A service whose calls are recorded: its actions answer their names, fail while they are told
 * to, or wait while they are held.
 */
import type { Context, ServiceSchema } from "moleculer";
import { TaskflowWorker } from "../../lib/index.ts";

const ACTIONS = ["a", "b", "c", "d", "e", "f"];

export class Recorder {
  /** Names of actions, in the order in which they were called. */
  readonly calls: string[] = [];
  readonly failing = new Set<string>();
  /** Monotonic times at which handlers saw that nobody waits for them. */
  readonly aborts: number[] = [];
  readonly service: ServiceSchema;
  readonly #held = new Map<string, (() => void)[]>();

  constructor() {
    this.service = {
      name: "svc",
      mixins: [TaskflowWorker()],
      actions: Object.fromEntries(ACTIONS.map((name) => [name, (ctx: Context) => this.#handle(name, ctx)])),
    };
  }

  /** From now on calls of the action wait. */
  hold(name: string): void {
    this.#held.set(name, this.#held.get(name) ?? []);
  }

  /** Lets those that wait answer, and those to come. */
  letGo(name: string): void {
    const waiting = this.#held.get(name) ?? [];
    this.#held.delete(name);
    for (const go of waiting) go();
  }

  /** The calls since the last look. */
  take(): string[] {
    return this.calls.splice(0);
  }

  async #handle(name: string, ctx: Context): Promise<string> {
    this.calls.push(name);
    const { taskflow } = ctx as Context & { taskflow?: { signal: AbortSignal } };
    taskflow?.signal.addEventListener("abort", () => this.aborts.push(performance.now()));
    const waiting = this.#held.get(name);
    if (waiting) await new Promise<void>((resolve) => void waiting.push(resolve));
    if (this.failing.has(name)) throw new Error(`${name} was to fail.`);
    return name;
  }
}

/** Commands, and taskflows to give them to: for tests of the core. */
import type { Command } from "../../lib/core/model/command.ts";
import type { Options } from "../../schemas/options.ts";
import { answered, CoreRun, failed, json, type StageSketch } from "./core-run.ts";

/** Typed as the only value that `produce` takes so far: the core knows all. */
export const PAUSE = "pause" as string as "fail";
export const ASK: Options = { onFailure: PAUSE };
export const GO_ON: Options = { continueOnTaskFailure: true };
export const ONCE: Options = { exactlyOnceTaskExecution: true };
export const FATAL = failed({ permanent: true });

export const resolve = (task: string, outcome: "SUCCESS" | "SKIPPED" = "SUCCESS"): Command => ({
  kind: "resolveTask",
  task,
  outcome,
  reason: "seen to by hand",
  ...(outcome === "SUCCESS" ? { response: json({ by: "hand" }) } : {}),
});

export const cancelTask = (task: string): Command => ({ kind: "cancelTask", task });

/** Of those tasks, else of the whole taskflow. */
export const retry = (...tasks: string[]): Command => ({
  kind: "retry",
  ...(tasks.length > 0 ? { selection: [{ tasks }] } : {}),
});

/**
 * Sends and answers until nothing is left to send; those tasks fail for good. Answers what was
 * sent, round by round.
 */
export function finish(run: CoreRun, failing: readonly string[] = []): string[][] {
  const rounds: string[][] = [];
  for (let names = run.send(); names.length > 0; names = run.send()) {
    rounds.push(names);
    for (const name of names) run.answer(name, failing.includes(name) ? FATAL : answered(name));
  }
  return rounds;
}

/** A taskflow that has gone as far as it goes. */
export function ended(stages: readonly StageSketch[], failing: readonly string[] = [], options: Options = {}): CoreRun {
  const run = new CoreRun(stages, { options }).begin();
  finish(run, failing);
  return run;
}

/**
 * Bugs that are planted one at a time, to test the simulator: each must be noticed, by a property that was named beforehand. Most are one change in the
 * engine's own source, made while it is loaded; some are in the fakes of store and bus.
 */
import type { PropertyNumber } from "./properties.ts";

export interface PlantedBug {
  readonly title: string;
  /** Any of these may notice it first. */
  readonly noticedBy: readonly PropertyNumber[];
  /** The file that is changed, and what in it; absent for a bug of the fakes, which is known by its title. */
  readonly change?: readonly [file: string, from: string, to: string];
}

const task = "lib/core/task.ts";
const stage = "lib/core/stage.ts";
const turns = "lib/coordinator/turns.ts";

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    title: "no stage barrier",
    noticedBy: [5, 12],
    change: [stage, "stage.count.settled === stage.tasks.length", "stage.count.settled > 0"],
  },
  {
    title: "failures do not block",
    noticedBy: [5],
    change: [task, 'const blocks = !options.continueOnTaskFailure && failed.abort !== "task" ?', "const blocks = false ?"],
  },
  {
    title: "retry timer lost",
    noticedBy: [2],
    change: [task, 'step.effects.push({ kind: "timer", at: retryAt, input', 'void ({ kind: "timer", at: retryAt, input'],
  },
  {
    title: "unknown outcomes repeated under exactly-once",
    noticedBy: [8],
    change: [task, "if (task.options.exactlyOnceTaskExecution) ask(", "if (step.now < 0) ask("],
  },
  {
    title: "running attempts redelivered under exactly-once",
    noticedBy: [8],
    change: ["lib/core/question.ts", "if (task.options.exactlyOnceTaskExecution) return giveUp(step, task, cause);", ""],
  },
  {
    title: "deliveries without end",
    noticedBy: [9],
    change: ["lib/core/question.ts", "deliveries >= MAX_DELIVERIES", "deliveries > 1_000"],
  },
  {
    title: "running attempts forgotten at recovery",
    noticedBy: [2],
    change: ["lib/core/recover.ts", "!inFlight?.has(task.ordinal)) ask(step, task);", "!inFlight?.has(task.ordinal)) continue;"],
  },
  {
    title: "waiting tasks forgotten at recovery",
    noticedBy: [2],
    change: [
      "lib/core/recover.ts",
      'if (task.status === "WAITING") recoverWaiting(step, task);',
      'if (task.status === "WAITING") continue;',
    ],
  },
  {
    title: "answers of older attempts taken",
    noticedBy: [10, 24],
    change: [task, "task.attempt !== attempt || task.attempts.length === 0", "task.attempts.length === 0"],
  },
  {
    title: "late success taken a second time",
    noticedBy: [11],
    change: [task, 'const isLate = task.status === "WAITING" &&', 'const isLate = task.status !== "RUNNING" &&'],
  },
  {
    title: "attempts numbered anew",
    noticedBy: [6, 3],
    change: [task, "task.attempts.length === 0 ? 0 : task.attempt + 1", "task.runAttempts > 1 ? 0 : task.runAttempts"],
  },
  {
    title: "one retry too many",
    noticedBy: [6],
    change: [task, "task.runAttempts > options.maxRetries", "task.runAttempts > options.maxRetries + 1"],
  },
  { title: "permanent failures repeated", noticedBy: [10, 8], change: [task, "if (failed.permanent || failed", "if (failed"] },
  {
    title: "reported failures taken for successes",
    noticedBy: [10],
    change: [
      task,
      "return outcome.reportedFailure && task.options.checkSuccess",
      "return outcome.reportedFailure && !task.options.checkSuccess",
    ],
  },
  {
    title: "retryAfter ignored",
    noticedBy: [16],
    change: ["lib/core/backoff.ts", "if (retryAfterMs !== undefined)", "if (failures < 0 && retryAfterMs !== undefined)"],
  },
  {
    title: "retries without delay",
    noticedBy: [16],
    change: ["lib/core/backoff.ts", "return Math.round(delay * (1 - backoff.jitter * chance));", "return 0 * delay;"],
  },
  {
    title: "dispatch past maxAge",
    noticedBy: [17],
    change: [
      "lib/core/age.ts",
      "return isPastAge(flow, now) || (limit !== null && now >= limit);",
      "return limit !== null && now >= limit + 100;",
    ],
  },
  {
    title: "maxConcurrency ignored",
    noticedBy: [18],
    change: ["lib/core/decide.ts", "Number.POSITIVE_INFINITY) - stage.count.running", "Number.POSITIVE_INFINITY)"],
  },
  {
    title: "one call more than there are slots",
    noticedBy: [18],
    change: [
      "lib/coordinator/dispatcher.ts",
      "const picks = dispatchable(flow, free, route);",
      "const picks = dispatchable(flow, free + 1, route);",
    ],
  },
  {
    title: "every end is COMPLETED",
    noticedBy: [19, 15],
    change: [stage, 'status: failed > 0 ? "PARTIAL_COMPLETED" : "COMPLETED"', 'status: "COMPLETED"'],
  },
  {
    title: "a partial stage is COMPLETED",
    noticedBy: [19],
    change: [stage, 'success > 0 ? "PARTIAL_COMPLETED" : "FAILED"', 'success > 0 ? "COMPLETED" : "FAILED"'],
  },
  {
    title: "events before the write",
    noticedBy: [4],
    change: [
      turns,
      "    let results: WriteResult[] | Promise",
      "    for (const part of parts) this.#announce(part);\n    let results: WriteResult[] | Promise",
    ],
  },
  {
    title: "effects before the write",
    noticedBy: [3],
    change: [
      turns,
      "    let results: WriteResult[] | Promise",
      "    for (const part of parts) this.#sender.carryOut(part.resident, part.effects);\n    let results: WriteResult[] | Promise",
    ],
  },
  {
    title: "conflicts ignored",
    noticedBy: [3, 4],
    change: [turns, 'if (results[index] !== "stored") return this.#lost(part);', ""],
  },
  {
    title: "a failed commit is taken for a stored one",
    noticedBy: [3, 4],
    change: [turns, "if (isOurs && isStored(stored, write))", "if (isOurs || write)"],
  },
  {
    title: "a stored commit is taken for a failed one",
    noticedBy: [8, 23, 29],
    change: [turns, "if (isOurs && isStored(stored, write))", "if (false as boolean)"],
  },
  {
    title: "answers forgotten when a commit failed",
    noticedBy: [23, 24, 2],
    change: [turns, "this.give(resident, ...inputs, ...waiting, {", "this.give(resident, {"],
  },
  {
    title: "a taken id is answered as a new one",
    noticedBy: [20],
    change: [turns, "creation.stored(true);", "creation.stored(false);"],
  },
  {
    title: "produce answers before the write",
    noticedBy: [1],
    change: [
      "lib/coordinator/coordinator.ts",
      "stored: resolve, failed: reject };",
      "stored: resolve, failed: reject };\n      resolve(false);",
    ],
  },
  {
    title: "execution starts before the answer",
    noticedBy: [1],
    change: [
      turns,
      "      creation.stored(false);\n",
      "      this.#carryOut(part);\n      creation.stored(false);\n      return;\n",
    ],
  },
  {
    title: "creation time apart from the journal",
    noticedBy: [14],
    change: [turns, "const at = resident.creation ? flow.createdAt : now;", "const at = now;"],
  },
  {
    title: "row not written",
    noticedBy: [25],
    change: [
      "lib/coordinator/row.ts",
      'if (!facts.some((fact) => fact.kind === "flow")) return undefined;',
      'if (!facts.some((fact) => fact.kind === "flow") || isFinished(flow.status)) return undefined;',
    ],
  },
  {
    title: "slots not given back",
    noticedBy: [21, 2, 30],
    change: ["lib/coordinator/sender.ts", "this.#ports.dispatcher.release(1);", ""],
  },
  {
    title: "timers not cancelled",
    noticedBy: [22],
    change: ["lib/coordinator/resident.ts", "    for (const cancel of this.#timers) cancel();\n", ""],
  },
  {
    title: "timeouts not watched",
    noticedBy: [24],
    change: ["lib/coordinator/sender.ts", 'give(resident, { kind: "timeout", task: ordinal, attempt });', ""],
  },
  {
    title: "nobody wakes who waits for a slot",
    noticedBy: [30, 2],
    change: [turns, "if (this.dispatcher.hasNext && this.#maySend()) this.#plan();", ""],
  },
  {
    title: "nobody wakes who waits for a worker",
    noticedBy: [30, 2],
    change: [
      "lib/coordinator/coordinator.ts",
      "for (const resident of this.#turns.dispatcher.starved)",
      "for (const resident of [])",
    ],
  },
  {
    title: "an event too few",
    noticedBy: [29],
    change: [turns, "writer.write(facts, at, firstSeq))", "writer.write(facts, at, firstSeq).slice(0, 2))"],
  },
  { title: "no revision guard", noticedBy: [11, 14, 6, 10, 13, 15] },
  { title: "claim without a fence", noticedBy: [26] },
  { title: "bus repeats blindly", noticedBy: [8] },
  { title: "no unique ids", noticedBy: [20] },
];

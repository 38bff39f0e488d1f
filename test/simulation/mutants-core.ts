/** Mutants of the core: how the engine decides. */
import type { Mutant } from "./mutant.ts";

const task = "lib/core/execution/task.ts";
const stage = "lib/core/execution/stage.ts";
const turnedAway = "lib/core/execution/turned-away.ts";
const question = "lib/core/execution/outcome-query.ts";

export const MUTANTS_OF_THE_CORE: readonly Mutant[] = [
  {
    title: "no stage barrier",
    noticedBy: [5, 12],
    change: [stage, "stage.count.open === 0 &&", "stage.count.settled > 0 &&"],
  },
  {
    title: "templates are sent as they are",
    noticedBy: [3],
    change: ["lib/coordinator/turn/effect-runner.ts", "currentDefinition(task).params", "task.definition.params"],
  },
  {
    title: "computed templates are lost",
    noticedBy: [2, 30],
    change: ["lib/core/execution/resolve.ts", "flow.due.add(ordinal)", "flow.due.has(ordinal)"],
  },
  {
    title: "conditions and outputs are not computed anew after a restart",
    noticedBy: [2],
    change: ["lib/core/execution/recover.ts", "if (!stage) return goOn(step);", "if (!stage) return;"],
  },
  {
    title: "turned away, sent again at once",
    noticedBy: [44, 27],
    change: [
      turnedAway,
      "const at = now + Math.round((longest / 2) * (1 + chance));",
      "const at = now + (0 * longest * chance);",
    ],
  },
  {
    title: "turned away, taken back each time",
    noticedBy: [44],
    change: [
      turnedAway,
      "return isRevocable(step.flow, task) && (step.flow.aborting",
      "return isRevocable(step.flow, task) && (step.now > 0",
    ],
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
    from: 53,
    noticedBy: [8],
    change: [task, "if (task.options.exactlyOnceTaskExecution) queryOutcome(", "if (step.now < 0) queryOutcome("],
  },
  {
    title: "running attempts redelivered under exactly-once",
    from: 86,
    noticedBy: [8],
    change: [
      "lib/core/execution/outcome-query.ts",
      "if (task.options.exactlyOnceTaskExecution) return giveUp(step, task, cause);",
      "",
    ],
  },
  {
    title: "deliveries without end",
    from: 8_290,
    noticedBy: [9],
    change: ["lib/core/execution/outcome-query.ts", "deliveries >= MAX_DELIVERIES", "deliveries > 1_000"],
  },
  {
    title: "running attempts forgotten at recovery",
    noticedBy: [2],
    change: [
      "lib/core/execution/recover.ts",
      "&& !flow.repeats.has(task.ordinal)) queryOutcome(step, task);",
      "&& !flow.repeats.has(task.ordinal)) return;",
    ],
  },
  {
    title: "waiting tasks forgotten at recovery",
    noticedBy: [2],
    change: [
      "lib/core/execution/recover.ts",
      'if (task.status === "WAITING") recoverWaiting(step, task);',
      'if (task.status === "WAITING") return;',
    ],
  },
  {
    title: "age of the taskflow not watched",
    from: 1_761,
    noticedBy: [17],
    change: [
      "lib/core/decide.ts",
      "if (input.task === undefined) return ageFlow(step);",
      "if (input.task === undefined) return;",
    ],
  },
  {
    title: "answers of older attempts taken",
    from: 1_243,
    noticedBy: [10, 24],
    change: [task, "task.attempt !== attempt || task.attempts.length === 0", "task.attempts.length === 0"],
  },
  {
    title: "late success taken a second time",
    from: 58,
    noticedBy: [11],
    change: [task, 'if (status !== "WAITING" ||', 'if (status === "RUNNING" ||'],
  },
  {
    title: "attempts numbered anew",
    noticedBy: [6, 3],
    change: [
      "lib/core/execution/dispatch.ts",
      "task.attempts.length === 0 ? 0 : task.attempt + 1",
      "task.runAttempts > 1 ? 0 : task.runAttempts",
    ],
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
    change: [
      "lib/core/execution/backoff.ts",
      "if (retryAfterMs !== undefined)",
      "if (failures < 0 && retryAfterMs !== undefined)",
    ],
  },
  {
    title: "retries without delay",
    noticedBy: [16],
    change: ["lib/core/execution/backoff.ts", "return Math.round(delay * (1 - backoff.jitter * chance));", "return 0 * delay;"],
  },
  {
    title: "dispatch past maxAge",
    from: 494,
    noticedBy: [17],
    change: [
      "lib/core/execution/max-age.ts",
      "return (task.undoes === null && isPastAge(flow, now)) || (limit !== null && now >= limit);",
      "return limit !== null && now >= limit + 100;",
    ],
  },
  {
    title: "maxConcurrency ignored",
    from: 53,
    noticedBy: [18],
    change: ["lib/core/execution/dispatch.ts", "count.running >= maxConcurrency;", "count.running < 0;"],
  },
  {
    title: "every end is COMPLETED",
    noticedBy: [19, 15],
    change: [stage, 'const status = failed > 0 ? "PARTIAL_COMPLETED" : "COMPLETED"', 'const status = "COMPLETED"'],
  },
  {
    title: "a partial stage is COMPLETED",
    noticedBy: [19],
    change: [stage, 'success > 0 ? "PARTIAL_COMPLETED" : "FAILED"', 'success > 0 ? "COMPLETED" : "FAILED"'],
  },
  {
    title: "replies about older deliveries heeded",
    from: 997,
    noticedBy: [8, 23, 10],
    change: [
      question,
      "if (latest.deliveries !== delivery || latest.nodeID !== node || latest.startedAt !== startedAt) return;",
      "",
    ],
  },
  {
    title: "one that is at it is asked once only",
    from: 7_260,
    noticedBy: [24, 2],
    change: [question, '  step.effects.push({ kind: "timer", at: step.now + REQUERY_MS, input });', "  void input;"],
  },
  {
    title: "never is not heeded",
    from: 17,
    noticedBy: [2, 24, 30],
    change: [
      question,
      '    case "never":\n      return deliverAgain(step, task, cause);',
      '    case "never":\n      return undefined;',
    ],
  },
  {
    title: "delivered again under the same number",
    from: 751,
    noticedBy: [34],
    change: [
      "lib/core/journal/attempts.ts",
      "attempt.deliveries++;",
      "if (attempt.deliveries === 1 || !taskOf(flow, fact.task).options.exactlyOnceTaskExecution) attempt.deliveries++;",
    ],
  },
  {
    title: "no answer to an older delivery counts for the latest",
    from: 294,
    noticedBy: [10, 24, 8, 44],
    change: [
      task,
      'if (isSuperseded(step.flow, task, delivery) && (outcome.kind === "unknown" || outcome.kind === "not-sent")) return;',
      "",
    ],
  },
  {
    title: "a snapshot forgets who runs again",
    noticedBy: [45],
    change: ["lib/core/journal/snapshot.ts", "  runAttempts: true,\n", ""],
  },
];

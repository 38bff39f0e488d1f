/** Mutants of the commands. */
import type { Mutant } from "./mutant.ts";

const handleCommand = "lib/core/commands/handle.ts";
const retry = "lib/core/commands/retry.ts";

export const MUTANTS_OF_COMMANDS: readonly Mutant[] = [
  {
    title: "ids of commands forgotten",
    noticedBy: [38],
    change: [handleCommand, "step.flow.commands.get(id);", "step.flow.commands.get(`no ${id}`);"],
  },
  {
    title: "commands answered and not stored",
    noticedBy: [38, 42],
    change: [
      "lib/coordinator/commands/router.ts",
      "if (facts.length === 0) return answerOf(answers[0]?.answer);",
      "if (facts.length >= 0) return answerOf(answers[0]?.answer);",
    ],
  },
  {
    title: "commands answered before the write",
    noticedBy: [38],
    change: [
      "lib/coordinator/turn/loop.ts",
      "    let results: WriteResult[] | Promise",
      "    for (const unit of units) this.#commands.give(unit.answers);\n    let results: WriteResult[] | Promise",
    ],
  },
  {
    title: "what is cancelled is called",
    noticedBy: [39, 18],
    change: [
      "lib/core/commands/cancel.ts",
      'step.effects.push({ kind: "abort", task: ordinal, attempt, node });',
      'step.effects.push({ kind: "call", task: ordinal, attempt, delivery: latestAttempt(task).deliveries, node });',
    ],
  },
  {
    title: "what is paused goes on",
    noticedBy: [40],
    change: [
      "lib/core/execution/dispatch.ts",
      'return status === "RUNNING" || undo.status === "RUNNING";',
      'return status === "RUNNING" || status === "PAUSED" || undo.status === "RUNNING";',
    ],
  },
  {
    title: "a run is promised twice",
    from: 30,
    noticedBy: [41],
    change: [
      retry,
      "isNothing(flow, plan) ? retryAttempt : retryAttempt + 1",
      "isNothing(flow, plan) ? retryAttempt : Math.max(retryAttempt, 1)",
    ],
  },
  {
    title: "a retry runs what was not selected",
    from: 65,
    noticedBy: [42],
    change: [
      retry,
      "again: new Set(flow.tasks.filter((task) => again.has(task)))",
      'again: new Set(flow.tasks.filter((task) => again.has(task) || task.status === "FAILED"))',
    ],
  },
  {
    title: "a retry takes along what succeeded",
    from: 30,
    noticedBy: [42],
    change: [
      retry,
      "const tasks = stage.tasks.filter((task) => again.has(task) || isUntouched(task));",
      "const tasks = stage.tasks.filter((task) => !task.open);",
    ],
  },
  {
    title: "retries repeat what may have been done under exactly-once",
    from: 250,
    noticedBy: [8],
    change: [
      retry,
      'return isNamed || !options.exactlyOnceTaskExecution ? "verify" : "verify-or-fail";',
      'return options ? undefined : "verify";',
    ],
  },
  {
    title: "decisions about the past are carried out",
    from: 995,
    noticedBy: [43],
    change: [handleCommand, "if (expect.revision !== undefined && expect.revision !== revision) {", "if (revision < 0) {"],
  },
];

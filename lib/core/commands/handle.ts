/** Carries out commands. Each is answered; a refused one changes nothing. */
import { cancel } from "./cancel.ts";
import { type AnnotateCommand, type CommandResult, type Command, type Expect, refuse, type Refusal } from "../model/command.ts";
import { cancelTask, resolveTask, updateTask } from "./task-commands.ts";
import { findTask } from "../model/find.ts";
import type { Flow, Task } from "../model/flow.ts";
import type { Input } from "../execution/inputs.ts";
import { join, link } from "./nested.ts";
import { pause, resume } from "./pause.ts";
import { retry } from "./retry.ts";
import { record, type Step } from "../execution/step.ts";

export function handleCommand(step: Step, { correlationId, id, expect, command }: Extract<Input, { kind: "command" }>): void {
  // Facts of this step belong to the next revision. A change of owner alone does not outdate a
  // decision.
  const revision = step.flow.revision + (step.facts.some(({ kind }) => kind !== "owned") ? 1 : 0);
  const first = id === undefined ? undefined : step.flow.commands.get(id);
  const answer = first ?? unexpected(step.flow, revision, command, expect) ?? execute(step, command);
  // A refusal is not remembered: it changed nothing, and may be decided differently next time.
  if (id !== undefined && !first && answer.ok && !isDryRun(command)) record(step, { kind: "command-handled", id, answer });
  step.answers.push({ correlationId, answer });
}

const isDryRun = (command: Command): boolean => command.kind === "retry" && command.dryRun === true;

function execute(step: Step, command: Command): CommandResult {
  switch (command.kind) {
    case "cancel":
      return cancel(step, command);
    case "retry":
      return retry(step, command);
    case "pause":
      return pause(step, command);
    case "resume":
      return resume(step, command);
    case "cancelTask":
      return cancelTask(step, command);
    case "resolveTask":
      return resolveTask(step, command);
    case "updateTask":
      return updateTask(step, command);
    case "annotate":
      return annotate(step, command);
    case "link":
      return link(step, command);
    case "join":
      return join(step, command);
  }
}

/** Maximum for one taskflow. */
const MAX_ANNOTATIONS = 1_000;

function annotate(step: Step, { type, value }: AnnotateCommand): CommandResult {
  const { taskflowId, annotations } = step.flow;
  if (annotations.length >= MAX_ANNOTATIONS) {
    const message = `A taskflow must have at most ${MAX_ANNOTATIONS} annotations, and "${taskflowId}" has ${annotations.length}. Annotate another one.`;
    const problem = { path: "/taskflowId", message, keyword: "annotations", limit: MAX_ANNOTATIONS };
    return refuse("TASKFLOW_VALIDATION_ERROR", message, [problem]);
  }
  record(step, { kind: "annotated", type, value });
  return { ok: true, data: { taskflowId, type } };
}

/** Refuses a command whose `expect` no longer matches. */
function unexpected(flow: Flow, revision: number, command: Command, expect: Expect | undefined): Refusal | undefined {
  if (!expect) return undefined;
  const { taskflowId } = flow;
  if (expect.revision !== undefined && expect.revision !== revision) {
    const message = `Taskflow "${taskflowId}" must be at revision ${expect.revision}, and is at ${revision}. Read its state and decide again.`;
    return refuse("TASKFLOW_CONFLICT", message, { taskflowId, revision, expected: expect.revision });
  }
  const ref = expect.taskId ?? ("task" in command ? command.task : undefined);
  if (ref === undefined) {
    if (expect.attempt === undefined) return undefined;
    const message = "expect.attempt needs expect.taskId for this command: give the task whose attempt it is.";
    return refuse("TASKFLOW_CONFLICT", message, { taskflowId, attempt: expect.attempt });
  }
  const task = findTask(flow, ref);
  if ("ok" in task) return task;
  // A matching revision proves that the caller has seen the latest decision.
  const isOutdated = expect.revision === undefined && isDecided(task);
  if (!isOutdated && (expect.attempt === undefined || expect.attempt === task.attempt)) return undefined;
  const name = `Task "${task.definition.name}"`;
  const why = isOutdated
    ? `${name} has been decided about since`
    : `${name} must be at attempt ${expect.attempt}, and is at ${task.attempt}`;
  const message = `${why}. Read its state and decide again.`;
  return refuse("TASKFLOW_CONFLICT", message, { taskflowId, taskId: ref, attempt: task.attempt, expected: expect.attempt });
}

/**
 * A person has decided about its latest attempt, or reset it: an outdated button decides nothing.
 */
function isDecided({ status, isResolved, attempts, runAttempts }: Task): boolean {
  const isReset = attempts.length > 0 && runAttempts === 0;
  return isResolved || (isReset && (status === "WAITING" || status === "SUCCESS"));
}

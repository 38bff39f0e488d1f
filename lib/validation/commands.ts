/**
 * Validates callers' commands and turns them into requests for the owner, which share no object
 * with the params.
 */
import type { ActionParams, CommandAction } from "../../schemas/actions/index.ts";
import { MAX_ANNOTATION_LENGTH, type StageSelection } from "../../schemas/actions/commands.ts";
import { TASK_OPTIONS } from "../../schemas/options.ts";
import type { Command, CommandRequest, Selection } from "../core/model/command.ts";
import type { JsonText } from "../core/model/values.ts";
import type { Limits } from "../config/limits.ts";
import { validationError } from "../errors/validation-error.ts";
import type { Problem } from "../util/problem.ts";
import { validateParams } from "./params.ts";
import type { TaskflowQuery } from "../ports/store.ts";
import { rowAnnotation } from "../ports/row-annotation.ts";
import { encodeJson } from "./encode.ts";
import { ProblemList } from "./problems.ts";
import { withoutAliases } from "../util/setting.ts";
import { checkTaskChange, checkValue } from "./definition-rules.ts";

/** Translates the params of each action into its command. */
const COMMANDS = {
  cancelTaskflow: ({ reason, compensate }) => ({
    kind: "cancel",
    ...given("reason", reason),
    ...given("compensate", compensate),
  }),
  retryTaskflow: retryOf,
  pauseTaskflow: ({ reason }) => ({ kind: "pause", ...given("reason", reason) }),
  resumeTaskflow: ({ reason }) => ({ kind: "resume", ...given("reason", reason) }),
  cancelTask: ({ taskId }) => ({ kind: "cancelTask", task: taskId }),
  resolveTask: ({ taskId, outcome, response, reason }) => ({
    kind: "resolveTask",
    task: taskId,
    outcome,
    reason,
    ...given("response", response === undefined ? undefined : (JSON.stringify(response) as JsonText)),
  }),
  updateTask: updateOf,
  annotateTaskflow: ({ type, value }) => ({ kind: "annotate", type, value }),
} as const satisfies { [A in CommandAction]: (params: ActionParams[A]) => Command };

export const isCommandAction = (action: string): action is CommandAction => Object.hasOwn(COMMANDS, action);

/** A command, and the taskflow it is for. */
export interface OwnersCommand {
  readonly taskflowId: string;
  readonly request: CommandRequest;
}

/** @throws TASKFLOW_VALIDATION_ERROR with all problems */
export function readCommand(action: CommandAction, params: unknown, limits: Limits): OwnersCommand {
  const encoded = encodeJson(params ?? {}, limits.definitionBytes);
  if (!encoded.ok) throw refused(action, [encoded.problem]);
  const checked = validateParams(action, encoded.value);
  const problems = new ProblemList();
  checkLimits(action, checked, limits, encoded.text.length, problems);
  if (!problems.isEmpty) throw refused(action, problems.toArray());
  const { taskflowId, expect, commandId } = checked;
  const command = (COMMANDS[action] as (params: ActionParams[CommandAction]) => Command)(checked);
  return { taskflowId, request: { ...given("id", commandId), ...given("expect", expect), command } };
}

/** A command that another coordinator has forwarded. @throws TASKFLOW_VALIDATION_ERROR */
export function readForwarded(params: unknown): OwnersCommand {
  const { taskflowId, request } = validateParams("executeCommand", params);
  const { command } = request;
  if (command.kind !== "resolveTask" || command.response === undefined) return { taskflowId, request };
  try {
    const response = JSON.stringify(JSON.parse(command.response)) as JsonText;
    return { taskflowId, request: { ...request, command: { ...command, response } } };
  } catch {
    const path = "/request/command/response";
    throw validationError("The params of taskflow.executeCommand are not valid", [
      { path, message: `${path} must be the text of a JSON value.`, keyword: "json" },
    ]);
  }
}

/** The filter of `listTaskflows` by annotations. @throws TASKFLOW_VALIDATION_ERROR */
export function readAnnotationFilter(
  { type, value }: { readonly type: string; readonly value?: unknown },
  limits: Limits,
): NonNullable<TaskflowQuery["annotations"]> {
  if (value === undefined) return { type };
  const problems = new ProblemList();
  const encoded = encodeJson({ value }, limits.definitionBytes);
  if (!encoded.ok) problems.add(encoded.problem);
  else checkValue("value", (encoded.value as { value: unknown }).value, MAX_ANNOTATION_LENGTH, limits, problems);
  if (encoded.ok && problems.isEmpty) return rowAnnotation({ type, value: (encoded.value as { value: unknown }).value });
  const found = problems.toArray().map((problem) => ({ ...problem, path: `/annotations${problem.path}` }));
  throw validationError("The params of taskflow.listTaskflows are not valid", found);
}

const refused = (action: CommandAction, problems: readonly Problem[]): Error =>
  validationError(`The params of taskflow.${action} are not valid`, problems);

function given<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}

/** The limits, which the schemas cannot express because they are settings. */
function checkLimits(action: CommandAction, params: object, limits: Limits, textLength: number, problems: ProblemList): void {
  if (action === "updateTask") {
    const { params: changed, options } = params as ActionParams["updateTask"];
    if (changed === undefined && options === undefined)
      problems.add({
        path: "",
        message: "params or options must be given: there is nothing to change.",
        keyword: "required",
      });
    checkTaskChange({ params: changed, options }, limits, textLength, problems);
  } else if (action === "resolveTask") {
    checkValue("response", (params as ActionParams["resolveTask"]).response, limits.paramsBytes, limits, problems);
  } else if (action === "annotateTaskflow") {
    checkValue("value", (params as ActionParams["annotateTaskflow"]).value, MAX_ANNOTATION_LENGTH, limits, problems);
  }
}

function retryOf(params: ActionParams["retryTaskflow"]): Command {
  const { stagesInfo, tasksInfo, mode, force, cascade, dryRun } = params;
  const selection = stagesInfo || tasksInfo ? [...(stagesInfo ?? []).map(stageOf), ...(tasksInfo ?? []).map(taskOf)] : undefined;
  return {
    kind: "retry",
    ...given("selection", selection),
    ...given("mode", mode),
    ...given("force", force),
    ...given("cascade", cascade),
    ...given("dryRun", dryRun),
  };
}

function stageOf(selected: StageSelection): Selection {
  if (typeof selected === "string") return { stage: selected };
  return { stage: selected.stageId, ...given("tasks", selected.taskIds) };
}

function taskOf({ stageId, taskId }: { stageId?: string; taskId: string }): Selection {
  return { ...given("stage", stageId), tasks: [taskId] };
}

/**
 * Aliases of options are replaced: an alias would lose against an earlier value under the option's
 * own name.
 */
function updateOf({ taskId, params, options }: ActionParams["updateTask"]): Command {
  const changed = options && withoutAliases(TASK_OPTIONS, options);
  return { kind: "updateTask", task: taskId, ...given("params", params), ...given("options", changed) };
}

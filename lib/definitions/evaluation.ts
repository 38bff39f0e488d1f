/**
 * Computes the templates and conditions of a taskflow's parts: plain ones here, others by
 * request.
 */
import { type Flow, type Stage, type Task, taskAt } from "../core/model/flow.ts";
import type { ConditionValues, Part, Resolution, ResolvedParts } from "../core/model/resolution.ts";
import type { TaskType, TaskTypes } from "../core/model/task-type.ts";
import { failure, type TaskDefinition } from "../core/model/values.ts";
import type { Evaluation } from "../ports/sandbox.ts";
import { type Expression, ExpressionSyntaxError, parseExpression } from "./expressions/expression.ts";
import { NOT_PLAIN } from "./expressions/path.ts";
import { references } from "./expressions/references.ts";
import { plainValue, scopeText } from "./expressions/scope.ts";
import { fill, forEachTemplate, hasTemplates, type Lookup, parseTemplate, type Template } from "./expressions/template.ts";

/** The part of a taskflow that is computed. */
export interface Subject {
  readonly when: string | undefined;
  /** Those of its values that have templates. */
  readonly parts: ResolvedParts;
  /** Where it stands; undefined: at the end of the taskflow. */
  readonly stage: Stage | undefined;
}

/** Expressions to be computed in one scope. */
export interface Request {
  readonly sources: readonly string[];
  /** JSON text. */
  readonly scope: string;
}

/** @throws Error if the taskflow has no such part */
export function subjectOf(flow: Flow, part: Part, types: TaskTypes): Subject {
  if (part.kind === "end") return { when: undefined, parts: { output: flow.definition.output }, stage: undefined };
  const task = part.kind === "task" ? taskAt(flow, part.task) : undefined;
  if (task) return taskSubject(task, types.typeOf(task));
  const stage = part.kind === "stage" ? flow.stages[part.stage] : undefined;
  if (stage) return { when: stage.when, parts: {}, stage };
  throw new Error(`Taskflow ${flow.taskflowId} has no such part: its journal does not match its definition.`);
}

function taskSubject({ definition, stage }: Task, { hasTemplates: inDetails }: TaskType): Subject {
  return { when: definition.when, parts: partsOf(definition, inDetails === true), stage };
}

function partsOf({ params, taskDetails }: TaskDefinition, inDetails: boolean): ResolvedParts {
  return {
    ...(hasTemplates(params) ? { params } : {}),
    ...(inDetails && hasTemplates(taskDetails) ? { taskDetails } : {}),
  };
}

/** Ends the filling in of plain paths; one object, because a stack costs more than the paths do. */
const NEEDS_SANDBOX = new Error("An expression is no plain path.");

/** Undefined: the task has neither templates nor a condition. "later": not all is plain. */
export function resolvePlain(flow: Flow, task: Task, type: TaskType, maxBytes: number): Resolution | "later" | undefined {
  const { when, parts, stage } = taskSubject(task, type);
  if (when !== undefined) return "later";
  if (parts.params === undefined && parts.taskDetails === undefined) return undefined;
  try {
    return resolution(parts, maxBytes, ({ path }) => {
      const value = path ? plainValue(flow, stage, path) : NOT_PLAIN;
      if (value === NOT_PLAIN) throw NEEDS_SANDBOX;
      return value;
    });
  } catch (error) {
    if (error === NEEDS_SANDBOX) return "later";
    throw error;
  }
}

/** By JSONata's own rules of what is true. */
const conditionSource = (when: string): string => `$boolean(${when})`;

export function requestOf(flow: Flow, { when, parts, stage }: Subject): Request {
  const expressions = new Map<string, Expression>();
  forEachTemplate(
    Object.values(parts),
    () => "",
    (text) => {
      for (const part of parse(text)) if (typeof part === "object") expressions.set(part.expression.source, part.expression);
    },
  );
  const all = Array.from(expressions.values());
  const condition = when === undefined ? undefined : parseExpression(when);
  const sources = all.map(({ source }) => source);
  return {
    sources: condition ? [conditionSource(condition.source), ...sources] : sources,
    scope: scopeText(flow, stage, condition ? [condition, ...all] : all),
  };
}

/** A text that `produce` accepted and that this version cannot parse fails when it is filled in. */
function parse(text: string): Template {
  try {
    return parseTemplate(text) ?? [];
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return [];
    throw error;
  }
}

/** @param evaluations of the request's sources, in their order */
export function resolveEvaluated(
  flow: Flow,
  { when, parts, stage }: Subject,
  maxBytes: number,
  { sources }: Request,
  evaluations: readonly Evaluation[],
): Resolution {
  const bySource = new Map(sources.map((source, index) => [source, evaluations[index]]));
  const valueOf = (source: string): unknown => {
    const evaluation = bySource.get(source) ?? { problem: "it was not computed" };
    if ("problem" in evaluation) throw new ExpressionSyntaxError(`${source}: ${evaluation.problem}`, 0);
    return evaluation.value;
  };
  try {
    // Templates may make sense only where the condition holds.
    if (when !== undefined && valueOf(conditionSource(when)) !== true)
      return { kind: "skipped", values: conditionValues(flow, stage, when) };
  } catch (error) {
    return failed(error);
  }
  return resolution(parts, maxBytes, ({ source }) => valueOf(source));
}

function resolution(parts: ResolvedParts, maxBytes: number, lookup: Lookup): Resolution {
  try {
    const filled = fill(parts, lookup) as ResolvedParts;
    const bytes = Buffer.byteLength(JSON.stringify(filled));
    if (bytes <= maxBytes) return { kind: "resolved", parts: filled };
    return failed(new ExpressionSyntaxError(`the values must have at most ${maxBytes} bytes of JSON, got ${bytes}`, 0));
  } catch (error) {
    return failed(error);
  }
}

/** @throws the error itself if it is not one of an expression */
function failed(error: unknown): Resolution {
  if (!(error instanceof ExpressionSyntaxError)) throw error;
  return { kind: "failed", error: failure("EXPRESSION_ERROR", `An expression cannot be computed: ${error.message}.`) };
}

/** Longer values are left out of what explains a condition. */
const MAX_VALUE_LENGTH = 1_024;

function conditionValues(flow: Flow, stage: Stage | undefined, when: string): ConditionValues {
  const values: Record<string, unknown> = {};
  references(parseExpression(when).ast, ({ keys }) => {
    const value = plainValue(flow, stage, keys);
    if (value === NOT_PLAIN || value === undefined) return;
    const { length } = JSON.stringify(value);
    values[keys.join(".")] = length > MAX_VALUE_LENGTH ? { $omitted: length } : value;
  });
  return values;
}

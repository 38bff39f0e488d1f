/** Fills in the templates of a task that is due. */
import type { Flow, Task } from "../core/model/flow.ts";
import type { Resolution, ResolvedParts } from "../core/model/resolution.ts";
import type { TaskType } from "../core/model/task-type.ts";
import { failure, type TaskDefinition } from "../core/model/values.ts";
import type { Evaluation } from "../ports/sandbox.ts";
import { type Expression, ExpressionSyntaxError } from "./expressions/expression.ts";
import { NOT_PLAIN } from "./expressions/path.ts";
import { plainValue, scopeText } from "./expressions/scope.ts";
import { fill, forEachTemplate, hasTemplates, type Lookup, parseTemplate, type Template } from "./expressions/template.ts";

/** Expressions to be computed in one scope. */
export interface Evaluate {
  readonly sources: readonly string[];
  /** JSON text. */
  readonly scope: string;
}

/** The parts of a task's definition that may have templates. */
function partsOf({ params, taskDetails }: TaskDefinition, { hasTemplates: inDetails }: TaskType): ResolvedParts {
  return {
    ...(hasTemplates(params) ? { params } : {}),
    ...(inDetails && hasTemplates(taskDetails) ? { taskDetails } : {}),
  };
}

/** Ends the filling in of plain paths; one object, because a stack costs more than the paths do. */
const NEEDS_SANDBOX = new Error("An expression is no plain path.");

/** Undefined: the task has no templates. "later": not all of them are plain paths. */
export function resolvePlain(flow: Flow, task: Task, type: TaskType, maxBytes: number): Resolution | "later" | undefined {
  const parts = partsOf(task.definition, type);
  if (parts.params === undefined && parts.taskDetails === undefined) return undefined;
  try {
    return resolution(parts, maxBytes, ({ path }) => {
      const value = path ? plainValue(flow, task, path) : NOT_PLAIN;
      if (value === NOT_PLAIN) throw NEEDS_SANDBOX;
      return value;
    });
  } catch (error) {
    if (error === NEEDS_SANDBOX) return "later";
    throw error;
  }
}

/** The expressions of a task's templates, and the scope that they need. */
export function evaluateRequest(flow: Flow, task: Task, type: TaskType): Evaluate {
  const expressions = new Map<string, Expression>();
  const { params, taskDetails } = partsOf(task.definition, type);
  forEachTemplate(
    [params ?? null, taskDetails ?? null],
    () => "",
    (text) => {
      for (const part of parse(text)) if (typeof part === "object") expressions.set(part.expression.source, part.expression);
    },
  );
  const all = Array.from(expressions.values());
  return { sources: all.map(({ source }) => source), scope: scopeText(flow, task, all) };
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
  definition: TaskDefinition,
  type: TaskType,
  maxBytes: number,
  { sources }: Evaluate,
  evaluations: readonly Evaluation[],
): Resolution {
  const bySource = new Map(sources.map((source, index) => [source, evaluations[index]]));
  return resolution(partsOf(definition, type), maxBytes, ({ source }) => {
    const evaluation = bySource.get(source) ?? { problem: "it was not computed" };
    if ("problem" in evaluation) throw new ExpressionSyntaxError(`\${${source}}: ${evaluation.problem}`, 0);
    return evaluation.value;
  });
}

function resolution(parts: ResolvedParts, maxBytes: number, lookup: Lookup): Resolution {
  try {
    const filled = fill(parts, lookup) as ResolvedParts;
    const bytes = Buffer.byteLength(JSON.stringify(filled));
    if (bytes <= maxBytes) return { kind: "resolved", parts: filled };
    return failed(`its values must have at most ${maxBytes} bytes of JSON, got ${bytes}`);
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return failed(error.message);
    throw error;
  }
}

const failed = (problem: string): Resolution => ({
  kind: "failed",
  error: failure("EXPRESSION_ERROR", `An expression of the task cannot be computed: ${problem}.`),
});

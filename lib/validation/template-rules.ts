/** The templates of a definition: they can be parsed, and name what exists when they are needed. */
import type { TaskType } from "../core/model/task-type.ts";
import { type Expression, ExpressionSyntaxError, parseExpression } from "../definitions/expressions/expression.ts";
import { references, type Reference } from "../definitions/expressions/references.ts";
import { ROOTS } from "../definitions/expressions/roots.ts";
import { forEachTemplate, parseTemplate } from "../definitions/expressions/template.ts";
import { shorten } from "../util/describe-value.ts";
import { unknownKey } from "../util/problem.ts";
import { isRecord } from "../util/record.ts";
import type { ProblemList } from "./problems.ts";
import type { Path } from "./rule-context.ts";

/** The stages before a task, and all of them, with the names of their tasks. */
interface Place {
  readonly stage: number;
  readonly stages: readonly { readonly name: string; readonly tasks: ReadonlySet<string> }[];
  /** Names that an expression can begin with. */
  readonly roots: readonly string[];
}

/** `definition` may violate its schema. */
export function checkTemplates(definition: unknown, taskTypes: ReadonlyMap<string, TaskType>, problems: ProblemList): void {
  const stages = elementsOf(definition, "stages");
  const names = stages.map((stage) => ({
    name: nameOf(stage),
    tasks: new Set(elementsOf(stage, "tasks").map(nameOf)),
  }));
  stages.forEach((stage, stageIndex) => {
    const place = { stage: stageIndex, stages: names, roots: ROOTS };
    if (isRecord(stage)) checkCondition(stage["when"], () => `/stages/${stageIndex}/when`, place, problems);
    elementsOf(stage, "tasks").forEach((task, taskIndex) => {
      if (!isRecord(task) || problems.isFull) return;
      const path = `/stages/${stageIndex}/tasks/${taskIndex}`;
      checkCondition(task["when"], () => `${path}/when`, place, problems);
      checkTemplatesOf(task["params"], () => `${path}/params`, place, problems);
      if (taskTypes.get(String(task["type"]))?.hasTemplates)
        checkTemplatesOf(task["taskDetails"], () => `${path}/taskDetails`, place, problems);
    });
  });
  if (!isRecord(definition)) return;
  const end = { stage: stages.length, stages: names, roots: ROOTS.filter((root) => root !== "previousStageRes") };
  checkTemplatesOf(definition["output"], () => "/output", end, problems);
}

const elementsOf = (parent: unknown, key: string): readonly unknown[] => {
  const elements = isRecord(parent) ? parent[key] : undefined;
  return Array.isArray(elements) ? elements : [];
};

const nameOf = (element: unknown): string => (isRecord(element) && typeof element["name"] === "string" ? element["name"] : "");

/** @param place undefined: names of stages and tasks are not checked */
export function checkTemplatesOf(value: unknown, at: Path, place: Place | undefined, problems: ProblemList): void {
  forEachTemplate(value, at, (text, path) => {
    if (problems.isFull) return;
    check(text, path, "template", problems, () => {
      for (const part of parseTemplate(text) ?? [])
        if (typeof part !== "string") checkReferences(part.expression, part.offset, place);
    });
  });
}

function checkCondition(when: unknown, path: Path, place: Place, problems: ProblemList): void {
  if (typeof when !== "string" || when === "") return;
  check(when, path, "expression", problems, () => {
    if (when.includes("${"))
      throw new ExpressionSyntaxError('it is an expression itself, without "${" and "}"', when.indexOf("${"));
    checkReferences(parseExpression(when), 0, place);
  });
}

/** @throws ExpressionSyntaxError */
function checkReferences({ ast }: Expression, offset: number, place: Place | undefined): void {
  references(ast, (reference) => {
    const mistake = mistakeOf(reference, place);
    if (mistake) throw new ExpressionSyntaxError(mistake.message, offset + mistake.position);
  });
}

function check(text: string, path: Path, keyword: "template" | "expression", problems: ProblemList, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    const { message, position } = error;
    const sentence = `${path()} must be ${keyword === "template" ? "a template" : "an expression"} that can be computed, got a mistake at character ${position + 1}: ${message}`;
    problems.add({
      path: path(),
      message: `${sentence}${sentence.endsWith("?") ? "" : "."}\n${excerpt(text, position)}`,
      value: shorten(text),
      keyword,
    });
  }
}

interface Mistake {
  readonly message: string;
  /** Offset in the expression. */
  readonly position: number;
}

function mistakeOf({ keys, ends }: Reference, place: Place | undefined): Mistake | undefined {
  const [root = "", stage, tasks, task, key] = keys;
  const at = (index: number): number => Math.max(0, (ends[index] ?? 0) - (keys[index]?.length ?? 0));
  const unknown = (index: number, known: readonly string[]): Mistake => {
    const name = keys[index] ?? "";
    return { message: `${JSON.stringify(name)} ${unknownKey(name, known).replace(/\.$/, "")}`, position: at(index) };
  };
  const roots = place?.roots ?? ROOTS;
  if (!roots.includes(root)) return unknown(0, roots);
  if (root !== "stages" || stage === undefined) return undefined;
  if (place) {
    const index = place.stages.findIndex(({ name }) => name === stage);
    const before = place.stages.slice(0, place.stage).map(({ name }) => name);
    if (index < 0 && before.length === 0) return { message: "no stage runs before this task", position: at(1) };
    if (index < 0) return unknown(1, before);
    if (index >= place.stage) {
      const when = index === place.stage ? "is the task's own stage, whose tasks run at the same time" : "runs later";
      return { message: `the stage ${JSON.stringify(stage)} ${when}`, position: at(1) };
    }
  }
  if (tasks === undefined || tasks === "status") return undefined;
  if (tasks !== "tasks") return unknown(2, ["tasks", "status"]);
  const known = place?.stages.find(({ name }) => name === stage)?.tasks;
  if (task !== undefined && known && !known.has(task)) return unknown(3, Array.from(known).slice(0, 20));
  if (key !== undefined && key !== "response" && key !== "status") return unknown(4, ["response", "status"]);
  return undefined;
}

const AROUND = 40;

/** The line of the text with the mistake, and a caret below it. */
function excerpt(text: string, position: number): string {
  const from = Math.max(text.lastIndexOf("\n", position - 1) + 1, position - AROUND, 0);
  const end = text.indexOf("\n", position);
  const line = text.slice(from, Math.min(end < 0 ? text.length : end, position + AROUND));
  return `  ${line}\n  ${" ".repeat(position - from)}^`;
}

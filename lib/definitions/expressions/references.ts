/** Where an expression looks: its paths that begin at a root. */
import type { AstNode, Expression } from "./expression.ts";
import { isRoot } from "./roots.ts";

/** A path that begins at the root of the scope. */
export interface Reference {
  /** Its leading keys; an index or anything else ends them. */
  readonly keys: readonly string[];
  /** Offsets in the source of the ends of the keys. */
  readonly ends: readonly number[];
}

/**
 * Calls back for every path of an expression that is relative to the scope. Paths within filters,
 * functions and the later steps of a path are relative to other values.
 * @returns false if the expression reaches the scope in another way (`$`, `$$`, a wildcard)
 */
export function references(node: AstNode, visit: (reference: Reference) => void): boolean {
  switch (node.type) {
    case "path":
      return pathReferences(node, visit);
    case "string":
    case "number":
    case "value":
    case "regex":
      return true;
    case "variable":
      // The scope itself is "" and "$"; all others are functions, or bound to values seen
      // elsewhere.
      return node.value !== "" && node.value !== "$";
    case "lambda":
      return node.body === undefined || references(node.body, visit);
    case "wildcard":
    case "descendant":
    case "parent":
    case "transform":
      return false;
    default:
      return childrenOf(node).reduce((all, child) => references(child, visit) && all, true);
  }
}

function pathReferences({ steps = [], group }: AstNode, visit: (reference: Reference) => void): boolean {
  const [first, ...later] = steps;
  if (!first) return true;
  // Later steps see the value before them, and the scope only as `$$`.
  const inner = [...later, ...(first.stages ?? []), ...(group?.lhs.flat() ?? [])].every((node) => !reachesScope(node));
  if (first.type !== "name") return references(first, visit) && inner;
  const keys: string[] = [];
  const ends: number[] = [];
  for (const step of steps) {
    if (step.type !== "name") break;
    keys.push(String(step.value));
    ends.push(step.position ?? 0);
    if (step.stages) break;
  }
  visit({ keys, ends });
  return inner;
}

/** Whether a part that sees other values refers to the whole scope, as `$$`. */
function reachesScope(node: unknown): boolean {
  if (typeof node !== "object" || node === null || node instanceof RegExp) return false;
  const { type, value } = node as AstNode;
  if (type === "variable" && value === "$") return true;
  return Object.values(node).some(reachesScope);
}

function childrenOf(node: AstNode): AstNode[] {
  const { expressions, lhs, rhs, condition, then, expression, procedure } = node;
  const own = [condition, then, node.else, expression, procedure, ...(node.arguments ?? []), ...(expressions ?? [])];
  return [...own, ...sideOf(lhs), ...sideOf(rhs)].filter((child) => child !== undefined);
}

function sideOf(side: AstNode["lhs"]): AstNode[] {
  if (side === undefined) return [];
  return "type" in side ? [side] : side.flat();
}

/** The parts of the scope that an expression needs; undefined: all of it. */
export interface Needs {
  readonly roots: ReadonlySet<string>;
  /** Names of stages and tasks; an absent task: all tasks of the stage. Undefined: all stages. */
  readonly stages: readonly { readonly stage: string; readonly task: string | undefined }[] | undefined;
}

export function needsOf(expressions: readonly Expression[]): Needs | undefined {
  const roots = new Set<string>();
  let stages: { stage: string; task: string | undefined }[] | undefined = [];
  for (const { ast } of expressions) {
    const isStatic = references(ast, ({ keys: [root, stage, tasks, task] }) => {
      if (!isRoot(root)) return;
      roots.add(root);
      if (root !== "stages") return;
      if (stage === undefined) stages = undefined;
      else stages?.push({ stage, task: tasks === "tasks" ? task : undefined });
    });
    if (!isStatic) return undefined;
  }
  return { roots, stages };
}

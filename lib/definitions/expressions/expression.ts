/**
 * Expressions: JSONata. Parsing happens here; `evaluate.ts` computes simple paths, and everything
 * else runs in the sandbox (`lib/ports/expressions.ts`).
 */
import jsonata from "jsonata";
import { BoundedMap } from "../../util/bounded-map.ts";
import { re2Problem } from "./regex.ts";

/** A step into a value: a key, or an index of an array. */
export type Step = string | number;

/** A parsed expression. */
export interface Expression {
  readonly source: string;
  /** Set if the expression is a plain path such as `context.items[0].id`. */
  readonly path: readonly Step[] | undefined;
  readonly ast: AstNode;
}

/** The part of JSONata's syntax tree that is read here. */
export interface AstNode {
  readonly type: string;
  readonly value?: unknown;
  /** Offset of the end of its token. */
  readonly position?: number;
  readonly steps?: readonly AstNode[];
  readonly stages?: readonly (AstNode & { readonly expr?: AstNode })[];
  readonly arguments?: readonly AstNode[];
  readonly expressions?: readonly AstNode[];
  readonly procedure?: AstNode;
  readonly lhs?: AstNode | readonly (readonly [AstNode, AstNode])[];
  readonly rhs?: AstNode | readonly (readonly [AstNode, AstNode])[];
  readonly condition?: AstNode;
  readonly then?: AstNode;
  readonly else?: AstNode;
  readonly expression?: AstNode;
  readonly body?: AstNode;
  readonly group?: { readonly lhs: readonly (readonly [AstNode, AstNode])[] };
}

/** An expression that cannot be parsed. */
export class ExpressionSyntaxError extends Error {
  override readonly name = "ExpressionSyntaxError";
  /** Offset of the mistake in the source. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/** Characters of one expression. */
export const MAX_EXPRESSION_LENGTH = 8_192;

/** Levels of a syntax tree. */
const MAX_DEPTH = 200;

const parsed = new BoundedMap<string, Expression>(2_000);

/** @throws ExpressionSyntaxError */
export function parseExpression(source: string): Expression {
  const known = parsed.get(source);
  if (known) return known;
  if (source.length > MAX_EXPRESSION_LENGTH)
    throw new ExpressionSyntaxError(`it has more than ${MAX_EXPRESSION_LENGTH} characters`, MAX_EXPRESSION_LENGTH);
  const ast = parse(source);
  assertAst(ast, 0);
  const expression = { source, ast, path: pathOf(ast) };
  parsed.set(source, expression);
  return expression;
}

function parse(source: string): AstNode {
  if (source.trim() === "") throw new ExpressionSyntaxError("it is empty", 0);
  try {
    return jsonata(source).ast() as AstNode;
  } catch (error) {
    // The parser is recursive; a stack overflow is a RangeError.
    if (error instanceof RangeError) throw new ExpressionSyntaxError("it nests too deep", 0);
    const { message = String(error), position = 0, token } = error as Partial<jsonata.JsonataError>;
    const text = message.replace(/\.$/, "");
    // JSONata gives the end of the token.
    const start = token !== undefined && source.endsWith(token, position) ? position - token.length : position;
    throw new ExpressionSyntaxError(text.charAt(0).toLowerCase() + text.slice(1), Math.min(start, source.length));
  }
}

/** Refuses regular expressions that RE2 does not take, and trees that evaluation could not walk. */
function assertAst(node: unknown, depth: number): void {
  if (typeof node !== "object" || node === null) return;
  if (depth > MAX_DEPTH) throw new ExpressionSyntaxError("it nests too deep", 0);
  if (node instanceof RegExp) return;
  const { type, value, position = 0 } = node as AstNode;
  if (type === "regex" && value instanceof RegExp) {
    const reason = re2Problem(value);
    if (reason !== undefined) throw new ExpressionSyntaxError(`its regular expression is not one of RE2: ${reason}`, position);
  }
  for (const child of Object.values(node)) assertAst(child, depth + 1);
}

function pathOf({ type, steps, group }: AstNode): Step[] | undefined {
  if (type !== "path" || !steps || group) return undefined;
  const path: Step[] = [];
  for (const step of steps) {
    if (step.type !== "name" || typeof step.value !== "string" || step.group) return undefined;
    path.push(step.value);
    for (const { type: kind, expr } of step.stages ?? []) {
      const index = expr?.value;
      if (kind !== "filter" || expr?.type !== "number" || !Number.isInteger(index) || (index as number) < 0) return undefined;
      path.push(index as number);
    }
  }
  return path;
}

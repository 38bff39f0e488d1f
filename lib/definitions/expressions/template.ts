/** Templates: strings that contain expressions as `${…}`, anywhere in a JSON value. */
import { BoundedMap } from "../../util/bounded-map.ts";
import { pointerStep } from "../../util/problem.ts";
import { type Expression, ExpressionSyntaxError, MAX_EXPRESSION_LENGTH, parseExpression } from "./expression.ts";

/** Texts and expressions in turn. A single expression keeps the type of its value. */
export type Template = readonly (string | PlacedExpression)[];

/** An expression, and the offset of its source in the text. */
export interface PlacedExpression {
  readonly expression: Expression;
  readonly offset: number;
}

/** Ends of an expression that are tried; a nested object constructor has some of its own. */
const MAX_ENDS = 200;

const parsed = new BoundedMap<string, Template>(2_000);

/** @throws ExpressionSyntaxError whose position is an offset in the text */
export function parseTemplate(text: string): Template | undefined {
  let start = text.indexOf("${");
  if (start < 0) return undefined;
  const known = parsed.get(text);
  if (known) return known;
  const parts: (string | PlacedExpression)[] = [];
  let end = 0;
  while (start >= 0) {
    if (start > end) parts.push(text.slice(end, start));
    const { expression, length } = expressionAt(text, start + 2);
    parts.push({ expression, offset: start + 2 });
    end = start + 2 + length + 1;
    start = text.indexOf("${", end);
  }
  if (end < text.length) parts.push(text.slice(end));
  // A cached long text would cost more than to parse it again.
  if (text.length <= MAX_EXPRESSION_LENGTH) parsed.set(text, parts);
  return parts;
}

/**
 * The expression that begins at an offset. A `}` may belong to it (an object, a string, a regular
 * expression), so it ends at the first one before which it can be parsed.
 */
function expressionAt(text: string, from: number): { expression: Expression; length: number } {
  let problem: ExpressionSyntaxError | undefined;
  let end = text.indexOf("}", from);
  for (let tried = 0; end >= 0 && tried < MAX_ENDS; end = text.indexOf("}", end + 1), tried++) {
    try {
      return { expression: parseExpression(text.slice(from, end)), length: end - from };
    } catch (error) {
      if (!(error instanceof ExpressionSyntaxError)) throw error;
      // The mistake that is furthest in the text is the one that a reader looks for.
      const position = from + error.position;
      if (!problem || position > problem.position) problem = new ExpressionSyntaxError(error.message, position);
      if (end - from > MAX_EXPRESSION_LENGTH) break;
    }
  }
  throw problem ?? new ExpressionSyntaxError('it has no "}" at its end', text.length);
}

/** Whether a JSON value contains a template. */
export function hasTemplates(value: unknown): boolean {
  if (typeof value === "string") return value.includes("${");
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasTemplates);
  for (const key in value) if (hasTemplates((value as Record<string, unknown>)[key])) return true;
  return false;
}

/** Calls back for each string with `${` in a JSON value. @param path its JSON pointer, on demand */
export function forEachTemplate(value: unknown, path: () => string, visit: (text: string, path: () => string) => void): void {
  if (typeof value === "string") {
    if (value.includes("${")) visit(value, path);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) forEachTemplate(inner, () => path() + pointerStep(key), visit);
  }
}

/** The value of an expression; undefined: absent. */
export type Lookup = (expression: Expression) => unknown;

/**
 * A copy of a JSON value with every template filled in. An absent value omits its key, is null in
 * an array, and "" within a text.
 */
export function fill(value: unknown, lookup: Lookup): unknown {
  if (typeof value === "string") return fillText(value, lookup);
  if (Array.isArray(value)) return value.map((element) => fill(element, lookup) ?? null);
  if (typeof value !== "object" || value === null) return value;
  const filled: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const replaced = fill(inner, lookup);
    if (replaced !== undefined) filled.push([key, replaced]);
  }
  return Object.fromEntries(filled);
}

function fillText(text: string, lookup: Lookup): unknown {
  const template = parseTemplate(text);
  if (!template) return text;
  const [only] = template;
  if (template.length === 1 && typeof only === "object") return lookup(only.expression);
  return template.map((part) => (typeof part === "string" ? part : textOf(lookup(part.expression)))).join("");
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * What a query for taskflows means, in the plainest way, and any rows and queries to try it with.
 */
import fc from "fast-check";
import type { DocumentQuery } from "../../lib/moleculer-db.ts";
import type { TaskflowRow } from "../../lib/ports/store.ts";

const TEXTS = ["", "1", "a", "B", "%", "true", "ä\u0000", "it's", "😀"];
const KEYS = ["a", "b.c", "$x", 'q"', "ä"];
const anyText = fc.constantFrom(...TEXTS);
const anyNumber = fc.constantFrom(0, 1, 7.5, 100);
const anyAttribute = fc.constantFrom<string | number | boolean>(...TEXTS, 0, 1, -2.5, true, false);
const anyNullable = fc.option(anyText);

export const anyRow: fc.Arbitrary<Partial<TaskflowRow>> = fc.record(
  {
    name: anyNullable,
    template: anyNullable,
    errorType: anyNullable,
    status: fc.constantFrom<TaskflowRow["status"]>("RUNNING", "FAILED", "COMPLETED"),
    startedAt: fc.option(anyNumber),
    progress: anyNumber,
    tags: fc.uniqueArray(anyText, { maxLength: 3 }),
    attributes: fc.dictionary(fc.constantFrom(...KEYS), anyAttribute, { maxKeys: 3 }),
    annotations: fc.array(fc.record({ type: anyText, value: anyText }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

/** Conditions on a field that has values of this kind. */
function conditionsOn(anyValue: fc.Arbitrary<unknown>, anyBound: fc.Arbitrary<string | number>): fc.Arbitrary<unknown> {
  const anyOrNull = fc.option(anyValue);
  return fc.oneof(
    anyOrNull,
    anyOrNull.map(($eq) => ({ $eq })),
    anyOrNull.map(($ne) => ({ $ne })),
    fc.array(anyOrNull, { maxLength: 3 }).map(($in) => ({ $in })),
    fc.array(anyOrNull, { maxLength: 3 }).map(($nin) => ({ $nin })),
    anyBound.map(($gt) => ({ $gt })),
    fc.tuple(anyBound, anyBound).map(([$gte, $lt]) => ({ $gte, $lt })),
    anyBound.map(($lte) => ({ $lte })),
    fc.boolean().map(($exists) => ({ $exists })),
  );
}

const oneOf = (paths: readonly string[], anyCondition: fc.Arbitrary<unknown>): fc.Arbitrary<DocumentQuery> =>
  fc.dictionary(fc.constantFrom(...paths), anyCondition, { maxKeys: 2, noNullPrototype: true });

const attributePaths = KEYS.map((key) => `attributes.${key}`);
export const anyQuery: fc.Arbitrary<DocumentQuery> = fc.letrec<{ query: DocumentQuery }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 2 },
    oneOf(["name", "template", "errorType", "status"], conditionsOn(anyText, anyText)),
    oneOf(["startedAt", "progress"], conditionsOn(anyNumber, anyNumber)),
    oneOf(["tags", "annotations.type", "annotations.value"], conditionsOn(anyText, anyText)),
    oneOf(attributePaths, conditionsOn(anyAttribute, fc.oneof(anyText, anyNumber))),
    fc.array(tie("query"), { minLength: 1, maxLength: 3 }).map(($and) => ({ $and })),
    fc.array(tie("query"), { minLength: 1, maxLength: 3 }).map(($or) => ({ $or })),
  ),
})).query;

export function modelMatches(row: TaskflowRow, query: DocumentQuery): boolean {
  return Object.entries(query).every(([key, condition]) => {
    if (key === "$and") return (condition as DocumentQuery[]).every((part) => modelMatches(row, part));
    if (key === "$or") return (condition as DocumentQuery[]).some((part) => modelMatches(row, part));
    const values = valuesOf(row, key);
    if (condition === null || typeof condition !== "object") return values.some((value) => isSame(value, condition));
    return Object.entries(condition).every(([operator, operand]) => modelOperator(values, operator, operand));
  });
}

/** One value, or those of all tags or annotations. */
function valuesOf(row: TaskflowRow, path: string): unknown[] {
  const [first = "", ...rest] = path.split(".");
  if (first === "attributes") return [row.attributes[rest.join(".")]];
  if (first === "annotations") return row.annotations.map((one) => one[rest[0] as "type" | "value"]);
  const value = row[first as keyof TaskflowRow];
  return first === "tags" ? [...row.tags] : [value];
}

function modelOperator(values: readonly unknown[], operator: string, operand: unknown): boolean {
  const any = (test: (value: unknown) => boolean): boolean => values.some(test);
  const compares = (test: (order: number) => boolean): boolean =>
    any((value) => typeof value === typeof operand && test(compare(value, operand)));
  const isIn = (value: unknown): boolean => (operand as unknown[]).some((each) => isSame(value, each));
  const operators: Record<string, () => boolean> = {
    $eq: () => any((value) => isSame(value, operand)),
    $ne: () => !any((value) => isSame(value, operand)),
    $in: () => any(isIn),
    $nin: () => !any(isIn),
    $gt: () => compares((order) => order > 0),
    $gte: () => compares((order) => order >= 0),
    $lt: () => compares((order) => order < 0),
    $lte: () => compares((order) => order <= 0),
    $exists: () => (values.length === 1 && values[0] === undefined ? operand === false : operand === true),
  };
  return operators[operator]!();
}

function isSame(value: unknown, operand: unknown): boolean {
  return operand === null ? value === null || value === undefined : value === operand;
}

/** Texts as both databases order them: by their UTF-8 bytes. */
function compare(value: unknown, operand: unknown): number {
  if (typeof value === "string") return Buffer.compare(Buffer.from(value), Buffer.from(operand as string));
  return (value as number) - (operand as number);
}

/** What a query for documents means, in the plainest way, and any documents and queries to try it with. */
import fc from "fast-check";
import type { DocumentQuery } from "../../lib/moleculer-db/query.ts";

const anyScalar = fc.constantFrom<unknown>(null, true, false, 0, 1, -2.5, 10, "", "1", "a", "b", "true", "%", "ä\u0000");
const anyPath = fc.constantFrom("a", "b", "c.d", "c.e");
export const anyDocument = fc.record(
  { a: anyScalar, b: anyScalar, c: fc.record({ d: anyScalar, e: anyScalar }, { requiredKeys: [] }) },
  { requiredKeys: [] },
);
const anyComparable = fc.constantFrom<unknown>(0, 1, 5, "", "1", "b");
const anyCondition = fc.oneof(
  anyScalar,
  anyScalar.map(($eq) => ({ $eq })),
  anyScalar.map(($ne) => ({ $ne })),
  fc.array(anyScalar, { maxLength: 3 }).map(($in) => ({ $in })),
  fc.array(anyScalar, { maxLength: 3 }).map(($nin) => ({ $nin })),
  anyComparable.map(($gt) => ({ $gt })),
  fc.tuple(anyComparable, anyComparable).map(([$gte, $lt]) => ({ $gte, $lt })),
  anyComparable.map(($lte) => ({ $lte })),
  fc.boolean().map(($exists) => ({ $exists })),
);
export const anyQuery: fc.Arbitrary<DocumentQuery> = fc.letrec<{ query: DocumentQuery }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 2 },
    fc.dictionary(anyPath, anyCondition, { maxKeys: 2 }),
    fc.array(tie("query"), { minLength: 1, maxLength: 3 }).map(($and) => ({ $and })),
    fc.array(tie("query"), { minLength: 1, maxLength: 3 }).map(($or) => ({ $or })),
  ),
})).query;

export function modelMatches(document: object, query: DocumentQuery): boolean {
  return Object.entries(query).every(([key, condition]) => {
    if (key === "$and") return (condition as DocumentQuery[]).every((part) => modelMatches(document, part));
    if (key === "$or") return (condition as DocumentQuery[]).some((part) => modelMatches(document, part));
    const value = key
      .split(".")
      .reduce<unknown>((parent, name) => (parent as Record<string, unknown> | undefined)?.[name], document);
    if (condition === null || typeof condition !== "object") return isSame(value, condition);
    return Object.entries(condition).every(([operator, operand]) => modelOperator(value, operator, operand));
  });
}

function modelOperator(value: unknown, operator: string, operand: unknown): boolean {
  const isComparable = typeof value === typeof operand;
  const order = compare(value, operand);
  const operators: Record<string, () => boolean> = {
    $eq: () => isSame(value, operand),
    $ne: () => !isSame(value, operand),
    $in: () => (operand as unknown[]).some((each) => isSame(value, each)),
    $nin: () => !(operand as unknown[]).some((each) => isSame(value, each)),
    $gt: () => isComparable && order > 0,
    $gte: () => isComparable && order >= 0,
    $lt: () => isComparable && order < 0,
    $lte: () => isComparable && order <= 0,
    $exists: () => (value !== undefined) === operand,
  };
  return operators[operator]!();
}

function isSame(value: unknown, operand: unknown): boolean {
  return operand === null ? value === null || value === undefined : value === operand;
}

function compare(value: unknown, operand: unknown): number {
  if (value === operand) return 0;
  return (value as number) < (operand as number) ? -1 : 1;
}

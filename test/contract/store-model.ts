/** What `list` means, in the plainest way, and any rows and queries to try it with. */
import fc from "fast-check";
import type { TaskflowPage, TaskflowQuery, TaskflowRow } from "../../lib/ports/store.ts";

const STATUSES = ["WAITING", "RUNNING", "PAUSED", "COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"] as const;
const anyStatus = fc.constantFrom(...STATUSES);
const anyName = fc.constantFrom("alpha", "Beta", "a%", "a_b", "beta gamma", "ünï", 'q"\\');
const anyTag = fc.constantFrom("red", "Green", "b%", "\uD800");
const anyKey = fc.constantFrom("k", "__proto__", "constructor", 'q".$');
const anyValue = fc.constantFrom<string | number | boolean>("1", 1, true, false, "true", 0, "Red hat", "\u0000");
const anyAnnotation = fc.record({
  type: fc.constantFrom("note", "n\u0000", "$x"),
  value: fc.constantFrom("1", '"1"', "{}", "\uD800"),
});
const anyTime = fc.integer({ min: 1_000, max: 1_012 });
const anyTenant = fc.constantFrom("t1", "t2");
const anyError = fc.constantFrom("E1", "E2");
const anyAttributes = fc.array(fc.tuple(anyKey, anyValue), { maxLength: 2 }).map((entries) => Object.fromEntries(entries));

/**
 * Up to 25 rows with ids of their own and little variety otherwise, so that queries find
 * something.
 */
export const anyRows: fc.Arbitrary<TaskflowRow[]> = fc.uniqueArray(
  fc.record<TaskflowRow>({
    taskflowId: fc.integer({ min: 0, max: 60 }).map((number) => `Flow-${number}`),
    name: fc.option(anyName),
    status: anyStatus,
    owner: fc.option(fc.constant("node-a")),
    fence: fc.constant(1),
    dueAt: fc.constant(0),
    rootId: fc.constant("root"),
    parentTaskflowId: fc.option(fc.constantFrom("p1", "p2")),
    tenant: fc.option(anyTenant),
    template: fc.option(fc.constantFrom("x", "y")),
    tags: fc.uniqueArray(anyTag, { maxLength: 3 }),
    attributes: anyAttributes,
    annotations: fc.array(anyAnnotation, { maxLength: 2 }),
    errorType: fc.option(anyError),
    createdAt: anyTime,
    startedAt: fc.option(anyTime),
    finishedAt: fc.option(anyTime),
    retryAttempt: fc.nat(3),
    progress: fc.nat(100),
    format: fc.constant(1),
  }),
  { selector: ({ taskflowId }) => taskflowId, maxLength: 25 },
);

export const anyQuery: fc.Arbitrary<TaskflowQuery> = fc
  .record(
    {
      status: fc.uniqueArray(anyStatus, { maxLength: 4 }),
      name: anyName,
      tenant: anyTenant,
      template: fc.constantFrom("x", "y"),
      tags: fc.uniqueArray(anyTag, { maxLength: 2 }),
      attributes: anyAttributes,
      annotations: fc.oneof(
        anyAnnotation,
        anyAnnotation.map(({ type }) => ({ type })),
      ),
      parentTaskflowId: fc.constantFrom("p1", "p2"),
      createdAfter: anyTime,
      createdBefore: anyTime,
      errorType: fc.uniqueArray(anyError, { maxLength: 2 }),
      text: fc.constantFrom("", "a", "BETA", "%", "_", "flow-1", "red", "1", "true", "Ü", '"'),
      sort: fc.constantFrom("createdAt" as const, "-createdAt" as const),
    },
    { requiredKeys: [] },
  )
  .chain((query) => fc.integer({ min: 1, max: 30 }).map((pageSize): TaskflowQuery => ({ ...query, pageSize })))
  // Most queries have a few filters only; with all of them nothing is ever found.
  .chain((query) => fc.subarray(Object.keys(query), { maxLength: 3 }).map((keys) => only(query, [...keys, "pageSize", "sort"])));

function only(query: TaskflowQuery, keys: readonly string[]): TaskflowQuery {
  return Object.fromEntries(Object.entries(query).filter(([key]) => keys.includes(key))) as unknown as TaskflowQuery;
}

/**
 * All rows that a query finds, in order, whatever its page. `createdAfter` and `createdBefore`
 * leave out the very moment.
 */
export function listOf(rows: readonly TaskflowRow[], query: TaskflowQuery): Pick<TaskflowPage, "rows" | "counts"> {
  const found = rows.filter((row) => matches(row, query));
  const direction = query.sort === "-createdAt" ? -1 : 1;
  found.sort((a, b) => direction * (a.createdAt - b.createdAt || (a.taskflowId < b.taskflowId ? -1 : 1)));
  const counts: TaskflowPage["counts"] = {};
  for (const { status } of found) counts[status] = (counts[status] ?? 0) + 1;
  return { rows: found, counts };
}

function matchesAnnotation({ annotations }: TaskflowRow, wanted: TaskflowQuery["annotations"]): boolean {
  return !wanted || annotations.some(({ type, value }) => type === wanted.type && (wanted.value ?? value) === value);
}

function matches(row: TaskflowRow, query: TaskflowQuery): boolean {
  const text = query.text?.toLowerCase() ?? "";
  const texts = [row.name ?? "", row.taskflowId, ...row.tags, ...Object.values(row.attributes)];
  const conditions = [
    query.status?.includes(row.status),
    query.name === undefined || row.name === query.name,
    query.tenant === undefined || row.tenant === query.tenant,
    query.template === undefined || row.template === query.template,
    query.tags?.every((tag) => row.tags.includes(tag)),
    Object.entries(query.attributes ?? {}).every(
      ([key, value]) => Object.hasOwn(row.attributes, key) && row.attributes[key] === value,
    ),
    matchesAnnotation(row, query.annotations),
    query.parentTaskflowId === undefined || row.parentTaskflowId === query.parentTaskflowId,
    query.createdAfter === undefined || row.createdAt > query.createdAfter,
    query.createdBefore === undefined || row.createdAt < query.createdBefore,
    query.errorType === undefined || (row.errorType !== null && query.errorType.includes(row.errorType)),
    texts.some((value) => String(value).toLowerCase().includes(text)),
  ];
  return conditions.every((condition) => condition !== false);
}

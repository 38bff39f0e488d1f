/**
 * Lists taskflows. Every query names a range of creation times, because the indexes of rows are
 * over that.
 */
import type { Collection, Filter } from "mongodb";
import type { TaskflowStatus } from "../../core/model/values.ts";
import type { TaskflowPage, TaskflowQuery } from "../../ports/store.ts";
import { checkQuery, decodeCursor, encodeCursor } from "../../ports/list-cursor.ts";
import { encodeKey, encodeText } from "./text-codec.ts";
import { encodeValue, ROW_PROJECTION, type RowDocument, toRow } from "./schema.ts";

/** Throws a RangeError for a page size or cursor that is not valid. */
export async function listTaskflows(rows: Collection<RowDocument>, query: TaskflowQuery): Promise<TaskflowPage> {
  checkQuery(query);
  const filter = filterOf(query);
  const direction = query.sort === "-createdAt" ? -1 : 1;
  const [found, groups] = await Promise.all([
    rows
      .find(pageOf(filter, query, direction), { projection: ROW_PROJECTION, batchSize: query.pageSize + 1 })
      .sort({ createdAt: direction, _id: direction })
      .limit(query.pageSize + 1)
      .toArray(),
    rows
      .aggregate<{ _id: TaskflowStatus; count: number }>([{ $match: filter }, { $group: { _id: "$status", count: { $sum: 1 } } }])
      .toArray(),
  ]);
  const page = found.slice(0, query.pageSize).map(toRow);
  const counts: TaskflowPage["counts"] = {};
  for (const { _id, count } of groups) counts[_id] = count;
  const last = page.at(-1);
  return {
    rows: page,
    ...(found.length > query.pageSize && last !== undefined ? { nextCursor: encodeCursor(last) } : {}),
    counts,
  };
}

function filterOf(query: TaskflowQuery): Filter<RowDocument> {
  const conditions: Filter<RowDocument>[] = [{ createdAt: { $gte: 0 } }];
  if (query.createdAfter !== undefined) conditions.push({ createdAt: { $gt: query.createdAfter } });
  if (query.createdBefore !== undefined) conditions.push({ createdAt: { $lt: query.createdBefore } });
  if (query.status !== undefined) conditions.push({ status: { $in: [...query.status] } });
  if (query.errorType !== undefined) conditions.push({ errorType: { $in: query.errorType.map(encodeText) } });
  if (query.parentTaskflowId !== undefined) conditions.push({ parentTaskflowId: query.parentTaskflowId });
  if (query.name !== undefined) conditions.push({ name: encodeText(query.name) });
  if (query.tenant !== undefined) conditions.push({ tenant: encodeText(query.tenant) });
  if (query.template !== undefined) conditions.push({ template: encodeText(query.template) });
  if (query.tags !== undefined && query.tags.length > 0) conditions.push({ tags: { $all: query.tags.map(encodeText) } });
  for (const [key, value] of Object.entries(query.attributes ?? {})) {
    conditions.push({ [`attributes.${encodeKey(key)}`]: { $eq: encodeValue(value) } });
  }
  if (query.annotations !== undefined) {
    const { type, value } = query.annotations;
    const wanted = { type: encodeText(type), ...(value === undefined ? {} : { value: encodeText(value) }) };
    conditions.push({ annotations: { $elemMatch: wanted } });
  }
  if (query.text !== undefined && query.text !== "") conditions.push({ search: { $regex: patternOf(query.text) } });
  return { $and: conditions };
}

/** A pattern for texts in lower case that contain this one, in whichever case it is given. */
export function patternOf(text: string): string {
  return encodeText(text.toLowerCase()).replace(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

function pageOf(filter: Filter<RowDocument>, { cursor }: TaskflowQuery, direction: 1 | -1): Filter<RowDocument> {
  if (cursor === undefined) return filter;
  const { createdAt, taskflowId } = decodeCursor(cursor);
  // The first condition alone says where in the index the page begins.
  const after: Filter<RowDocument>[] =
    direction === 1
      ? [{ createdAt: { $gte: createdAt } }, { $or: [{ createdAt: { $gt: createdAt } }, { _id: { $gt: taskflowId } }] }]
      : [{ createdAt: { $lte: createdAt } }, { $or: [{ createdAt: { $lt: createdAt } }, { _id: { $lt: taskflowId } }] }];
  return { $and: [filter, ...after] };
}

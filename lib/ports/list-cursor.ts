/** Paging of taskflows: checks queries, and encodes the end of a page as a cursor. */
import type { TaskflowQuery } from "./store.ts";

const MAX_PAGE_SIZE = 1_000;

/** The last taskflow of a page. */
interface Position {
  createdAt: number;
  taskflowId: string;
}

/**
 * Called before a query goes to another thread. @throws RangeError for an invalid page size or
 * cursor
 */
export function checkQuery(query: TaskflowQuery): void {
  if (!Number.isInteger(query.pageSize) || query.pageSize < 1 || query.pageSize > MAX_PAGE_SIZE) {
    throw new RangeError(`pageSize must be a whole number from 1 to ${MAX_PAGE_SIZE}, got ${query.pageSize}.`);
  }
  if (query.cursor !== undefined) decodeCursor(query.cursor);
}

export function encodeCursor({ createdAt, taskflowId }: Position): string {
  return Buffer.from(JSON.stringify([createdAt, taskflowId])).toString("base64url");
}

/** @throws RangeError for a text that `encodeCursor` did not return */
export function decodeCursor(cursor: string): Position {
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    decoded = undefined;
  }
  if (Array.isArray(decoded)) {
    const [createdAt, taskflowId] = decoded as unknown[];
    if (typeof createdAt === "number" && typeof taskflowId === "string") {
      const position = { createdAt, taskflowId };
      // Several base64 texts decode to the same position; only one was issued.
      if (encodeCursor(position) === cursor) return position;
    }
  }
  throw new RangeError("The cursor must be the nextCursor of an earlier page.");
}

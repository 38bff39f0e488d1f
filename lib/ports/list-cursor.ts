/** Pages of taskflows: what is asked for is checked, and a cursor says where the page before ended. */
import type { TaskflowQuery } from "./store.ts";

const MAX_PAGE_SIZE = 1_000;

/** Where a page ended. */
interface Position {
  createdAt: number;
  taskflowId: string;
}

/** Throws a RangeError for a page size or cursor that is not valid. Called before a query goes to another thread. */
export function checkQuery(query: TaskflowQuery): void {
  if (!Number.isInteger(query.pageSize) || query.pageSize < 1 || query.pageSize > MAX_PAGE_SIZE) {
    throw new RangeError(`pageSize ${query.pageSize} is not a whole number from 1 to ${MAX_PAGE_SIZE}.`);
  }
  if (query.cursor !== undefined) decodeCursor(query.cursor);
}

export function encodeCursor({ createdAt, taskflowId }: Position): string {
  return Buffer.from(JSON.stringify([createdAt, taskflowId])).toString("base64url");
}

/** Throws a RangeError for what `encodeCursor` did not make. */
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
      // What decodes to something is not yet what was given out: base64 has many spellings.
      if (encodeCursor(position) === cursor) return position;
    }
  }
  throw new RangeError("The cursor is not one that a page before gave as nextCursor.");
}

/** Exports at the client's: put together of their parts. */
import { taskflowError } from "../errors/errors.ts";

/** What `exportTaskflow` gives and `importTaskflow` takes. What stands in `entries` is for coordinators to read. */
export interface TaskflowExport {
  /** Of the entries. */
  format: number;
  /** Of the original. */
  taskflowId: string;
  revision: number;
  exportedAt: number;
  entries: unknown[];
}

type Part = TaskflowExport | { readonly revision: number; readonly chunk: string; readonly nextCursor?: string };

/** @param fetch the part that begins at the cursor */
export async function fetchExport(fetch: (cursor: { cursor?: string }) => Promise<Part>): Promise<TaskflowExport> {
  let part = await fetch({});
  let text = "";
  while ("chunk" in part) {
    text += part.chunk;
    if (part.nextCursor === undefined) return JSON.parse(text) as TaskflowExport;
    part = await fetch({ cursor: part.nextCursor });
  }
  return part;
}

/** NATS takes no message of that size; undefined for any other error. */
export function tooLargeToImport(error: unknown): Error | undefined {
  const isTooLarge =
    error instanceof Error && (error.message === "MAX_PAYLOAD_EXCEEDED" || Reflect.get(error, "code") === "MAX_PAYLOAD_EXCEEDED");
  if (!isTooLarge) return undefined;
  const message =
    "The export does not fit into one message of the bus: import it in a process that runs the taskflow service, or raise NATS's max_payload.";
  return taskflowError("PAYLOAD_TOO_LARGE", message);
}

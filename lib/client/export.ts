/** Joins the chunks of an export at the client. */
import type { ExportChunk, TaskflowExport } from "../../schemas/export.schema.ts";
import { taskflowError } from "../errors/errors.ts";
import { joinChunks } from "../protocol/chunks.ts";

/** @param fetch the chunk that begins at the cursor */
export async function fetchExport(
  fetch: (cursor: { cursor?: string }) => Promise<TaskflowExport | ExportChunk>,
): Promise<TaskflowExport> {
  const first = await fetch({});
  if (!("chunk" in first)) return first;
  const next = ({ nextCursor: cursor }: ExportChunk) =>
    cursor === undefined ? undefined : (fetch({ cursor }) as Promise<ExportChunk>);
  return JSON.parse(await joinChunks(first, next)) as TaskflowExport;
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

/** The thread of `reader.ts`: answers one request after another on a read-only connection. */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "./error.ts";
import { SqliteQueries } from "./query.ts";
import type { ReaderAnswer, ReaderOptions, ReaderRequest } from "./reader.ts";

const { path } = workerData as ReaderOptions;
const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
const queries = new SqliteQueries(database);

parentPort?.on("message", (request: ReaderRequest | "close") => {
  if (request === "close") {
    database.close();
    parentPort?.close();
    return;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a rule about windows
  parentPort?.postMessage(answer(request));
});

function answer(request: ReaderRequest): ReaderAnswer {
  try {
    const result = request.kind === "list" ? queries.list(request.query) : queries.select(request.sql, request.values);
    return { id: request.id, result };
  } catch (error) {
    return { id: request.id, error: messageOf(error) };
  }
}

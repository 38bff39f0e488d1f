import { MongoSource } from "./mongodb-source.ts";
import type { TaskflowSource } from "./source.ts";
import { SqliteSource } from "./sqlite-source.ts";

/**
 * The source that a store's URL names, not yet open.
 * @throws RangeError if it names none
 */
export function sourceOf(url: string): TaskflowSource {
  if (/^sqlite:./.test(url) && url !== "sqlite::memory:") return new SqliteSource(url.slice("sqlite:".length));
  if (/^mongodb(\+srv)?:/.test(url)) return new MongoSource(url);
  const shown = url.replace(/\/\/.*@/, "//…@");
  throw new RangeError(
    `store must be sqlite:<file> or mongodb://<host>/<database>, got "${shown}": only files and servers can be read from outside.`,
  );
}

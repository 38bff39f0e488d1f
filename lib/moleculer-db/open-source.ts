import { MongoSource } from "./mongodb-source.ts";
import type { TaskflowSource } from "./source.ts";
import { SqliteSource } from "./sqlite-source.ts";

/** The source that a store's URL names, not yet open. */
export function sourceOf(url: string): TaskflowSource {
  const file = /^sqlite:(.+)$/.exec(url)?.[1];
  return file === undefined ? new MongoSource(url) : new SqliteSource(file);
}

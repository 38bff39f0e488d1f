import type { Store } from "../ports/store.ts";
import { MongoStore } from "./mongodb/store.ts";
import { SqliteStore } from "./sqlite/store.ts";

/**
 * The store that a URL names, not yet open.
 * @throws RangeError if it names none
 */
export function storeOf(url: string): Store {
  if (url === "memory:") return new SqliteStore({ file: ":memory:" });
  if (url.startsWith("sqlite:") && url.length > "sqlite:".length) return new SqliteStore({ file: url.slice("sqlite:".length) });
  if (/^mongodb(\+srv)?:/.test(url)) return new MongoStore({ url });
  const shown = url.replace(/\/\/.*@/, "//…@");
  throw new RangeError(`The store must be sqlite:<file>, memory: or mongodb://<host>/<database>, got "${shown}".`);
}
